"""What DuckDB sees of the lake's tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from cost_lakehouse.lake.duckdb_views import connect, select_statement
from cost_lakehouse.lake.slices import Slice
from tests.builders import Workshop, line


def test_a_column_that_no_file_has_yet_is_null_and_slices_can_be_chosen(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.write([line(UnblendedCost="3")])
    workshop.load()
    table = workshop.lake.table("raw.aws_cur")
    workshop.lake.add_columns("raw.aws_cur", pa.schema([pa.field("new_column", pa.string())]))
    with connect(workshop.lake, ["raw.aws_cur"]) as connection:
        found = connection.execute("select line_item_unblended_cost, new_column from raw.aws_cur").fetchall()
        assert found == [(Decimal(3), None)]
        for slices, rows in (([Slice("acme", date(2026, 10, 1))], 1), ([Slice("acme", date(2026, 9, 1))], 0), ([], 0)):
            assert len(connection.execute(select_statement(table, slices)).fetchall()) == rows
