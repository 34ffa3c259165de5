"""The names of accounts as Trino makes them: the same as DuckDB's, asked for in Trino, and maintained by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.orchestration.assets.accounts import build_account_names
from tests.dbt.test_account_names import NAMES, fill
from tests.demo import command
from tests.services.production import ProductionStack

ASK = "select account_id, account_name, origin, valid_from, valid_to from marts.aws_accounts order by 1, 2, 3, 4"
DETAILS = (
    "select account_name, organizational_unit_path, tags, is_current, cast(seen_at as varchar) as seen_at "
    "from marts.aws_accounts where account_name in ('old', 'now') order by 1"
)


def answers(config: Path, sql: str) -> list[tuple[Any, ...]]:
    asked = command("query", sql, "--format", "json", "--config", str(config))
    assert asked.exit_code == 0, asked.stderr
    return [tuple(load.values()) for load in json.loads(asked.stdout)]


def test_trino_makes_the_same_names_shows_them_and_keeps_them(
    production: ProductionStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = production.new_lake(tmp_path / "trino")
    lake = Lake(load_settings(config))
    fill(lake, tmp_path / "project")
    monkeypatch.setenv("COST_LAKEHOUSE_DBT_DIR", str(tmp_path / "project"))
    assert answers(config, ASK) == []

    assert build_account_names(lake, tmp_path / "build") == (len(NAMES), True)

    assert sorted(answers(config, ASK)) == sorted(NAMES)
    assert answers(config, DETAILS) == [
        ("now", "Company/Data", '{"a":"b","team":"data"}', True, None),
        ("old", "Root/Production", '{"a":"say \\"x\\"","team":"shop 🌍"}', False, "2026-09-05 05:15:00.000000"),
    ]
    tables = ["raw.aws_accounts", "marts.aws_accounts"]
    assert [table.failed for table in maintain(lake, tables).tables] == ["", ""]
    assert sorted(answers(config, ASK)) == sorted(NAMES)
    assert answers(config, "select count(*) from raw.aws_accounts") == [(14,)]
    production.drop_lake(config)
