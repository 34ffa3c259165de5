"""Oracle's reports by the command: discover, run, status and query, from a folder as the mirror leaves it."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cost_lakehouse.cli.app import app
from tests.oci_builders import Mirror, cost_line


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COST_LAKEHOUSE_DAGSTER_DB", "")
    made = Mirror(tmp_path, corrections="replace")
    monkeypatch.setenv("COST_LAKEHOUSE_CONFIG", str(made.folder / "lakehouse.yaml"))
    return made


def call(*arguments: str, exit_code: int = 0) -> str:
    """What the command prints on stdout."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == exit_code, result.output
    return result.stdout


def rows(sql: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(call("query", sql, "--format", "csv"))))


def status() -> dict[str, Any]:
    return {load["month"]: load for load in json.loads(call("status", "--json"))}


def test_reports_are_discovered_loaded_summarised_and_shown(mirror: Mirror) -> None:
    mirror.write(
        "0001-00001.csv.gz",
        [
            cost_line(reference="A", cost="5", start="2026-10-05T23:59Z"),
            cost_line(reference="B", cost="7.000000000000000001"),
            cost_line(reference="C", cost="0", currency=""),
            cost_line(reference="D", cost="0.5", start="2026-09-30T23:00:00Z"),
        ],
    )
    (found,) = json.loads(call("discover", "--json"))
    assert (found["source"], found["month"], found["report"], found["files"], found["new"]) == (
        "acme-oci",
        None,
        "oci_cost",
        1,
        True,
    )

    assert "0 failed" in call("run")

    by_day = "select usage_date, currency_code, sum(cost) as amount from marts.oci_daily_summary group by 1, 2 order by 1"
    assert [tuple(row.values()) for row in rows(by_day)] == [
        ("2026-09-30", "USD", "0.5"),
        ("2026-10-05", "USD", "12.000000000000000001"),
    ]
    october = "where billing_period = date '2026-10-01'"
    billed = f"select sum(billed_cost) as amount from marts.daily_costs {october} and provider = 'oci'"
    assert rows(billed) == [{"amount": "12.000000000000000001"}]
    assert status()["2026-10"]["totals"] == {"USD": "12.000000000000000001"}
    assert (status()["2026-10"]["files"], status()["2026-10"]["rows"], status()["2026-10"]["summarized"]) == (1, 3, True)

    # A correction takes the place of the row it refers to, because `corrections: replace` says so.
    mirror.write("0002-00001.csv.gz", [cost_line(reference="E", back="A", correction="true", cost="4")])
    call("run")
    assert rows(billed) == [{"amount": "11.000000000000000001"}]
    assert Decimal(status()["2026-10"]["totals"]["USD"]) == Decimal("16.000000000000000001")  # the bill as delivered
    assert "Nothing new to load" in call("run")


def test_a_bad_report_fails_the_run_and_is_shown_until_it_is_repaired(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1")])
    call("run", "--no-summarize")
    mirror.write("0002-00001.csv.gz", [cost_line(cost="one")])

    call("run", "--no-summarize", exit_code=1)
    shown = status()["2026-10"]
    assert (shown["state"], shown["rows"], shown["totals"]) == ("refused", 1, {"USD": "1"})
    assert "record 1, column cost/myCost" in shown["last_error"]

    mirror.write("0002-00001.csv.gz", [cost_line(cost="1.25")])
    call("run", "--no-summarize")
    assert (status()["2026-10"]["state"], status()["2026-10"]["totals"]) == ("accepted", {"USD": "2.25"})


def test_force_loads_everything_again_and_doubles_nothing(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(cost="1"), cost_line(cost="2", start="2026-09-01T00:00Z")])
    call("run", "--no-summarize")

    assert "loaded" in call("run", "--no-summarize", "--force")

    assert {month: item["totals"]["USD"] for month, item in status().items()} == {"2026-09": "2", "2026-10": "1"}
