"""Data Exports on their way into the raw table: maps, partial columns, and files that change while they are read."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from cost_lakehouse.config.source import DataExportSettings
from cost_lakehouse.errors import DeliveryChanged
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.sources.aws.data_export_source import DataExportSource
from cost_lakehouse.storage.object_store import StoredObject
from sample_bills import Bill, FileFormat, Report, Versioning, write_bill
from tests.builders import Workshop, csv_bytes
from tests.sources.exports import Export
from tests.sources.places import OCTOBER, FolderPlace

MUST = {
    "bill_payer_account_id": pa.array(["012345678901"] * 2),
    "line_item_line_item_type": pa.array(["Usage"] * 2),
    "line_item_usage_start_date": pa.array([datetime(2026, 10, 5, 4, tzinfo=UTC)] * 2, pa.timestamp("ms", "UTC")),
    "line_item_currency_code": pa.array(["USD"] * 2),
    "line_item_unblended_cost": pa.array([0.1, 2.5]),
}
TEXTS = pa.map_(pa.string(), pa.string())


class Exported(Workshop):
    """A workshop whose one source is a Data Export in a folder."""

    def __init__(self, folder: Path) -> None:
        document = {
            "lake": {"first_month": "2026-01"},
            "sources": [{"name": "acme", "kind": "aws_data_export", "location": "bucket/exports/costs"}],
        }
        (folder / "lakehouse.yaml").write_text(yaml.safe_dump(document))
        super().__init__(folder)
        self.export = Export(FolderPlace(self.bucket))

    def deliver(self, content: bytes, execution: str = "E1", suffix: str = ".snappy.parquet") -> str:
        """Overwrite the month with one file; its key."""
        self.export.suffix = suffix
        (key,) = self.export.put_files(self.export.folder("data"), 1, execution)
        self.export.place.put(key, content)
        self.export.place.put(
            self.export.folder("metadata") + self.export.manifest_name,
            self.export.manifest(execution, [self.export.address(key)]),
        )
        return key

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        with connect(self.lake) as connection:
            return connection.execute(f"select {columns} from raw.aws_cur order by row_number").fetchall()


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    return Exported(tmp_path)


def packed(columns: Mapping[str, pa.Array]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), stream)
    return stream.getvalue()


def test_maps_of_parquet_and_json_of_csv_are_the_same_maps(exported: Exported) -> None:
    maps = {
        "resource_tags": pa.array([[("user_cost_center", "42"), ("user_name", 'a "b"')], None], TEXTS),
        "product": pa.array([[("product_name", "Amazon EC2"), ("region", "eu-west-1")], []], TEXTS),
        "discount": pa.array([[("edp_discount", -1.5)], None], pa.map_(pa.string(), pa.float64())),
    }
    exported.deliver(packed({**MUST, **maps}))
    exported.load()
    columns = "resource_tags, product, discount, cost_category, other, line_item_unblended_cost"
    from_parquet = exported.rows(columns)
    assert from_parquet[0][0] == {"user_cost_center": "42", "user_name": 'a "b"'}
    assert from_parquet[0][2] == {"edp_discount": "-1.5"}
    assert from_parquet[1] == (None, None, None, None, None, Decimal("2.5"))

    texts = {
        "bill_payer_account_id": "012345678901",
        "line_item_line_item_type": "Usage",
        "line_item_usage_start_date": "2026-10-05T04:00:00.000Z",
        "line_item_currency_code": "USD",
    }
    lines = [
        {
            **texts,
            "line_item_unblended_cost": "0.1",
            "resource_tags": '{"user_cost_center":"42","user_name":"a \\"b\\""}',
            "product": '{"product_name":"Amazon EC2","region":"eu-west-1"}',
            "discount": '{"edp_discount":-1.5}',
        },
        {**texts, "line_item_unblended_cost": "2.5", "resource_tags": "{}", "product": "", "discount": "{}"},
    ]
    exported.deliver(gzip.compress(csv_bytes(lines), mtime=0), "E2", ".csv.gz")
    assert exported.load().receipt.delivery_id == "E2"
    assert exported.rows(columns) == from_parquet


@pytest.mark.parametrize("spelling", ["a_r_n", "arn"])
def test_both_spellings_of_an_arn_are_one_column(exported: Exported, spelling: str) -> None:
    arns = {
        f"reservation_reservation_{spelling}": pa.array(["arn:r", ""]),
        f"savings_plan_savings_plan_{spelling}": pa.array(["", "arn:s"]),
    }
    exported.deliver(packed({**MUST, **arns}))
    exported.load()
    found = exported.rows("reservation_reservation_a_r_n, savings_plan_savings_plan_a_r_n")
    assert found == [("arn:r", None), (None, "arn:s")]


def test_columns_nobody_knows_are_kept_and_a_map_that_came_whole_takes_in_columns_of_its_own(exported: Exported) -> None:
    new = {
        "product": pa.array([[("region", "eu-west-1")], None], TEXTS),
        "product_colour": pa.array(["blue", ""]),
        "line_item_new_idea": pa.array(["x", "y"]),
        "line_item_iam_principal": pa.array(["arn:p", None]),
    }
    exported.deliver(packed({**MUST, **new}))
    exported.load()
    assert exported.rows("product, other, line_item_iam_principal") == [
        ({"region": "eu-west-1", "colour": "blue"}, {"line_item_new_idea": "x"}, "arn:p"),
        (None, {"line_item_new_idea": "y"}, None),
    ]


@pytest.mark.parametrize("versioning", list(Versioning))
@pytest.mark.parametrize("file_format", [FileFormat.CSV_GZIP, FileFormat.PARQUET])
def test_a_partial_selection_of_columns_loads_to_its_exact_totals(
    tmp_path: Path, file_format: FileFormat, versioning: Versioning
) -> None:
    left_out = ("line_item_resource_id", "product", "cost_category", "discount", "pricing_unit", "identity_time_interval")
    bill = Bill(
        months=(OCTOBER,),
        rows=300,
        bucket="bucket",
        prefix="exports",
        report_name="costs",
        report=Report.CUR_2,
        file_format=file_format,
        versioning=versioning,
        left_out=left_out,
        split_costs=False,
    )
    (written,) = write_bill(tmp_path, bill, files=2)
    exported = Exported(tmp_path)
    result = exported.load()
    assert result.receipt.rows == 300
    assert list(result.totals.values()) == [written.expected.total()]
    assert set(exported.rows("line_item_resource_id, product, pricing_unit")) == {(None, None, None)}


def test_an_execution_that_no_manifest_announces_is_never_read(exported: Exported) -> None:
    key = exported.deliver(packed(MUST))
    beside = exported.export.folder("data") + "costs-00002.snappy.parquet"
    exported.export.place.put(beside, (exported.bucket / key).read_bytes())
    older = exported.export.folder("data", execution="2026-10-01T00:00:00.000Z-E0") + "costs-00001.snappy.parquet"
    exported.export.place.put(older, b"no Parquet at all")
    assert exported.load().receipt.files == 1
    assert len(exported.rows("file_name")) == 2


class Overwriting(DataExportSource):
    """A folder in which AWS writes the next delivery while the last one's file is read."""

    exported: Exported

    def open(self, obj: StoredObject) -> Any:
        content = super().open(obj)
        self.exported.deliver(packed({**MUST, "line_item_unblended_cost": pa.array([7.0, 8.0])}), "E2")
        return content


def load_overwritten(exported: Exported) -> LoadResult:
    source = exported.settings.source("acme")
    assert isinstance(source, DataExportSettings)
    opened = Overwriting.of(exported.settings, source)
    opened.exported = exported
    return load_delivery(exported.lake, opened, exported.delivery())


def test_an_overwritten_delivery_that_changes_while_it_is_read_is_not_committed_and_starts_over(exported: Exported) -> None:
    exported.deliver(packed({**MUST, "line_item_unblended_cost": pa.array([0.5, 0.5])}), "E0")
    exported.load()
    exported.deliver(packed(MUST), "E1")
    with pytest.raises(DeliveryChanged):
        load_overwritten(exported)
    assert exported.rows("line_item_unblended_cost") == [(Decimal("0.5"),), (Decimal("0.5"),)]
    assert exported.load().receipt.delivery_id == "E2"
    assert exported.rows("line_item_unblended_cost, billing_period") == [
        (Decimal(7), date(2026, 10, 1)),
        (Decimal(8), date(2026, 10, 1)),
    ]
