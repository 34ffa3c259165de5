"""Parsed manifests are kept beside the project: those that were used last."""

from __future__ import annotations

from pathlib import Path

import pytest

from cost_lakehouse.config import Settings
from cost_lakehouse.summaries import dbt_project
from cost_lakehouse.summaries.dbt_project import PROJECT_VARIABLE, ParsedProject, parse_if_stale


def test_a_state_that_is_in_use_is_not_parsed_again_however_many_others_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: cost_lakehouse\n")
    monkeypatch.setenv(PROJECT_VARIABLE, str(tmp_path))
    parsed: list[str] = []

    def parse(project: ParsedProject, _: Settings) -> None:
        """What it costs to parse is not asked here, but how often."""
        parsed.append((tmp_path / "model.sql").read_text())
        project.cache.mkdir()
        (project.cache / "manifest.json").write_text("{}")

    def use(model: str) -> None:
        (tmp_path / "model.sql").write_text(model)
        parse_if_stale(Settings(base=tmp_path, file=tmp_path / "lakehouse.yaml"))

    monkeypatch.setattr(dbt_project, "_parse", parse)
    others = [f"select {number}" for number in range(10)]
    for other in others:
        use("select 'ours'")
        use(other)
    use("select 'ours'")
    assert parsed == ["select 'ours'", *others]

    use(others[0])
    assert parsed[-1] == others[0], "what nobody used is gone"
    assert len(list((tmp_path / "target" / "manifests").glob("duckdb-*"))) == 8
