"""Parquet deliveries hold doubles; each is taken as its shortest decimal text, so they give the numbers that CSV gives."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.raw_schema import CODED_MAP, TEXT_MAP
from cost_lakehouse.formats.read_delivery import parquet_pieces
from cost_lakehouse.formats.table_format import AWS_CUR
from cost_lakehouse.formats.typed_rows import Origin
from cost_lakehouse.lake.duckdb_views import connect
from tests.builders import Workshop, line
from tests.formats.loading import load

ORIGIN = Origin("acme", date(2026, 10, 1), "A1", "x.parquet")
MUST = {
    "bill_payer_account_id": pa.array(["012345678901"]),
    "line_item_line_item_type": pa.array(["Usage"]),
    "line_item_usage_start_date": pa.array([datetime(2026, 10, 5, 4, tzinfo=UTC)], pa.timestamp("ms", "UTC")),
    "line_item_currency_code": pa.array(["USD"]).dictionary_encode(),
    "line_item_unblended_cost": pa.array([0.1]),
}


def packed(**columns: pa.Array) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({**MUST, **columns}), stream)
    return stream.getvalue()


def row(**columns: pa.Array) -> dict[str, Any]:
    (piece,) = parquet_pieces(io.BytesIO(packed(**columns)), ORIGIN, AWS_CUR)
    typed = piece.typed()
    assert typed.rejected == []
    (only,) = typed.months[date(2026, 10, 1)].batch.to_pylist()
    return dict(only)


@pytest.mark.parametrize(
    ("double", "stored"),
    [
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (0.1 + 0.2, "0.30000000000000004"),
        (123456789.125, "123456789.125"),
        (-0.0, "0"),
        (5e-324, "0"),
    ],
)
def test_a_double_is_its_shortest_decimal_text(double: float, stored: str) -> None:
    assert row(line_item_unblended_cost=pa.array([double]))["line_item_unblended_cost"] == Decimal(stored)


def test_texts_dates_and_maps_take_their_places() -> None:
    result = row(
        product_product_name=pa.array(["Amazon EC2"]),
        product_region=pa.array([""]),
        resource_tags_user_cost_center=pa.array(["42"]),
        line_item_usage_end_date=pa.array([datetime(2026, 10, 5, 5)], pa.timestamp("ns")),
        reservation_start_time=pa.array([datetime(2026, 1, 1)], pa.timestamp("us")),
        line_item_resource_id=pa.array([""]),
        year=pa.array([2026]),
    )
    assert result["bill_payer_account_id"] == "012345678901"
    assert result["line_item_usage_start_date"] == datetime(2026, 10, 5, 4)
    assert result["line_item_usage_end_date"] == datetime(2026, 10, 5, 5)
    assert result["reservation_start_time"] == "2026-01-01T00:00:00.000000"
    assert result["line_item_resource_id"] is None
    assert result["product"] == [("product_name", "Amazon EC2")]
    assert result["resource_tags"] == [("user_cost_center", "42")]
    assert result["other"] == [("year", "2026")]


def file_of_maps(rows: int, **options: Any) -> tuple[list[Any], bytes]:
    """Maps with another text in every row, null in every third row; and a file of them, written with these options."""
    told = [None if number % 3 == 0 else [("key", f"value {number}"), (f"only {number}", "")] for number in range(rows)]
    table = {name: pa.concat_arrays([column] * rows) for name, column in MUST.items()}
    table["product"] = pa.array(told, TEXT_MAP)
    stream = io.BytesIO()
    pq.write_table(pa.table(table), stream, **options)
    return told, stream.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"row_group_size": 2}, id="each row group has codes of its own"),
        pytest.param({"row_group_size": 500, "dictionary_pagesize_limit": 64, "write_batch_size": 50}, id="codes end midway"),
        pytest.param({"use_dictionary": False}, id="no codes"),
    ],
)
def test_maps_are_the_same_however_a_file_keeps_their_text(tmp_path: Path, options: dict[str, Any]) -> None:
    told, data = file_of_maps(1000, **options)
    loaded = load(tmp_path, AWS_CUR, data, data, suffix=".parquet", month=ORIGIN.billing_period)
    expected = [None if entries is None else dict(entries) for entries in told]
    assert [item for (item,) in loaded.rows("product")] == expected * 2


def test_maps_keep_the_codes_of_their_text_on_the_way() -> None:
    (piece,) = parquet_pieces(io.BytesIO(file_of_maps(6, row_group_size=2)[1]), ORIGIN, AWS_CUR)
    batch = piece.typed().months[date(2026, 10, 1)].batch
    assert {str(batch.schema.field(name).type) for name in AWS_CUR.maps} == {str(CODED_MAP)}


def test_a_double_that_is_no_number_is_rejected() -> None:
    (piece,) = parquet_pieces(io.BytesIO(packed(line_item_unblended_cost=pa.array([float("nan")]))), ORIGIN, AWS_CUR)
    (rejected,) = piece.typed().rejected
    assert (rejected.value, rejected.record, rejected.column) == ("nan", 1, "line_item_unblended_cost")


@pytest.mark.parametrize("cut", [4, 60])
def test_a_truncated_file_fails_with_its_name(cut: int) -> None:
    with pytest.raises(DeliveryFailed, match="x.parquet is truncated or no Parquet file"):
        list(parquet_pieces(io.BytesIO(packed()[:-cut]), ORIGIN, AWS_CUR))


def test_a_csv_and_a_parquet_delivery_of_the_same_bill_give_the_same_numbers(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, {"csv": "bucket/csv/hourly", "parquet": "bucket/parquet/hourly"})
    costs = ["0.1", "1.5E-8", "123.456789012345", "-7"]
    workshop.write([line(UnblendedCost=cost) for cost in costs], report="csv/hourly")
    table = {name: pa.concat_arrays([column.cast(column.type)] * 4) for name, column in MUST.items()}
    table["bill_payer_account_id"] = pa.array(["222222222222"] * 4)
    stream = io.BytesIO()
    pq.write_table(pa.table({**table, "line_item_unblended_cost": pa.array([float(cost) for cost in costs])}), stream)
    workshop.write(stream.getvalue(), report="parquet/hourly", suffix=".snappy.parquet", content_type="Parquet")
    workshop.load("csv")
    workshop.load("parquet")

    with connect(workshop.lake) as connection:
        found = connection.execute(
            "select source, list(line_item_unblended_cost order by row_number) from raw.aws_cur group by 1 order by 1"
        ).fetchall()
    assert found[0][1] == found[1][1] == [Decimal(cost) for cost in costs]
