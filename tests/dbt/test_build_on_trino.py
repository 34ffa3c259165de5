"""The whole dbt project on a real Trino: tests and unit tests pass, and every table is DuckDB's to the last digit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.trino_client import execute, rows
from cost_lakehouse.summaries.built import BuiltSummaries
from cost_lakehouse.summaries.dbt_arguments import build_arguments
from cost_lakehouse.summaries.publish import publish
from cost_lakehouse.summaries.trino_build import TrinoBuild, build_schema, drop_dead_builds
from tests.builders import Row, Workshop, line
from tests.dbt.building import MARTS, PROJECT, Ran, build, marts_of
from tests.dbt.second_rules import differences
from tests.focus_builders import AWS_1_2, as_csv, charge
from tests.oci_builders import Mirror, cost_line, load_reports
from tests.services.production import ProductionStack

TABLES = [
    *MARTS,
    "marts.cost_changes",
    *(f"intermediate.{name}" for name in ("int_aws__slices", "int_aws__reservations", "int_focus__missing_columns")),
    *(f"intermediate.int_oci__{name}" for name in ("corrections", "currencies")),
    *(f"intermediate.int_costs__{name}" for name in ("loads", "slices", "daily_summary", "bill_history")),
    *(f"intermediate.int_costs__{name}" for name in ("reconciliation", "receipts_reconciliation")),
]
# Of each lake its own: when it was loaded, by which load, and what that took.
OWN_COLUMNS = {
    "marts.bill_status": ["loaded_at"],
    "marts.pipeline_costs": ["pipeline_costs_id", "load_id", "loaded_at", "seconds"],
    "marts.cost_changes": ["cost_changes_id", "changed_at"],
    "intermediate.int_costs__slices": ["loaded_at"],
    "intermediate.int_costs__loads": ["load_id", "loaded_at"],
    "intermediate.int_costs__bill_history": ["load_id", "loaded_at"],
}


def commitment(total: str, used: str, recurring: str, net: str) -> Row:
    """An hour of a Savings Plan's fee whose discount is no round number."""
    return line(
        LineItemType="SavingsPlanRecurringFee",
        UnblendedCost=recurring,
        NetUnblendedCost=net,
        **{
            "savingsPlan/SavingsPlanARN": "arn:aws:savingsplans::1:savingsplan/x",
            "savingsPlan/TotalCommitmentToDate": total,
            "savingsPlan/UsedCommitment": used,
            "savingsPlan/RecurringCommitmentForBillingPeriod": recurring,
            "savingsPlan/NetRecurringCommitmentForBillingPeriod": net,
        },
    )


def tagged(cost: str, **tags: str) -> Row:
    """A line with tags; ``_`` stands for ``:`` in their keys."""
    return line(UnblendedCost=cost, **{f"resourceTags/{name.replace('_', ':', 1)}": value for name, value in tags.items()})


ROWS = [
    line(UnblendedCost="0.00000000012345678901"),
    line(UnblendedCost="123456789.01", LineItemType="Tax", CurrencyCode="EUR", UsageEndDate="2026-10-31T23:59:59Z"),
    line(UnblendedCost="-3", LineItemType="SomethingNew", CurrencyCode=""),
    commitment("1", "0.3", "3", "2"),
    commitment("17.123456789", "3.3", "17.123456789", "11.41563786"),
    commitment("12345.678", "0", "12345.678", "8230.451"),
    tagged("1", user_CostCenter="7 🌍", user_Team="a/b"),
    tagged("2", **{"user_Cost Center": "8", "user_CostCenter": "9", "user_Größe": 'say "x"', "user_部門": "back\\slash"}),
    tagged("4", user_zzz="\uff21", aws_createdBy="it's"),
    line(
        UnblendedCost="0",
        LineItemType="DiscountedUsage",
        **{"reservation/ReservationARN": "ri", "reservation/EffectiveCost": "3"},
    ),
    line(UnblendedCost="0.5", Operation="EKSPod-EC2", **{"splitLineItem/SplitCost": "0.25"}),
    line(UnblendedCost="5", AvailabilityZone="eu-central-1a", **{"bill/InvoiceId": "i2"}),
    line(UnblendedCost="6", AvailabilityZone="nowhere", **{"bill/InvoiceId": "i1"}),
]

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
SLICES = [Slice("acme", OCTOBER), *(Slice(name, month) for name in ("acme-oci", "any") for month in (SEPTEMBER, OCTOBER))]
OCI_ROWS = [
    cost_line(
        cost="0.000000000123456789", quantity="12345.678901234567890123", **{"tags/Größe": "7 🌍", "tags/a.b": 'say "x"'}
    ),
    cost_line(cost="123456789.01", reference="V2.2", **{"cost/myCostOverage": "0.5", "cost/overageFlag": "Y"}),
    cost_line(cost="-3", reference="V2.3", back="V2.2", correction="true", **{"product/region": ""}),
    cost_line(cost="0", currency="", tenant="child"),
    cost_line(cost="1", currency="EUR", tenant="child", start="2026-10-31T23:00:00Z", **{r"tags/k8s:io\x": "back\\slash"}),
    cost_line(cost="2", currency="USD", tenant="child", back="nowhere", correction="true", **{"cost/attributedCost": "9"}),
    cost_line(cost="5", start="2026-09-30T23:00Z", **{"cost/subscriptionId": ""}),
]
FOCUS_ROWS = [
    charge("0.000000000123456789", "123456789.01", ConsumedQuantity="7", Tags='{"aws:a": "7 🌍", "Größe": "say \\"x\\""}'),
    charge("3", day="2026-10-31", ChargeCategory="Tax", PricingQuantity="", SubAccountId="", InvoiceId="i1", Tags=""),
    charge("-2", ProviderName="Microsoft", BillingCurrency="EUR", InvoiceId="i2", ServiceName="", Tags='{"b": "", "a": "1"}'),
    charge("4", ProviderName="", PublisherName="Amazon Web Services EMEA SARL", BillingCurrency="", ChargeCategory="Rebate"),
    charge("5", ProviderName="Ünïque", ChargeClass="Correction", ChargePeriodStart="2026-09-30T23:59:59Z", InvoiceId="i2"),
    charge("6", "0", day="2026-09-30", InvoiceId="i0", ChargePeriodEnd="2026-10-01T00:00:00.001Z"),
]


@dataclass
class Engines:
    """The same bills in two lakes, built in each."""

    trino: Workshop
    ran: Ran
    duckdb: BuiltSummaries

    def table(self, built: BuiltSummaries, name: str) -> list[tuple[str, ...]]:
        """All rows of a table as text, sorted."""
        own = OWN_COLUMNS.get(name, [])
        left_out = f"exclude ({', '.join(own)})" if own else ""
        with built.connect() as connection:
            found = connection.execute(f"select * {left_out} from {name}").fetchall()
        return sorted(tuple(map(_text, row)) for row in found)


def _text(value: Any) -> str:
    return f"{type(value).__name__} {value}"


@pytest.fixture(scope="module")
def engines(production: ProductionStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    folder = tmp_path_factory.mktemp("engines")
    sources = [
        {"name": "acme", "kind": "aws_cur", "location": str(folder / "bucket" / "cur" / "hourly")},
        {"name": "acme-oci", "kind": "oci_cost_reports", "location": str(folder / "acme-oci"), "corrections": "replace"},
        {"name": "any", "kind": "focus", "location": str(folder / "any")},
    ]
    mirror = Mirror(folder)
    (folder / "lakehouse.yaml").write_text(yaml.safe_dump({"lake": {"first_month": "2026-01"}, "sources": sources}))
    on_duckdb = Workshop(folder)
    on_duckdb.write(ROWS)
    mirror.write("0001.csv.gz", OCI_ROWS)
    (folder / "any").mkdir()
    (folder / "any" / "focus.csv.gz").write_bytes(as_csv(FOCUS_ROWS, [name for name in AWS_1_2 if name != "InvoiceIssuerName"]))
    config = production.new_lake(folder / "trino", sources)
    on_trino = Workshop(config.parent)
    for workshop in (on_duckdb, on_trino):
        workshop.load()
        for source in ("acme-oci", "any"):
            assert [load_report.status for load_report in load_reports(workshop.settings, workshop.lake, source)] == ["loaded"]
    voiding = ["acme-oci"]
    with (
        build(on_trino.lake, folder / "trino" / "build", ("build", "--vars", json.dumps({"voiding_sources": voiding}))) as ran,
        build(on_duckdb.lake, folder / "build", build_arguments(SLICES, voiding_sources=voiding)) as expected,
    ):
        assert set(expected.results.values()) <= {"success", "pass", "warn"}, expected.output
        yield Engines(on_trino, ran, expected.built)
    production.drop_lake(config)


def test_every_model_test_and_unit_test_ends_well(engines: Engines) -> None:
    bad = {name: state for name, state in engines.ran.results.items() if state not in {"success", "pass", "warn"}}
    assert bad == {}, engines.ran.output
    unit_tests = [name for file in (PROJECT / "models").rglob("_*unit_tests.yml") for name in _unit_tests(file)]
    assert len(unit_tests) > 10
    assert {engines.ran.results[name] for name in unit_tests} == {"pass"}


def _unit_tests(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    return [part.split("\n", 1)[0].strip() for part in text.split("\n  - name: ")[1:]]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_the_same_on_both_engines(engines: Engines, table: str) -> None:
    expected = engines.table(engines.duckdb, table)
    assert expected
    assert engines.table(engines.ran.built, table) == expected


def test_every_metric_of_every_day_is_what_a_second_set_of_rules_says(engines: Engines) -> None:
    with engines.duckdb.connect() as connection:
        assert differences(connection, "aws") == []
        assert differences(connection, "oci", ["acme-oci"]) == []


def test_what_was_built_is_published_and_trino_reads_it(engines: Engines) -> None:
    settings = engines.trino.settings
    published = publish(engines.trino.lake, engines.ran.built, SLICES, marts_of(engines.trino.lake))
    for table in ("marts.aws_daily_summary", "marts.oci_daily_summary", "marts.focus_daily_summary"):
        count = sum(item.rows for item in published if item.table == table)
        assert rows(settings, f"select count(*) from {table}") == [(count,)]
    with engines.ran.built.connect() as connection:
        total = connection.execute("select sum(billed_cost) from marts.bill_status").fetchone()
    assert rows(settings, "select sum(billed_cost) from marts.bill_status") == [total]


def test_a_build_has_a_schema_of_its_own_that_is_gone_afterwards(production_lake: Path) -> None:
    lake = Lake(Workshop(production_lake.parent).settings)
    with build_schema(lake) as schema:
        execute(lake.settings, f"create table {schema}.int_x as select 1 as id")
        execute(lake.settings, f"create view {schema}.stg_x as select 1 as id")
        built = TrinoBuild(lake, schema)
        with built.connect() as connection:
            assert connection.execute("select id from intermediate.int_x").fetchall() == [(1,)]
            assert connection.execute("select count(*) from information_schema.tables").fetchall() == [(1,)]
        assert lake.warehouse.list("builds")
    assert schemas(lake) == []
    assert lake.warehouse.list("builds") == []


def test_what_a_killed_build_left_is_dropped_by_the_next_one_and_a_build_under_way_stays(production_lake: Path) -> None:
    lake = Lake(Workshop(production_lake.parent).settings)
    place = f"{lake.warehouse.location}/builds/build_20260101t000000_0000dead"
    execute(lake.settings, f"create schema build_20260101t000000_0000dead with (location = '{place}')")
    execute(lake.settings, "create table build_20260101t000000_0000dead.x as select 1 as id")
    execute(lake.settings, "create schema builder with (location = 's3://elsewhere/builder')")
    with build_schema(lake) as alive:
        assert schemas(lake) == [alive, "builder"]
        assert drop_dead_builds(lake) == []
        assert schemas(lake) == [alive, "builder"]
    assert lake.warehouse.list("builds") == []


def test_a_schema_that_cannot_be_read_is_told(production_lake: Path) -> None:
    lake = Lake(Workshop(production_lake.parent).settings)
    built = TrinoBuild(lake, "build_20260101t000000_00000000")
    assert not built.is_there()
    with pytest.raises(LakeError, match="holds no marts: the build did not end"):
        publish(lake, built, [Slice("acme", Workshop(production_lake.parent).settings.lake.first_month)], marts_of(lake))


def schemas(lake: Lake) -> list[str]:
    """The schemas of builds, and what is called almost so."""
    return [name for (name,) in rows(lake.settings, "show schemas like 'build%'")]
