"""The data dictionary: nothing is without a meaning, and what it says formats call a column is what the lake reads there."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from cost_lakehouse.formats.header import OTHER
from cost_lakehouse.formats.table_format import AWS_CUR, FOCUS, FORMATS, OCI_COST, TableFormat
from cost_lakehouse.lake.tables import raw_tables
from sample_bills.columns import INDEX
from sample_bills.cur2_columns import COLUMNS, SPLIT_COLUMNS
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "data-dictionary.md"
SCRIPT = ROOT / "docs" / "make_data_dictionary.py"
COMMAND = "uv run python docs/make_data_dictionary.py"
# What says only which type of value a column takes, or nothing at all.
NO_MEANING = re.compile(
    r"(text|string|number|moment|date|timestamp|boolean|amount|json( text)?|map|value|id|name)?\W*(\(utc\))?\W*$", re.I
)


@pytest.fixture(scope="module")
def script() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPT.parent))
        yield runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def sections() -> dict[str, list[dict[str, str]]]:
    """The page as people read it: by table, each row by its headings."""
    found: dict[str, list[dict[str, str]]] = {}
    for section in re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        lines = [line for line in section.splitlines() if line.startswith("|")]
        headings, _, *rows = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
        found[section.splitlines()[0].strip("`")] = [dict(zip(headings, row, strict=True)) for row in rows]
    return found


def delivered_names(cell: str) -> list[str]:
    """The names in a cell, with something in the place of what stands for many."""
    return [re.sub(r"<.*>", "Team", name) for name in re.findall(r"`([^`]+)`", cell)]


def test_the_page_is_what_the_schemas_and_models_say(script: dict[str, Any]) -> None:
    assert PAGE.read_text(encoding="utf-8") == script["page"](), f"docs/data-dictionary.md is not up to date: run `{COMMAND}`"


def test_every_raw_table_is_there_with_every_column_in_its_order(sections: dict[str, list[dict[str, str]]]) -> None:
    for table, schema in raw_tables().items():
        assert [row["column"].strip("`") for row in sections[table]] == schema.names, table


def test_every_column_says_what_it_holds_not_only_its_type(sections: dict[str, list[dict[str, str]]]) -> None:
    bare = [f"{table}.{row['column']}" for table, rows in sections.items() for row in rows if NO_MEANING.match(row["meaning"])]
    assert bare == []


def test_a_column_without_a_meaning_is_refused_with_the_place_to_write_it(script: dict[str, Any]) -> None:
    with pytest.raises(LookupError, match=r"raw.focus.colour: say what it holds in formats/focus_columns.csv"):
        script["raw_rows"]("raw.focus", pa.schema([pa.field("colour", pa.string())]), {"columns": {}, "columns_of": {}})
    with pytest.raises(LookupError, match=r"marts.daily_costs.colour: say what it holds in dbt_project/models/marts"):
        script["mart_rows"]("marts.daily_costs", {"name": "daily_costs", "columns": [{"name": "colour"}]}, {})


@pytest.mark.parametrize("each", FORMATS.values(), ids=lambda one: one.table)
def test_every_name_of_a_format_is_read_into_its_column(each: TableFormat, sections: dict[str, list[dict[str, str]]]) -> None:
    for row in sections[each.table]:
        column = row["column"].strip("`")
        for heading, cell in row.items():
            if heading in ("column", "type", "meaning"):
                continue
            for name in delivered_names(cell):
                target, _ = each.place(name)
                assert target.column == column, f"{heading} {name}"
                assert (target.key is None) == ("Team" not in name), f"{heading} {name}"


def test_no_format_delivers_a_column_that_the_lakehouse_adds(sections: dict[str, list[dict[str, str]]]) -> None:
    for table in FORMATS:
        for row in sections[table][:5]:  # source, billing_period, delivery_id, file_name, row_number
            assert {cell for heading, cell in row.items() if heading not in ("column", "type", "meaning")} == {"—"}, table


def test_the_columns_of_cur_2_are_all_there_and_a_legacy_report_lacks_these(sections: dict[str, list[dict[str, str]]]) -> None:
    rows = [row for row in sections["raw.aws_cur"] if row["CUR 2.0"].startswith("`")]
    # AWS's list of 114, 11 of split cost allocation, 5 that an export has when asked for
    assert len(rows) == 130
    assert {row["column"].strip("`") for row in rows} >= {*COLUMNS, *SPLIT_COLUMNS}
    assert [row["column"].strip("`") for row in rows if row["legacy CSV"] == row["legacy Parquet"] == "—"] == [
        "bill_payer_account_name",
        "capacity_reservation_capacity_reservation_arn",
        "capacity_reservation_capacity_reservation_status",
        "line_item_iam_principal",
        "line_item_usage_account_name",
        "line_item_user_identifier",
        "tags",
    ]


def test_legacy_names_are_those_of_aws(script: dict[str, Any], sections: dict[str, list[dict[str, str]]]) -> None:
    names = {row["column"].strip("`"): (row["legacy CSV"], row["legacy Parquet"]) for row in sections["raw.aws_cur"]}
    assert names["line_item_usage_amount"] == ("`lineItem/UsageAmount`", "`line_item_usage_amount`")
    assert names["pricing_public_on_demand_cost"] == ("`pricing/publicOnDemandCost`", "`pricing_public_on_demand_cost`")
    assert names["savings_plan_savings_plan_a_r_n"] == ("`savingsPlan/SavingsPlanARN`", "`savings_plan_savings_plan_a_r_n`")
    written = {
        delivered for name in INDEX for delivered in [f"`{name}`"] if script["legacy_parquet"]({"legacy": name}) in names
    }
    assert written <= {csv for csv, _ in names.values()}  # spelled as in the bills that the demo writes
    assert len(written) > 70
    assert names["product"] == ("`product/<attribute>`", "`product_<attribute>`")
    assert names["resource_tags"] == ("`resourceTags/<key>`", "`resource_tags_<key>`")


# FOCUS's own counts of the columns of its Cost and Usage data; Oracle's reports have the 39 of 1.0-preview and 10 of their own.
@pytest.mark.parametrize(("version", "count"), [("1.0", 43), ("1.1", 50), ("1.2", 57), ("1.3", 65), ("1.4", 65)])
def test_a_version_of_focus_has_as_many_columns_as_the_standard(
    version: str, count: int, sections: dict[str, list[dict[str, str]]]
) -> None:
    spans = [re.fullmatch(r"([\d.]+) (?:on|to ([\d.]+))", row["versions"]) for row in sections["raw.focus"]]
    there = [span for span in spans if span and span[1] <= version <= (span[2] or version)]
    assert len(there) - 1 == count  # x_columns is no column of the standard


def test_oracles_preview_has_its_columns_under_their_old_names(sections: dict[str, list[dict[str, str]]]) -> None:
    preview = {row["column"].strip("`"): row["Oracle's 1.0-preview"].strip("`") for row in sections["raw.focus"]}
    assert len([name for name in preview.values() if name not in ("—", "any other", "oci_<name>")]) == 39
    renamed = {column: preview[column] for column in ("provider_name", "region_id", "consumed_quantity", "charge_subcategory")}
    assert list(renamed.values()) == ["Provider", "Region", "UsageQuantity", "ChargeSubcategory"]
    assert preview["contracted_cost"] == "—"


def test_what_nobody_knows_has_a_place_in_every_format(sections: dict[str, list[dict[str, str]]]) -> None:
    for table in FORMATS:
        (row,) = [section for section in sections[table] if section["column"] == f"`{OTHER}`"]
        assert set(list(row.values())[3:]) == {"any other"}, table


def test_both_spellings_of_a_name_are_said(sections: dict[str, list[dict[str, str]]]) -> None:
    (row,) = [section for section in sections[OCI_COST.table] if section["column"] == "`line_item_backreference_no`"]
    assert row["cost report"] == "`lineItem/backreferenceNo`, `lineItem/backReference`"
    (tags,) = [section for section in sections[FOCUS.table] if section["column"] == "`tags`"]
    assert (tags["FOCUS"], tags["versions"], tags["Oracle's 1.0-preview"]) == ("`Tags`", "1.0 on", "`Tags`")
    assert AWS_CUR.place("savingsPlan/SavingsPlanArn")[0].column == "savings_plan_savings_plan_a_r_n"


def test_a_marts_column_says_the_raw_columns_that_it_comes_from(sections: dict[str, list[dict[str, str]]]) -> None:
    daily = {row["column"].strip("`"): row["from"] for row in sections["marts.daily_costs"]}
    assert daily["billed_cost"].startswith("raw.aws_cur: `line_item_unblended_cost`; ")
    assert "raw.oci_cost: `cost_my_cost`" in daily["billed_cost"]
    assert daily["daily_costs_id"] == daily["line_item_count"] == "—"
    summary = {row["column"].strip("`"): row["from"] for row in sections["marts.aws_daily_summary"]}
    assert summary["product_name"] == "raw.aws_cur: `product`"
    assert summary["unit"] == "raw.aws_cur: `pricing_unit`"
    assert summary["tags"] == "raw.aws_cur: `resource_tags`"
    # What only decides is said where nothing else is: the option is a word of the model.
    assert summary["purchase_option"].startswith("raw.aws_cur: `line_item_line_item_type`, ")


def test_the_raw_columns_of_marts_are_there(sections: dict[str, list[dict[str, str]]]) -> None:
    there = {f"{table}.{name}" for table, schema in raw_tables().items() for name in schema.names}
    for table, rows in sections.items():
        if table.startswith("marts."):
            for row in rows:
                for part in row["from"].split("; "):
                    raw, _, columns = part.partition(": ")
                    assert {f"{raw}.{name}" for name in delivered_names(columns)} <= there, (table, row["column"])
