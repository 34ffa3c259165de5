"""The same bills through the whole pipeline on both engines: every mart, row for row, every column, to the last digit.

Both lakes are in S3 and PostgreSQL; the other tests have DuckDB's in a folder.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from sample_bills import Expected
from sample_bills import demo as story
from tests.builders import settings_for
from tests.dbt.building import MARTS
from tests.demo import command, oci_of_the_demo
from tests.focus_builders import as_csv, charge
from tests.services.production import LakeNames, ProductionStack

ENGINES = ("duckdb", "trino")
# What two loads of the same bill do not share: when, and what they took.
OTHERWISE = {
    "marts.bill_status": ("loaded_at",),
    "marts.pipeline_costs": ("pipeline_costs_id", "load_id", "loaded_at", "seconds"),
}


FOCUS_COSTS = ("1.000000000000000001", "-0.3")


def focus_bill(folder: Path, *costs: str) -> None:
    """One file of a provider that writes FOCUS, in place of what was there; always of the same time."""
    rows = [charge(cost, "0.25", BillingAccountId="other", ProviderName="Microsoft", BillingCurrency="EUR") for cost in costs]
    folder.mkdir(exist_ok=True)
    (folder / "october.csv.gz").write_bytes(as_csv(rows))
    os.utime(folder / "october.csv.gz", (1_792_000_000, 1_792_000_000))


class Pipeline:
    """One lake on one engine, and what its command answers."""

    def __init__(self, config: Path) -> None:
        self.config = config

    def run(self, *arguments: str) -> None:
        done = command("run", *arguments, "--config", str(self.config))
        assert done.exit_code == 0, done.output

    def csv(self, sql: str, *options: str) -> str:
        answer = command("query", sql, *options, "--format", "csv", "--config", str(self.config))
        assert answer.exit_code == 0, answer.stderr
        return answer.stdout

    def lake(self) -> Lake:
        return Lake(load_settings(self.config))


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory, production: ProductionStack) -> Iterator[dict[str, Pipeline]]:
    """Two payers, a tenancy and a bill in FOCUS; what comes again has rows changed and gone, and a closed month a refund."""
    places = {engine: tmp_path_factory.mktemp(engine) for engine in ENGINES}
    locations = {name: f"bills/{bill.location}" for name, bill in story.demo_bills().items()}
    names = LakeNames(production.postgres.make_database(), f"s3://{production.s3.make_bucket()}/warehouse", "of_no_trino")
    keys = {name: value for name, value in production.lake_keys(names).items() if name not in ("engine", "trino")}
    oci = {"name": story.OCI_SOURCE, "kind": "oci_cost_reports", "location": f"bills/{story.demo_oci_bill().location}"}
    focus = {"name": "other", "kind": "focus", "location": "other"}
    settings_for(places["duckdb"], locations, keys | {"first_month": "2026-09"}, [oci, focus])
    sources = [{"name": name, "kind": "aws_cur", "location": location} for name, location in locations.items()]
    production.new_lake(places["trino"], [*sources, oci, focus], "2026-09")
    with pytest.MonkeyPatch.context() as patch:
        made = {}
        for engine, folder in places.items():
            patch.setenv("DAGSTER_HOME", str(folder / ".dagster"))
            pipeline = made[engine] = Pipeline(folder / "lakehouse.yaml")
            story.first_deliveries(folder / "bills")
            focus_bill(folder / "other", "7", "8")
            pipeline.run()
            story.redelivery(folder / "bills")
            pipeline.run("--no-summarize")
            story.late_rows(folder / "bills")
            story.late_refund(folder / "bills")
            focus_bill(folder / "other", *FOCUS_COSTS)
            pipeline.run()
        yield made


def columns_of(lake: Lake, table: str) -> list[str]:
    return [field.name for field in lake.table(table).schema().fields if field.name not in OTHERWISE.get(table, ())]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("table", [*MARTS, "raw.aws_cur", "raw.oci_cost", "raw.focus"])
def test_both_engines_give_the_same_table_to_the_last_digit(pipelines: dict[str, Pipeline], table: str) -> None:
    answers = {}
    for engine, pipeline in pipelines.items():
        columns = columns_of(pipeline.lake(), table)
        order = "source, billing_period, file_name, row_number" if table.startswith("raw.") else ", ".join(columns[:6])
        answers[engine] = pipeline.csv(f"select {', '.join(columns)} from {table} order by {order}").splitlines()

    assert len(answers["duckdb"]) > 1
    assert answers["trino"] == answers["duckdb"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "options",
    [
        ("--by", "service,account", "--top", "3", "--compare", "previous"),
        ("--by", "tag:team,type", "--daily", "--where", "provider=aws,oci", "--exclude", "type=Tax"),
        ("--by", "account_name,unit,account_tag:owner", "--basis", "list", "--quarterly"),
        ("--by", "service", "--where", "service~e", "--order", "-change", "--compare", "month", "--monthly"),
    ],
    ids=" ".join,
)
def test_both_engines_answer_a_question_alike(pipelines: dict[str, Pipeline], options: tuple[str, ...]) -> None:
    answers = {}
    for engine, pipeline in pipelines.items():
        asked = ("costs", "--month", "2026-10", *options, "--format", "csv", "--config", str(pipeline.config))
        answer = command(*asked)
        assert answer.exit_code == 0, answer.stderr
        answers[engine] = answer.stdout.splitlines()

    assert len(answers["duckdb"]) > 2
    assert answers["trino"] == answers["duckdb"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ENGINES)
def test_both_engines_bill_what_the_generator_wrote(pipelines: dict[str, Pipeline], engine: str, tmp_path: Path) -> None:
    story.first_deliveries(tmp_path)
    last = [*story.redelivery(tmp_path).deliveries, *story.late_refund(tmp_path).deliveries]
    untouched = [written for name, written in story.first_deliveries(tmp_path).deliveries if name == "globex-payer"]
    expected = Expected.together(item.expected for item in [*(written for _, written in last), *untouched]).total()

    answer = pipelines[engine].csv(
        "select provider, currency_code, sum(billed_cost) as billed from marts.daily_costs group by 1, 2"
    )

    found = {(row["provider"], row["currency_code"]): Decimal(row["billed"]) for row in csv.DictReader(io.StringIO(answer))}
    oci = oci_of_the_demo(tmp_path / "oracle").total()
    aws = {("aws", currency): amount for currency, amount in expected.items()}
    assert found == aws | {("oci", "USD"): oci["USD"], ("azure", "EUR"): Decimal("0.700000000000000001")}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("cell", "column"),
    [
        ("marts.daily_costs where usage_date < date '2026-09-08'", "effective_cost"),
        ("marts.focus_daily_summary", "billed_cost"),
        ("marts.bill_findings", "amount"),
        ("marts.commitment_costs where commitment_kind = 'reserved'", "difference"),
    ],
    ids=["daily", "focus", "findings", "commitments"],
)
def test_both_engines_explain_a_number_by_the_same_lines(pipelines: dict[str, Pipeline], cell: str, column: str) -> None:
    answers = {}
    for engine, pipeline in pipelines.items():
        answer = command("explain", cell, "--column", column, "--json", "--config", str(pipeline.config))
        assert answer.exit_code == 0, answer.output
        (answers[engine],) = json.loads(answer.stdout)
        assert answers[engine]["adds_up"] is True
    for part in ("mart_rows", "line_count", "amounts", "rules", "lines"):
        assert answers["trino"][part] == answers["duckdb"][part], part
    files = [[{**file, "link": ""} for file in answers[engine]["files"]] for engine in ENGINES]
    assert files[0] == files[1] != []


@pytest.mark.timeout(900)
def test_both_engines_show_the_tables_as_they_were(pipelines: dict[str, Pipeline], tmp_path: Path) -> None:
    """While September's first delivery was the newest, and as each month was first invoiced; by the generator's own sums."""
    (name, first) = story.first_deliveries(tmp_path).deliveries[0]
    told = command("history", "--source", name, "--month", "2026-09", "--json", "--config", str(pipelines["trino"].config))
    total = "select currency_code, sum(billed_cost) as cost from marts.daily_costs where source = 'acme-payer'"
    september = f"{total} and billing_period = date '2026-09-01' group by 1"
    for moment in (f"{name}/{json.loads(told.stdout)[0]['delivery_id']}", "invoiced"):
        for pipeline in pipelines.values():
            (row,) = csv.DictReader(io.StringIO(pipeline.csv(september, "--as-of", moment)))
            assert {row["currency_code"]: Decimal(row["cost"])} == first.expected.total()
    columns = "source, billing_period, delivery_id, state, currency_code, billed_cost, invoice_ids"
    for table in (f"select {columns} from marts.bill_status order by 1, 2", "select count(*) as lines from raw.aws_cur"):
        answers = {engine: pipeline.csv(table, "--as-of", "invoiced") for engine, pipeline in pipelines.items()}
        assert answers["trino"] == answers["duckdb"]
    assert {
        row["billing_period"]
        for row in csv.DictReader(
            io.StringIO(pipelines["trino"].csv("select billing_period from marts.bill_status", "--as-of", "invoiced"))
        )
    } == {"2026-09-01"}
    options = ("--month", "2026-09", "--as-of", "invoiced", "--exclude", "source=acme-oci,other", "--by", "source,service")
    costs = [command("costs", *options, "--format", "csv", "--config", str(p.config)).stdout for p in pipelines.values()]
    assert costs[0] == costs[1]
    assert len(costs[0].splitlines()) > 5


@pytest.mark.timeout(900)
def test_both_engines_compare_deliveries_line_by_line(pipelines: dict[str, Pipeline]) -> None:
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


@pytest.mark.timeout(900)
def test_each_publication_is_one_snapshot_of_each_mart(pipelines: dict[str, Pipeline]) -> None:
    """The first build published all sources at once, the second what had changed."""
    for pipeline in pipelines.values():
        lake = pipeline.lake()
        for table in MARTS:
            kinds = [snapshot.summary.operation.value for snapshot in lake.table(table).metadata.snapshots if snapshot.summary]
            assert (table, kinds) == (table, ["append", "overwrite"])
