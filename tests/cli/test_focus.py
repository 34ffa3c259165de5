"""FOCUS by the command: an export and a folder are discovered, loaded, summarised, shown and checked by doctor."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cost_lakehouse.cli.app import app
from tests.focus_builders import FocusPlace, as_csv, as_parquet, charge


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FocusPlace:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COST_LAKEHOUSE_DAGSTER_DB", "")
    made = FocusPlace(tmp_path, "acme-aws", "acme-saas")
    monkeypatch.setenv("COST_LAKEHOUSE_CONFIG", str(made.folder / "lakehouse.yaml"))
    return made


def call(*arguments: str, exit_code: int = 0) -> str:
    """What the command prints on stdout."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == exit_code, result.output
    return result.stdout


def rows(sql: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(call("query", sql, "--format", "csv"))))


def test_an_export_and_a_folder_of_focus_come_to_the_daily_costs(place: FocusPlace) -> None:
    hours = [charge("1.25", "1"), charge("0.000000000000000001", SubAccountId=""), charge("-0.25", ChargeCategory="Credit")]
    place.export("E1", [as_parquet(hours)], suffix=".snappy.parquet")
    place.export("E9", [as_parquet([charge("8", day="2026-09-30")])], month="2026-09", suffix=".snappy.parquet")
    saas = {"ProviderName": "Data Dog", "BillingAccountId": "77", "SubAccountId": "", "BillingCurrency": "EUR", "RegionId": ""}
    place.write("2026.csv.gz", as_csv([charge("3", **saas), charge("4", day="2026-09-02", **saas)]), source="acme-saas")

    found = json.loads(call("discover", "--json"))
    assert [(entry["source"], entry["month"], entry["delivery_id"][:2], entry["new"]) for entry in found[:2]] == [
        ("acme-aws", "2026-09", "E9", True),
        ("acme-aws", "2026-10", "E1", True),
    ]
    assert [(entry["source"], entry["month"], entry["report"]) for entry in found[2:]] == [("acme-saas", None, "focus")]

    call("run", "--kind", "focus")
    shown = (
        "source, provider, billing_period, usage_date, account_id, service, region, currency_code, billed_cost, effective_cost"
    )
    daily = [tuple(row.values()) for row in rows(f"select {shown} from marts.daily_costs order by 1, 3, 4, 5")]
    ec2 = "Amazon Elastic Compute Cloud"
    least = "0.000000000000000001"
    assert daily == [
        ("acme-aws", "aws", "2026-09-01", "2026-09-30", "000000000456", ec2, "eu-central-1", "USD", "8", "8"),
        ("acme-aws", "aws", "2026-10-01", "2026-10-05", "000000000123", ec2, "eu-central-1", "USD", least, least),
        ("acme-aws", "aws", "2026-10-01", "2026-10-05", "000000000456", ec2, "eu-central-1", "USD", "1", "0.75"),
        ("acme-saas", "data dog", "2026-09-01", "2026-09-02", "77", ec2, "", "EUR", "4", "4"),
        ("acme-saas", "data dog", "2026-10-01", "2026-10-05", "77", ec2, "", "EUR", "3", "3"),
    ]
    status = {(load["source"], load["month"]): load for load in json.loads(call("status", "--json"))}
    assert status["acme-aws", "2026-10"]["totals"] == {"USD": "1.000000000000000001"}
    assert all(candidate["summarized"] for candidate in status.values())
    assert "Nothing new to load; 3 deliveries are up to date." in call("run")


def test_doctor_says_what_lies_at_a_source_of_focus(place: FocusPlace) -> None:
    place.export("E1", [as_parquet([charge("1")])], suffix=".snappy.parquet")
    place.write("2026.csv.gz", as_csv([charge("3")]), source="acme-saas")
    place.write("readme.txt", b"x", source="acme-saas")
    said = " ".join(call("doctor").split())
    assert "FOCUS, 1 month, the newest of" in said
    assert "not read, because neither CSV nor Parquet: readme.txt" in said


def test_doctor_names_a_place_without_focus(place: FocusPlace) -> None:
    place.export("E1", [as_parquet([charge("1")])], suffix=".snappy.parquet")
    said = " ".join(call("doctor").split())
    assert "can be listed, but holds no FOCUS file" in said
