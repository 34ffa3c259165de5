"""The same bills through the whole pipeline on both engines: every table, row for row, every column, to the last digit.

Both lakes are in S3 and PostgreSQL; the other tests have DuckDB's in a folder.
"""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.lake.catalog import Lake
from sample_bills import Expected
from sample_bills import demo as story
from tests import engines
from tests.dbt.building import MARTS
from tests.demo import command, oci_of_the_demo
from tests.engines import ENGINES, STORY, Pipelines, different

pytestmark = pytest.mark.timeout(1200)

# What two loads of the same bill do not share: when, and what they took.
OTHERWISE = {
    "marts.bill_status": ("loaded_at",),
    "marts.cost_changes": ("cost_changes_id", "changed_at"),
    "marts.pipeline_costs": ("pipeline_costs_id", "load_id", "loaded_at", "seconds"),
}
# Marts of the second build alone, and those that are made of what is published.
SECOND = ("marts.focus_cost_and_usage", "marts.lakehouse_daily_summary")
MADE_OF_MARTS = tuple(f"marts.{name}" for name in ("allocated_costs", "cluster_costs", "forecast", "anomalies", "budgets"))
RAW = ("raw.aws_cur", "raw.oci_cost", "raw.focus", "raw.lakehouse_costs")
OF_STORY = f"source in ({', '.join(repr(name) for name in STORY)})"


@pytest.fixture
def as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator writes bills of the same length again."""
    monkeypatch.setattr(story, "ROWS", engines.ROWS)


def columns_of(lake: Lake, table: str) -> list[str]:
    return [field.name for field in lake.table(table).schema().fields if field.name not in OTHERWISE.get(table, ())]


@pytest.mark.parametrize("table", [*MARTS, "marts.cost_changes", *SECOND, *MADE_OF_MARTS, *RAW])
def test_both_engines_give_the_same_table_to_the_last_digit(pipelines: Pipelines, table: str) -> None:
    answers = {}
    for engine, pipeline in pipelines.items():
        rows = pipeline.rows(f"select {', '.join(columns_of(pipeline.lake(), table))} from {table}")
        answers[engine] = [json.dumps(row) for row in rows]

    assert answers["duckdb"]
    assert different(answers) == []


def test_both_lakes_hold_the_same_tables(pipelines: Pipelines) -> None:
    names = {engine: pipeline.lake().table_names() for engine, pipeline in pipelines.items()}
    assert sorted(names["trino"]) == sorted(names["duckdb"])


def test_focus_rows_come_to_the_bills(pipelines: Pipelines) -> None:
    """Of every month: those that were published before FOCUS rows were asked for were built again."""
    for engine, pipeline in pipelines.items():
        totals = [
            pipeline.rows(
                f"select source, billing_period, {currency} as currency, sum(billed_cost) as cost from {table} group by 1, 2, 3"
            )
            for table, currency in (("marts.focus_cost_and_usage", "billing_currency"), ("marts.daily_costs", "currency_code"))
        ]
        found, wanted = ({tuple(row.values())[:3]: Decimal(row["cost"]) for row in rows} for rows in totals)
        assert (engine, found) == (engine, wanted)
        assert len(found) > 12


@pytest.mark.parametrize(
    "options",
    [
        ("--by", "service,account", "--top", "3", "--compare", "previous"),
        ("--by", "tag:team,type", "--daily", "--where", "provider=aws,oci", "--exclude", "type=Tax"),
        ("--by", "account_name,unit,account_tag:owner", "--basis", "list", "--quarterly"),
        ("--by", "service", "--where", "service~e", "--order", "-change", "--compare", "month", "--monthly"),
        ("--by", "team,service", "--basis", "effective"),
        ("--by", "cluster,namespace"),
        ("--by", "writer"),
    ],
    ids=" ".join,
)
def test_both_engines_answer_a_question_alike(pipelines: Pipelines, options: tuple[str, ...]) -> None:
    asked = ("costs", "--month", "2026-10", *options, "--format", "csv")
    answers = {engine: pipeline.asked(*asked).splitlines() for engine, pipeline in pipelines.items()}

    assert len(answers["duckdb"]) > 2
    assert answers["trino"] == answers["duckdb"]


@pytest.mark.parametrize(
    "options",
    [
        ("forecast", "--month", "2026-10", "--by", "service"),
        ("anomalies", "--days", "60", "--amount", "0", "--percent", "0", "--by", "account"),
        ("budgets",),
    ],
    ids=" ".join,
)
def test_both_engines_look_ahead_alike(pipelines: Pipelines, options: tuple[str, ...]) -> None:
    answers = {engine: json.loads(pipeline.asked(*options, "--json")) for engine, pipeline in pipelines.items()}

    assert answers["duckdb"]
    assert answers["trino"] == answers["duckdb"]


@pytest.mark.parametrize("engine", ENGINES)
def test_both_engines_bill_what_the_generator_wrote(pipelines: Pipelines, as_told: None, engine: str, tmp_path: Path) -> None:
    story.first_deliveries(tmp_path)
    last = [*story.redelivery(tmp_path).deliveries, *story.late_refund(tmp_path).deliveries]
    untouched = [written for name, written in story.first_deliveries(tmp_path).deliveries if name == "globex-payer"]
    expected = Expected.together(item.expected for item in [*(written for _, written in last), *untouched]).total()

    answer = pipelines[engine].rows(
        f"select provider, currency_code, sum(billed_cost) as billed from marts.daily_costs where {OF_STORY} group by 1, 2"
    )

    found = {(row["provider"], row["currency_code"]): Decimal(row["billed"]) for row in answer}
    oci = oci_of_the_demo(tmp_path / "oracle").total()
    aws = {("aws", currency): amount for currency, amount in expected.items()}
    assert found == aws | {("oci", "USD"): oci["USD"], ("azure", "EUR"): Decimal("0.700000000000000001")}
    # And what another lakehouse pushed is here as it is there.
    (fleet,) = pipelines[engine].rows("select sum(billed_cost) as cost from marts.daily_costs where source = 'fleet'")
    assert Decimal(fleet["cost"]) == sum(map(Decimal, engines.FLEET_COSTS))


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_shared_out_and_split_comes_to_the_bill(pipelines: Pipelines, engine: str) -> None:
    pipeline = pipelines[engine]
    key = "source, billing_period, usage_date, currency_code"
    sums = "sum(billed_cost) as billed, sum(effective_cost) as effective, sum(line_item_count) as lines"
    shared, billed = (
        pipeline.rows(f"select {key}, {sums} from marts.{mart} group by {key} order by {key}")
        for mart in ("allocated_costs", "daily_costs")
    )
    assert shared == billed
    teams = {row["team"] for row in pipeline.rows("select distinct team from marts.allocated_costs")}
    assert teams > {"web", "ops", "Unallocated"}
    (split,) = pipeline.rows("select sum(cost) as cost, count(distinct namespace) as spaces from marts.cluster_costs")
    (nodes,) = pipeline.rows("""
        select sum(line_item_net_unblended_cost) as cost from raw.aws_cur
        where source = 'acme-payer' and line_item_resource_id in (
            select split_line_item_parent_resource_id from raw.aws_cur where source = 'acme-payer')
    """)
    assert (Decimal(split["cost"]), split["spaces"]) == (Decimal(nodes["cost"]), 2)


@pytest.mark.parametrize(
    ("cell", "column"),
    [
        ("marts.daily_costs where usage_date < date '2026-09-08'", "effective_cost"),
        ("marts.focus_daily_summary", "billed_cost"),
        ("marts.bill_findings", "amount"),
        ("marts.commitment_costs where commitment_kind = 'reserved'", "difference"),
        ("marts.lakehouse_daily_summary", "effective_cost"),
        ("marts.focus_cost_and_usage where source = 'odd-aws'", "effective_cost"),
        ("marts.bill_status where billing_period = date '2026-09-01'", "billed_cost"),
        ("marts.cost_changes where source = 'acme-payer' and line_item_type = 'Refund'", "billed_cost"),
    ],
    ids=["daily", "focus", "findings", "commitments", "lakehouse", "focus rows", "status", "changes"],
)
def test_both_engines_explain_a_number_by_the_same_lines(pipelines: Pipelines, cell: str, column: str) -> None:
    answers = {}
    for engine, pipeline in pipelines.items():
        (answers[engine],) = json.loads(pipeline.asked("explain", cell, "--column", column, "--json"))
        assert answers[engine]["adds_up"] is True
    for part in ("mart_rows", "line_count", "amounts", "rules", "lines"):
        assert answers["trino"][part] == answers["duckdb"][part], part
    files = [[{**file, "link": ""} for file in answers[engine]["files"]] for engine in ENGINES]
    assert files[0] == files[1] != []


def test_both_engines_show_the_tables_as_they_were(pipelines: Pipelines, as_told: None, tmp_path: Path) -> None:
    """While September's first delivery was the newest, and as each month was first invoiced; by the generator's own sums."""
    (name, first) = story.first_deliveries(tmp_path).deliveries[0]
    told = pipelines["trino"].asked("history", "--source", name, "--month", "2026-09", "--json")
    total = "select currency_code, sum(billed_cost) as cost from marts.daily_costs where source = 'acme-payer'"
    september = f"{total} and billing_period = date '2026-09-01' group by 1"
    for moment in (f"{name}/{json.loads(told)[0]['delivery_id']}", "invoiced"):
        for pipeline in pipelines.values():
            (row,) = csv.DictReader(io.StringIO(pipeline.csv(september, "--as-of", moment)))
            assert {row["currency_code"]: Decimal(row["cost"])} == first.expected.total()
    columns = "source, billing_period, delivery_id, state, currency_code, billed_cost, invoice_ids"
    for table in (f"select {columns} from marts.bill_status order by 1, 2, 5", "select count(*) as lines from raw.aws_cur"):
        answers = {engine: pipeline.csv(table, "--as-of", "invoiced") for engine, pipeline in pipelines.items()}
        assert answers["trino"] == answers["duckdb"]
    months = pipelines["trino"].csv(
        f"select distinct billing_period from marts.bill_status where {OF_STORY}", "--as-of", "invoiced"
    )
    assert months.split() == ["billing_period", "2026-09-01"]
    never_invoiced = "source=acme-oci,other,odd-oci,odd-focus"
    options = ("--month", "2026-09", "--as-of", "invoiced", "--exclude", never_invoiced, "--by", "source,service")
    costs = [pipeline.asked("costs", *options, "--format", "csv") for pipeline in pipelines.values()]
    assert costs[0] == costs[1]
    assert len(costs[0].splitlines()) > 5


def test_both_engines_compare_deliveries_line_by_line(pipelines: Pipelines) -> None:
    """The refund of September is one line; October's second delivery changed rows and lacks some. Both add up exactly."""
    for month, kinds in (("2026-09", {"came"}), ("2026-10", {"changed", "went"})):
        answers = {}
        for engine, pipeline in pipelines.items():
            asked = ("diff", "acme-payer", month, "--format", "csv", "--config", str(pipeline.config))
            lines, cells = command(*asked, "--lines"), command(*asked)
            assert lines.exit_code == 0, lines.stderr
            answers[engine] = lines.stdout.splitlines()
            changes = [list(csv.DictReader(io.StringIO(told.stdout))) for told in (lines, cells)]
            sums = [sum((Decimal(row["change"]) for row in rows), Decimal(0)) for rows in changes]
            assert sums[0] == sums[1] != 0
            assert kinds <= {row["kind"] for row in changes[0]}
        assert answers["trino"] == answers["duckdb"]


def test_each_publication_is_one_snapshot_of_each_mart(pipelines: Pipelines) -> None:
    """The first build published all sources at once, the second what had changed."""
    for pipeline in pipelines.values():
        lake = pipeline.lake()
        for tables, wanted in ((MARTS, ["append", "overwrite"]), (SECOND, ["append"])):
            for table in tables:
                snapshots = lake.table(table).metadata.snapshots
                kinds = [snapshot.summary.operation.value for snapshot in snapshots if snapshot.summary]
                assert (table, kinds) == (table, wanted)
