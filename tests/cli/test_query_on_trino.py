"""``query`` asks Trino where that is the engine: the same bytes as from DuckDB, errors with their place, nothing changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cost_lakehouse.cli.statement import reads_only
from tests.builders import Workshop, line
from tests.demo import command
from tests.services.production import ProductionStack

ROWS = [
    line(UnblendedCost="0.00000000012345678901", UsageStartDate="2026-10-05T10:00:00Z"),
    line(UnblendedCost="123456789.10", LineItemType="Tax", **{"bill/InvoiceId": 'say "x", yes'}),
    line(UnblendedCost="", **{"resourceTags/user:Name": "web 世界 🌍", "resourceTags/user:Env": "it's"}),
    line(UnblendedCost="-3", Operation="line\nbreak", **{"product/ProductName": "Amazon S3", "product/region": ""}),
]


@dataclass(frozen=True)
class Both:
    """The same bill in a lake of each engine: the two configurations."""

    duckdb: str
    trino: str


@pytest.fixture(scope="module")
def both(production: ProductionStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    on_duckdb = Workshop(folder)
    on_duckdb.write(ROWS)
    on_duckdb.load()
    source = {"name": "acme", "kind": "aws_cur", "location": str(folder / "bucket" / "cur" / "hourly")}
    config = production.new_lake(folder / "trino", [source])
    Workshop(config.parent).load()
    yield Both(str(on_duckdb.settings.file), str(config))
    production.drop_lake(config)


@pytest.mark.parametrize("output", ["csv", "json", "table"])
@pytest.mark.parametrize(
    "sql",
    [
        "select * from raw.aws_cur order by row_number",
        "select line_item_line_item_type as kind, sum(line_item_unblended_cost) as cost, count(*) as n from raw.aws_cur "
        "group by 1 order by 1;",
        "select * from raw.aws_cur where false",
        "select resource_tags, product, line_item_usage_start_date, billing_period from raw.aws_cur order by row_number",
        "select cast(1 as decimal(38, 20)) as a, 1e0 as b, 1e-7 as c, 123456789012e0 as d, true as e, null as f, 'é,\"' as g",
        "select timestamp '2026-01-01 00:00:00.123456' as a, timestamp '2026-01-01 00:00:00' as b, date '2026-01-01' as c, "
        "array[1, 2] as d, cast(row(1, 'x') as row(n integer, t varchar)) as e, map(array['a'], array[1.5]) as f",
        "select sum(stored) as s, max(rounding) as r from raw.control_totals where metric = 'line_item_unblended_cost'",
    ],
)
def test_both_engines_print_the_same(both: Both, sql: str, output: str) -> None:
    expected, found = (command("query", sql, "--format", output, "--config", item) for item in (both.duckdb, both.trino))
    assert expected.exit_code == found.exit_code == 0, found.stderr
    assert found.stdout == expected.stdout
    assert found.stderr == ""


def test_more_rows_than_are_held_at_once(both: Both) -> None:
    sql = "select n from unnest(sequence(1, 9000)) as t (n) order by n"
    found = command("query", sql, "--format", "csv", "--config", both.trino)
    assert found.stdout.split() == ["n", *map(str, range(1, 9001))]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select nope from raw.aws_cur", "line 1:8: Column 'nope' cannot be resolved"),
        ("select 1\nfrom marts.nothing", "line 2:6: Table 'lake_"),
        ("select 1 / 0", "Division by zero"),
    ],
)
def test_a_query_that_fails_says_where_and_changes_nothing(both: Both, sql: str, says: str) -> None:
    failed = command("query", sql, "--format", "csv", "--config", both.trino)
    assert failed.exit_code == 1
    assert failed.stdout == ""
    assert f"The query failed: {says}" in failed.stderr
    assert "Tables that are there: marts.allocated_costs, marts.anomalies, marts.aws_accounts, " in failed.stderr
    left = command("query", "select count(*) as n from raw.aws_cur", "--format", "json", "--config", both.trino)
    assert json.loads(left.stdout) == [{"n": 4}]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("delete from raw.aws_cur", "DELETE is not asked: `query` only reads"),
        ("explain analyze delete from raw.aws_cur", "DELETE is not asked: `query` only reads"),
        ("create table marts.mine as select 1 as a", "CREATE is not asked: `query` only reads"),
        ("select 1 as a; select 2 as b", "The query holds 2 statements"),
    ],
    ids=["delete", "explain", "create", "two"],
)
def test_trino_is_not_asked_what_is_not_one_reading_statement(both: Both, sql: str, says: str) -> None:
    refused = command("query", sql, "--config", both.trino)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert says in refused.stderr


def test_what_trino_has_beyond_sql_is_shown(both: Both) -> None:
    shown = command("query", "show tables from raw", "--format", "csv", "--config", both.trino)
    bills = ["aws_cur", "focus", "lakehouse_costs", "oci_cost", "oci_usage"]
    others = ["aws_accounts", "closings", "control_totals", "files", "invoices", "late_corrections", "pushes", "receipts"]
    assert shown.stdout.split() == ["Table", *sorted([*bills, *others])]


def test_a_trino_that_is_gone_is_told(both: Both, tmp_path: Path) -> None:
    text = Path(both.trino).read_text()
    port = next(row.split(":")[1].strip() for row in text.splitlines() if row.strip().startswith("port:"))
    config = tmp_path / "lakehouse.yaml"
    config.write_text(
        text.replace(f"port: {port}", "port: 1").replace("http_scheme: http", "http_scheme: http\n    max_attempts: 1")
    )
    failed = command("query", "select 1", "--config", str(config))
    assert failed.exit_code == 1
    assert "Trino at http://127.0.0.1:1 cannot be reached: Connection refused" in failed.stderr


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT 1", True),
        ("  -- first\n /* then */ (with a as (select 1) select * from a)", True),
        ("explain (type logical) select 1", True),
        ("EXPLAIN ANALYZE VERBOSE values 1", True),
        ("table raw.aws_cur", True),
        ("describe raw.aws_cur", True),
        ("explain explain analyze drop table raw.aws_cur", False),
        ("/* select */ drop table raw.aws_cur", False),
        ("explain (type io) insert into raw.aws_cur select 1", False),
        ("call lake.system.rollback_to_snapshot('raw', 'aws_cur', 1)", False),
        ("selection", False),
        ("", False),
    ],
)
def test_what_a_statement_begins_with_says_whether_it_reads(sql: str, reads: bool) -> None:
    assert reads_only(sql) is reads
