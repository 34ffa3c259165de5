"""The production setting: Trino reads what the lake wrote, the lake sees what Trino wrote, and every lake is its own."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.replace import replace_slices
from cost_lakehouse.lake.slices import Slice
from tests.services.production import ProductionStack

OCTOBER, NOVEMBER = Slice("acme", date(2026, 10, 1)), Slice("acme", date(2026, 11, 1))
COLUMNS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("billing_period", pa.date32(), nullable=False),
        pa.field("delivery_id", pa.string(), nullable=False),
        pa.field("cost", pa.decimal128(38, 20)),
        pa.field("tags", pa.map_(pa.string(), pa.string())),
        pa.field("used_at", pa.timestamp("us")),
    ]
)
ROW = {
    "delivery_id": "d1",
    "cost": Decimal("-123456789012345678.12345678901234567890"),
    "tags": [("user:Team", "Größe"), ("empty", None)],
    "used_at": datetime(2026, 10, 31, 23, 59, 59, 999999),
}


def put(lake: Lake, slice_: Slice) -> None:
    folder = lake.data_folder("marts.costs", slice_)
    with lake.warehouse.writing(folder, "load") as local:
        file = local / "part-1.parquet"
        pq.write_table(pa.Table.from_pylist([{**slice_.__dict__, **ROW}], schema=COLUMNS), file)
        locations = lake.warehouse.keep([file], folder)
    replace_slices(lake, "marts.costs", [slice_], locations)


def test_trino_reads_maps_exact_decimals_and_partitions_from_files_without_field_ids(
    production: ProductionStack, production_lake: Path
) -> None:
    lake = Lake(load_settings(production_lake))
    lake.create_table("marts.costs", COLUMNS)
    put(lake, OCTOBER)
    put(lake, NOVEMBER)
    catalog = production.names(production_lake).catalog

    rows = production.trino.query("SELECT * FROM marts.costs WHERE billing_period = DATE '2026-10-01'", catalog)
    (partitions,) = production.trino.query('SELECT count(*) FROM marts."costs$partitions"', catalog)

    assert rows == [["acme", OCTOBER.billing_period, "d1", ROW["cost"], {"user:Team": "Größe", "empty": None}, ROW["used_at"]]]
    assert partitions == [2]


def test_the_lake_sees_what_trino_wrote(production: ProductionStack, production_lake: Path) -> None:
    lake = Lake(load_settings(production_lake))
    catalog = production.names(production_lake).catalog

    production.trino.query(
        "CREATE TABLE marts.by_trino AS SELECT DECIMAL '0.1' cost, MAP(ARRAY['a'], ARRAY['b']) tags", catalog
    )

    (file,) = [task.file.file_path for task in lake.table("marts.by_trino").scan().plan_files()]
    assert file.startswith(production.names(production_lake).warehouse)


def test_lakes_on_one_trino_do_not_see_each_other(production: ProductionStack, production_lake: Path, tmp_path: Path) -> None:
    Lake(load_settings(production_lake))
    other = production.new_lake(tmp_path / "other", first_month="2026-09")
    try:
        mine, others = (production.names(item).catalog for item in (production_lake, other))

        assert ["raw"] in production.trino.query("SHOW SCHEMAS", mine)
        assert ["raw"] not in production.trino.query("SHOW SCHEMAS", others)
    finally:
        production.drop_lake(other)


def test_a_lake_that_was_dropped_leaves_neither_catalog_nor_connection(production: ProductionStack, tmp_path: Path) -> None:
    config = production.new_lake(tmp_path)
    names = production.names(config)
    production.trino.query("SHOW SCHEMAS", names.catalog)

    production.drop_lake(config)

    assert [names.catalog] not in production.trino.query("SHOW CATALOGS", None)
    sql = f"SELECT * FROM pg_stat_activity WHERE datname = '{names.database}'"
    assert production.postgres.query(sql) == []
