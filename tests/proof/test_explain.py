"""A number of a mart is followed to its lines: they are those of the bill, and add up to it to the last digit."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof import explain as explain_module
from cost_lakehouse.proof.candidates import candidate_columns, conditions
from cost_lakehouse.proof.cost_rules import cost_rules
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.proof.explain import Cell, explain
from cost_lakehouse.proof.mart_lines import CompiledModel, assembled, explained_marts, narrowed
from cost_lakehouse.summaries.dbt_project import parse_if_stale, project_folder
from tests.demo import Told, command

# Not of lines, or counted in another way than by adding: they say it once a row.
NOT_ADDED = {
    "aws_daily_summary": {"resource_count"},
    "bill_findings": {"example_row_number"},
    "bill_status": {"pending_billed_cost", "pending_change"},
    "invoices": {"allowance", "charge_count"},
    "tag_history": {"day_count"},
}
# The demo's FOCUS reports stand beside cost reports: no mart has their lines. FOCUS rows are not published as a table there,
# and are followed to their lines in tests/dbt/test_focus_rows.py. Nobody pushes bills to it.
NOT_IN_THE_DEMO = {"focus_daily_summary", "focus_cost_and_usage", "lakehouse_daily_summary"}


@pytest.fixture(scope="module")
def lake(demo: Told) -> Lake:
    return Lake(load_settings(Path(demo.config)))


def amounts_of(lake: Lake, mart: str) -> list[str]:
    fields = lake.current(f"marts.{mart}").schema().fields
    return [field.name for field in fields if str(field.field_type).startswith(("decimal", "long", "int"))]


def test_the_lines_of_every_mart_add_up_to_every_amount_of_every_row(lake: Lake) -> None:
    """Each row by itself: the lines of its key, added up by another query than the mart's own."""
    project = parse_if_stale(lake.settings)
    known = explained_marts(project)
    assert set(known) == {
        "aws_daily_summary", "bill_findings", "bill_status", "commitment_costs", "cost_changes", "daily_costs",
        "focus_cost_and_usage", "focus_daily_summary", "invoices", "lakehouse_daily_summary", "oci_daily_summary",
        "pipeline_costs", "tag_history",
    }  # fmt: skip
    for mart in known:
        if mart in NOT_IN_THE_DEMO:
            continue
        with engine_of(lake, mart) as engine:
            slices = [Slice(*row) for row in engine.rows(f"select distinct source, billing_period from marts.{mart}")]
            lines = engine.lines(lake, project, mart, slices)
            there = engine.columns(lines)
            numbers = amounts_of(lake, mart)
            added = [name for name in numbers if name not in NOT_ADDED.get(mart, ())]
            assert [name for name in added if name not in there] == []
            fields = [field.name for field in lake.current(f"marts.{mart}").schema().fields if field.name not in numbers]
            key = {name: f"mart_{name}" if f"mart_{name}" in there else name for name in fields}
            key = {name: called for name, called in key.items() if called in there}
            on = " and ".join(f"mart.{name} is not distinct from lines.{called}" for name, called in key.items())
            sums = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in added)
            different = " or ".join(f"mart.{name} is distinct from coalesce(lines.{name}, 0)" for name in added)
            wrong = engine.rows(
                f"with lines as (select {', '.join(key.values())}, {sums} from {lines} group by all), "
                # A ledger has a row for each change of the same lines; a finding about no line counts none.
                f"mart as (select {', '.join(key)}, {sums} from marts.{mart} group by all) "
                f"select mart.* from mart left join lines on {on} where {different}"
            )
            assert wrong == [], mart
            assert engine.rows(f"select count(*) from marts.{mart}") != [(0,)]


def test_a_cell_is_followed_to_its_file_row_and_rule(lake: Lake) -> None:
    """The generator gives each payer a Dedicated Host's fee of 1314, which AWS does not spread: record 5 of the first file."""
    condition = "source = 'acme-payer' and billing_period = date '2026-09-01' and net_amortized_cost = 1314"
    with engine_of(lake, "aws_daily_summary") as engine:
        found = explain(lake, Cell("aws_daily_summary", condition, "net_amortized_cost"), engine, 5)
    assert found.adds_up
    assert found.amounts == {"USD": Decimal(1314)}
    (line,) = found.lines
    assert (line.row_number, line.type, line.rule, line.amount) == (5, "Fee", "fee_without_amortisation", Decimal(1314))
    (part,) = found.files
    assert part.file_name.endswith("hourly-cur-00001.csv.gz")
    assert {receipt.delivery_id for receipt in found.deliveries} >= {str(line.file_name).split("/")[-2]}


def test_rules_have_words_for_every_name_that_the_models_give() -> None:
    models = project_folder() / "models" / "intermediate"
    named = [*models.rglob("int_*__costs.sql"), *(project_folder() / "analyses").glob("*.sql"), Path(explain_module.__file__)]
    text = "".join(path.read_text(encoding="utf-8") for path in named)
    rules = cost_rules()
    assert [name for name in rules.rules if f"'{name}'" not in text] == []
    document = yaml.safe_load((project_folder() / "models/intermediate/_common_row__models.yml").read_text(encoding="utf-8"))
    assert document["models"][0]["name"] == "int_costs__lines"
    assert rules.says("savings_plan_covered_usage", "net_amortized_cost").endswith("the Savings Plan's net effective cost.")
    assert rules.says("savings_plan_covered_usage", "unblended_cost").endswith("what AWS bills, the line's unblended cost.")


def test_a_statement_is_put_together_from_what_it_reads_in_order() -> None:
    models = [
        CompiledModel("top", None, "select * from db.b", ("b",)),
        CompiledModel("b", "db.b", "select * from db.a", ("a",)),
        CompiledModel("a", "db.a", "select 1 as x", ()),
        CompiledModel("other", "db.other", "select 2", ()),
    ]
    said = " ".join(assembled(models, "top").split())
    assert said == (
        "with built__a as ( select 1 as x ), built__b as ( select * from built__a ) "
        "select * from ( select * from built__b ) as lines"
    )


def test_what_is_kept_is_made_once_and_read_by_its_name() -> None:
    models = [
        CompiledModel("a", "db.a", "select 1 as x", ()),
        CompiledModel("b", "db.b", "select * from db.a", ("a",), is_table=True),
        CompiledModel("top", None, "select * from db.b, db.a", ("b", "a")),
    ]
    made: dict[str, str] = {}

    def keep(name: str, sql: str) -> str:
        made[name] = " ".join(sql.split())
        return f"kept.{name}"

    said = " ".join(assembled(models, "top", keep).split())
    assert made == {"b": "with built__a as ( select 1 as x ) select * from ( select * from built__a ) as lines"}
    assert said == "with built__a as ( select 1 as x ) select * from ( select * from kept.b, built__a ) as lines"


def test_some_lines_are_asked_alone_of_models_that_say_something_of_each() -> None:
    """What is said of a month as a whole is said of all its lines."""
    models = [
        CompiledModel("lines_of_x", None, "select * from db.costs", ("costs",), by_line=True),
        CompiledModel("costs", "db.costs", "select * from db.stg, db.month", ("stg", "month"), by_line=True),
        CompiledModel("month", "db.month", "select max(x) from db.stg", ("stg",), is_table=True),
        CompiledModel("stg", "db.stg", "select 1 as x", (), by_line=True),
    ]
    said = " ".join(assembled(narrowed(models, {"stg": "x in (1)", "none": "y = 2"}), "lines_of_x").split())
    assert said == (
        "with built__stg as ( select 1 as x ), built__asked_stg as ( select * from built__stg where x in (1) ), "
        "built__month as ( select max(x) from built__stg ), "
        "built__costs as ( select * from built__asked_stg, built__month ) select * from ( select * from built__costs ) as lines"
    )


def test_asked_lines_that_two_models_read_are_a_view_where_the_engine_has_views_else_a_table() -> None:
    models = [
        CompiledModel("lines_of_x", None, "select * from db.costs, db.sets", ("costs", "sets"), by_line=True),
        CompiledModel("costs", "db.costs", "select * from db.stg", ("stg",), by_line=True),
        CompiledModel("sets", "db.sets", "select * from db.stg", ("stg",), is_table=True, by_line=True),
        CompiledModel("stg", "db.stg", "select 1 as x", (), by_line=True),
    ]
    asked, made = narrowed(models, {"stg": "x in (1)"}), {"table": list[str](), "view": list[str]()}

    def keep(name: str, _: str) -> str:
        made["table"].append(name)
        return name

    def show(name: str, _: str) -> str:
        made["view"].append(name)
        return name

    assembled(asked, "lines_of_x", keep, show)
    assert made == {"table": ["sets"], "view": ["stg", "asked_stg", "costs"]}
    made["table"].clear()
    assembled(asked, "lines_of_x", keep)
    assert made["table"] == ["asked_stg", "sets"]


def test_lines_are_picked_by_what_the_rows_have_in_common_and_nulls_pick_none() -> None:
    picked = conditions({"usage_date": [date(2026, 10, 5)], "service": ["Amazon'EC2", "S3"], "invoice_id": ["i", None]})
    assert picked["stg_aws__line_items"] == (
        "coalesce(cast(usage_start as date), billing_period) in (date '2026-10-05') and product_code in ('Amazon''EC2', 'S3')"
    )
    assert picked["stg_oci__line_items"].startswith("cast(usage_start as date) in (")
    assert conditions({"service": [str(number) for number in range(101)], "region": []}) == {}


@pytest.mark.parametrize("table", ["aws_cur", "oci_cost", "focus"])
def test_what_lines_are_picked_by_are_columns_of_the_staging_models(table: str) -> None:
    kind = table.split("_")[0]
    sql = (project_folder() / f"models/staging/{kind}/stg_{kind}__line_items.sql").read_text(encoding="utf-8")
    words = {
        word
        for expression in candidate_columns()[f"stg_{kind}__line_items"].values()
        for word in re.findall(r"\b[a-z]\w+_\w+\b|\bservice\b|\bregion\b|\bunit\b", expression)
    }
    assert [word for word in words if not re.search(rf"\b{word}\b", sql)] == []


def asked(demo: Told, cell: str, *options: str) -> Any:
    return command("explain", cell, *options, "--config", demo.config)


def test_the_command_prints_what_adds_up_and_json_for_programs(demo: Told) -> None:
    cell = "marts.daily_costs where source = 'acme-payer' and billing_period = date '2026-09-01'"
    shown = asked(demo, cell, "--lines", "3")
    assert shown.exit_code == 0, shown.stderr
    assert "exactly what the mart says" in shown.stdout
    assert "savings_plan_covered_usage: Usage that a Savings Plan covers." in shown.stdout
    (document,) = json.loads(asked(demo, cell, "--json").stdout)
    (total,) = demo.query(
        "select sum(billed_cost) as cost, sum(line_item_count) as lines from marts.daily_costs where source = 'acme-payer' "
        "and billing_period = date '2026-09-01'"
    )
    assert document["amounts"] == {"USD": total["cost"]}
    assert document["line_count"] == int(total["lines"]) == 2001
    assert sum(Decimal(part["amount"]) for part in document["files"]) == Decimal(total["cost"])
    assert sum(Decimal(part["amount"]) for part in document["rules"]) == Decimal(total["cost"])
    assert all(Path(part["link"]).is_file() for part in document["files"])
    assert len(document["lines"]) == 20


@pytest.mark.parametrize(
    ("cell", "column", "says"),
    [
        ("marts.daily_costs", "cost", "marts.daily_costs has no column 'cost'."),
        ("marts.nothing", "cost", "There is no marts.nothing."),
        ("marts.daily_costs where service = 'none'", "billed_cost", "No row of marts.daily_costs meets the condition"),
        ("marts.daily_costs where colour = 1", "billed_cost", "DuckDB does not take the condition: "),
        ("marts.daily_costs; drop table x", "billed_cost", "names no cell of a mart."),
        ("marts.daily_costs where 1 = 1; select 2", "billed_cost", "is not a condition alone."),
        ("marts.bill_status", "state", "marts.bill_status.state is no sum over lines"),
        ("marts.aws_daily_summary", "resource_count", "marts.aws_daily_summary.resource_count is no sum over lines"),
        ("marts.aws_accounts", "account_name", "marts.aws_accounts is not made of lines of bills."),
    ],
    ids=["column", "mart", "rows", "condition", "statement", "two", "text", "count", "dimension"],
)
def test_what_cannot_be_explained_is_said_with_what_can(demo: Told, cell: str, column: str, says: str) -> None:
    answer = asked(demo, cell, "--column", column)
    assert answer.exit_code == 1
    assert says in " ".join(answer.stderr.split())
