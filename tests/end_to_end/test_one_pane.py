"""A lakehouse runs and pushes, another one runs and shows the same costs: both by the command, with real builds.

Costs two builds of summaries; everything else about pushes and panes is in tests/publish/backbone, without any.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cost_lakehouse.cli.app import app
from sample_bills.bills import Bill, BillDelivery
from sample_bills.oci_bills import OciBill, OciReport
from sample_bills.oci_writing import write_oci
from sample_bills.writing import write_delivery

OCTOBER = date(2026, 10, 1)
BILL = Bill(months=(OCTOBER,), rows=150)
OCI_BILL = OciBill(months=(OCTOBER,), files_a_day=1, rows=40, reports=(OciReport.COST,))
COSTS = (
    "select provider, billing_period, usage_date, account_id, service, region, currency_code, billed_cost, effective_cost, "
    "line_item_count from marts.daily_costs order by all"
)


class Lakehouse:
    """A folder with a configuration; ``run`` runs a command there."""

    def __init__(self, folder: Path, **document: Any) -> None:
        folder.mkdir()
        self.config = folder / "lakehouse.yaml"
        self.config.write_text(yaml.safe_dump({"lake": {"first_month": "2026-01"}, **document}), encoding="utf-8")

    def run(self, *arguments: object) -> str:
        result = CliRunner().invoke(app, [str(argument) for argument in (*arguments, "--config", self.config)])
        assert result.exit_code == 0, result.output
        return result.stdout

    def query(self, sql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("query", sql, "--format", "json"))
        return found


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lakehouse, Lakehouse, str]:
    """The writer, the pane, and what the writer's run said."""
    folder = tmp_path_factory.mktemp("one_pane")
    write_delivery(folder, BILL, BillDelivery(month=OCTOBER, delivered_at=datetime(2026, 11, 3, tzinfo=UTC)))
    write_oci(folder, OCI_BILL)
    sources = [
        {"name": "acme", "kind": "aws_cur", "location": str(folder / BILL.location)},
        {"name": "acme-oci", "kind": "oci_cost_reports", "location": str(folder / OCI_BILL.location)},
    ]
    to = str(folder / "fleet")
    writer = Lakehouse(
        folder / "writer",
        sources=sources,
        push=[{"name": "pane", "to": to, "what": ["daily_costs", "receipts"], "writer": "eu"}],
    )
    said = writer.run("run")
    pane = Lakehouse(folder / "pane", sources=[{"name": "fleet", "kind": "lakehouse", "location": to}])
    pane.run("run")
    return writer, pane, said


def test_the_run_says_what_it_pushed_and_the_next_one_has_nothing_to_push(both: tuple[Lakehouse, Lakehouse, str]) -> None:
    writer, _, said = both

    assert "Pushed to pane: 2 months sent, 4 files" in said
    assert "Pushed" not in writer.run("run")
    assert "Pushed to pane: nothing new." in writer.run("push")


def test_daily_costs_are_the_writers_to_the_digit(both: tuple[Lakehouse, Lakehouse, str]) -> None:
    writer, pane, _ = both

    assert pane.query(COSTS) == writer.query(COSTS)
    assert {row["source"] for row in pane.query("select distinct source from marts.daily_costs")} == {"fleet"}


def test_each_number_says_whose_it_is(both: tuple[Lakehouse, Lakehouse, str]) -> None:
    writer, pane, _ = both
    by_source = "select source, sum(billed_cost) as cost from marts.daily_costs group by 1 order by 1"
    held = pane.query(
        "select writer, writer_source as source, sum(billed_cost) as cost from marts.lakehouse_daily_summary "
        "group by 1, 2 order by 2"
    )

    assert [{name: row[name] for name in ("source", "cost")} for row in held] == writer.query(by_source)
    assert {row["writer"] for row in held} == {"eu"}
    asked = json.loads(pane.run("costs", "--by", "writer", "--month", "2026-10", "--format", "json"))
    assert "eu" in json.dumps(asked)


def test_a_number_leads_to_the_writers_receipt_and_file(both: tuple[Lakehouse, Lakehouse, str]) -> None:
    writer, pane, _ = both
    (receipt,) = writer.query("select digest from raw.receipts where source = 'acme'")
    (day,) = pane.query(
        "select account_id, service, cast(usage_date as varchar) as usage_date from marts.daily_costs where provider = 'aws' "
        "and service = 'AmazonEC2' order by billed_cost desc limit 1"
    )

    condition = " and ".join(f"{name} = '{item}'" for name, item in day.items())
    told = pane.run("explain", f"daily_costs where {condition}", "--json")

    assert receipt["digest"] in told
    assert "eu/acme/2026-10/daily_costs-" in told


def test_the_bills_state_is_known(both: tuple[Lakehouse, Lakehouse, str]) -> None:
    _, pane, _ = both

    states = pane.query("select distinct source, state, line_item_count > 0 as has_lines from marts.bill_status")

    assert {(row["source"], row["has_lines"]) for row in states} == {("fleet", True)}
