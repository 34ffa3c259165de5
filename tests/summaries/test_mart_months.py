"""What whole months of the marts hold, read from the lake."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.replace import replace_slices
from cost_lakehouse.lake.slice_writer import SliceWriter, new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.mart_months import SourceTotal, mart_months
from cost_lakehouse.summaries.marts import Mart
from tests.builders import settings_for

MART = "marts.daily_costs"
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
COLUMNS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("billing_period", pa.date32(), nullable=False),
        pa.field("currency_code", pa.string()),
        pa.field("billed_cost", pa.decimal128(38, 20)),
    ]
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(settings_for(tmp_path, {}))
    lake.create_table(MART, COLUMNS)
    return lake


def put(lake: Lake, source: str, month: date, *rows: tuple[str | None, str | None]) -> None:
    slice_, load_id = Slice(source, month), new_load_id()
    folder = lake.data_folder(MART, slice_)
    with lake.warehouse.writing(folder, load_id) as local:
        writer = SliceWriter(local, load_id, [])
        cells = [
            {**slice_.__dict__, "currency_code": currency, "billed_cost": cost and Decimal(cost)} for currency, cost in rows
        ]
        for batch in pa.Table.from_pylist(cells, schema=COLUMNS).to_batches():
            writer.write(batch)
        writer.close()
        files = lake.warehouse.keep(writer.files, folder)
    replace_slices(lake, MART, [slice_], files, {})


def test_a_month_is_the_sum_of_all_its_sources_to_the_last_digit(lake: Lake) -> None:
    put(lake, "acme", OCTOBER, ("USD", "1.00000000000000000001"), ("USD", "2"), ("EUR", "0.5"))
    put(lake, "globex", OCTOBER, (None, None))
    put(lake, "acme", NOVEMBER, ("USD", "9"))
    marts = [Mart("daily_costs", "", MART, "billed_cost"), Mart("never_built", "", "marts.never_built", "cost")]
    assert mart_months(lake, marts, [OCTOBER]) == {
        (MART, OCTOBER): [
            SourceTotal("acme", "EUR", 1, Decimal("0.5")),
            SourceTotal("acme", "USD", 2, Decimal("3.00000000000000000001")),
            SourceTotal("globex", "", 1, Decimal(0)),
        ]
    }
    put(lake, "acme", OCTOBER, ("USD", "4"))  # one source is rebuilt: the month is still both
    assert [total.rows for total in mart_months(lake, marts, [OCTOBER])[MART, OCTOBER]] == [1, 1]
    assert mart_months(lake, marts, []) == {}
    without_total = Mart("daily_costs", "", MART, None)
    assert mart_months(lake, [without_total], [NOVEMBER]) == {(MART, NOVEMBER): [SourceTotal("acme", "", 1, None)]}
