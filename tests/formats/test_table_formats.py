"""What holds of every raw table, and of bills as the samples write them."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from cost_lakehouse.formats.header import letters
from cost_lakehouse.formats.table_format import AWS_CUR, FOCUS, FORMATS, OCI_COST, OCI_USAGE, TableFormat
from sample_bills.oci_bills import OciBill, OciReport
from sample_bills.oci_writing import write_oci
from tests.builders import csv_bytes, line
from tests.formats.loading import load

ALL = pytest.mark.parametrize("table", FORMATS.values(), ids=FORMATS)


@ALL
def test_a_table_has_each_column_once_and_those_it_names(table: TableFormat) -> None:
    names = table.schema.names
    assert len(set(names)) == len(names)
    named = {table.cost, table.service, table.correction, *table.groups, *table.period, *sum(table.required, ())}
    assert named - {None, ""} <= set(table.columns)
    assert set(table.columns) == set(names) - {"source", "billing_period", "delivery_id", "file_name", "row_number"}


@ALL
def test_no_two_columns_of_a_table_share_a_spelling(table: TableFormat) -> None:
    spellings = [letters(name) for column in table.known for name in column.delivered or (column.name,)]
    assert len(set(spellings)) == len(spellings)


@pytest.mark.parametrize("flag", ["true", "TRUE", "false", "", "yes", None])
@ALL
def test_groups_are_the_same_before_and_after_storing(table: TableFormat, flag: str | None) -> None:
    texts = {name: pa.array(["x", None]) for name in table.columns}
    if table.correction is not None:
        texts[table.correction] = pa.array([flag, flag], pa.string())
    keys = [["" if row is None else row for row in key.to_pylist()] for key in table.group_keys(texts, 2)]

    with duckdb.connect() as connection:
        connection.register("stored", pa.table(texts))
        assert connection.execute(f"select {', '.join(table.group_sql)} from stored").fetchall() == list(
            zip(*keys, strict=True)
        )


def test_an_aws_bill_may_have_tags_in_some_of_its_rows_only(tmp_path: Path) -> None:
    plain, tagged = csv_bytes([line()]), csv_bytes([line(**{"resourceTags/user:team": "red"})])
    loaded = load(tmp_path, AWS_CUR, plain, tagged, plain, suffix=".csv", month=date(2026, 10, 1))
    assert loaded.rows("resource_tags") == [(None,), ({"user:team": "red"},), (None,)]


def test_a_month_without_rows_is_there_where_the_delivery_says_it(tmp_path: Path) -> None:
    loaded = load(tmp_path, AWS_CUR, csv_bytes([], list(line())), suffix=".csv", month=date(2026, 10, 1))
    assert loaded.months == [date(2026, 10, 1)]


def test_sample_reports_add_up_to_what_their_writer_says(tmp_path: Path) -> None:
    """Two months in many files, corrections, late rows, both spellings of moments; cost and FOCUS tell the same cost."""
    bill = OciBill(months=(date(2026, 9, 1), date(2026, 10, 1)), files_a_day=1, rows=15)
    written = write_oci(tmp_path, bill)
    expected = {key: cost for key, cost in written.expected.by("billing_period", "currency", "is_correction").items() if cost}

    costs: dict[tuple[date, str, bool], Decimal] = defaultdict(Decimal)
    cost = load(tmp_path / "cost", OCI_COST, *(item.path.read_bytes() for item in written.of(OciReport.COST)))
    for (month, (_, currency, kind, _)), amount in cost.sums("cost_my_cost").items():
        costs[(month, currency, kind == "Correction")] += amount
    focus = load(tmp_path / "focus", FOCUS, *(item.path.read_bytes() for item in written.of(OciReport.FOCUS)))
    billed = {month: sum(part.totals.by_currency("billed_cost").values()) for month, part in focus.files.slices.items()}
    usage = load(tmp_path / "usage", OCI_USAGE, *(item.path.read_bytes() for item in written.of(OciReport.USAGE)))

    assert {key: amount for key, amount in costs.items() if amount} == expected
    assert billed == {month: sum(written.expected.total(month).values()) for month in written.expected.months}
    assert sum(cost.files.records.values()) == written.expected.rows
    assert usage.months == cost.months == [date(2026, 9, 1), date(2026, 10, 1)]
    assert cost.files.rejected == focus.files.rejected == usage.files.rejected == []
