"""Deliveries lie and look as AWS writes them, and the same arguments give the same bytes."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sample_bills import (
    Bill,
    BillDelivery,
    FileFormat,
    Headers,
    Versioning,
    Written,
    months_from,
    write_bill,
    write_delivery,
)
from sample_bills.columns import merged_by_snake_case, snake_case

from .reading import csv_rows, parquet_rows

OCTOBER = date(2026, 10, 1)
DELIVERED = datetime(2026, 11, 6, 5, 36, 21, tzinfo=UTC)


def files_below(root: Path) -> dict[str, tuple[bytes, float]]:
    """Relative path -> content and modification time."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime) for path in found}


@pytest.mark.parametrize("file_format", list(FileFormat))
def test_the_same_arguments_give_the_same_bytes_and_times(file_format: FileFormat, tmp_path: Path) -> None:
    versioning = Versioning.OVERWRITE if file_format is FileFormat.PARQUET else Versioning.CREATE_NEW
    bill = Bill(months=(OCTOBER,), rows=300, file_format=file_format, versioning=versioning)
    for name in ("one", "two"):
        write_bill(tmp_path / name, bill, files=2)
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two")


def test_another_seed_gives_other_rows(small_bill: Bill, tmp_path: Path) -> None:
    (one,) = write_bill(tmp_path / "one", small_bill)
    (two,) = write_bill(tmp_path / "two", Bill(months=small_bill.months, rows=150, seed=8))
    assert one.expected.total() != two.expected.total()


def test_a_delivery_of_its_own_has_an_assembly_folder_and_two_manifests(small_bill: Bill, tmp_path: Path) -> None:
    delivery = BillDelivery(month=OCTOBER, delivered_at=DELIVERED, files=2)
    written = write_delivery(tmp_path, small_bill, delivery)
    period = "acme-billing/cur/hourly-cur/20261001-20261101"
    assert set(files_below(tmp_path)) == {
        "acme-billing/aws-programmatic-access-test-object",
        f"{period}/hourly-cur-Manifest.json",
        f"{period}/20261106T053621Z/hourly-cur-Manifest.json",
        f"{period}/20261106T053621Z/hourly-cur-00001.csv.gz",
        f"{period}/20261106T053621Z/hourly-cur-00002.csv.gz",
    }
    assert written.manifest.read_bytes() == (tmp_path / period / "20261106T053621Z" / "hourly-cur-Manifest.json").read_bytes()
    assert written.manifest.stat().st_mtime == DELIVERED.timestamp()
    assert all(path.stat().st_mtime < DELIVERED.timestamp() for path in written.files)


def test_the_manifest_says_what_aws_says(small_bill: Bill, tmp_path: Path) -> None:
    written = write_delivery(tmp_path, small_bill, BillDelivery(month=OCTOBER, delivered_at=DELIVERED))
    manifest = json.loads(written.manifest.read_text())
    columns = [f"{column['category']}/{column['name']}" for column in manifest.pop("columns")]
    assert columns == list(csv_rows(written)[0])
    assert len(manifest.pop("reportId")) == 64
    assert manifest == {
        "assemblyId": "20261106T053621Z",
        "account": "001234567890",
        "charset": "UTF-8",
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportName": "hourly-cur",
        "billingPeriod": {"start": "20261001T000000.000Z", "end": "20261101T000000.000Z"},
        "bucket": "acme-billing",
        "reportKeys": ["cur/hourly-cur/20261001-20261101/20261106T053621Z/hourly-cur-00001.csv.gz"],
        "additionalArtifactKeys": [],
    }


def test_an_overwritten_delivery_replaces_all_parts_of_the_one_before(tmp_path: Path) -> None:
    bill = Bill(months=(OCTOBER,), rows=150, versioning=Versioning.OVERWRITE, prefix="", file_format=FileFormat.CSV_ZIP)
    write_delivery(tmp_path, bill, BillDelivery(month=OCTOBER, delivered_at=DELIVERED, files=3))
    write_delivery(tmp_path, bill, BillDelivery(month=OCTOBER, delivered_at=DELIVERED.replace(day=7), files=1))
    period = "acme-billing/hourly-cur/20261001-20261101"
    assert set(files_below(tmp_path)) == {
        "acme-billing/aws-programmatic-access-test-object",
        f"{period}/hourly-cur-Manifest.json",
        f"{period}/hourly-cur-00001.csv.zip",
    }


def test_parquet_lies_in_athena_s_layout_with_status_and_doubles(parquet_bill: list[Written]) -> None:
    written = parquet_bill[0]
    report = "cur/hourly-cur"
    assert written.keys == (f"{report}/hourly-cur/year=2026/month=9/hourly-cur-00001.snappy.parquet",)
    assert written.manifest_keys[0] == f"{report}/20260901-20261001/hourly-cur-Manifest.json"
    status = written.bucket_root / report / "hourly-cur/cost_and_usage_data_status/cost_and_usage_data_status.parquet"
    assert pq.read_table(status).to_pylist() == [{"status": "READY"}]
    types = {field.name: str(field.type) for field in pq.read_schema(written.files[0])}
    assert types["line_item_unblended_cost"] == "double"
    assert types["line_item_unblended_rate"] == types["bill_payer_account_id"] == "string"
    assert types["line_item_usage_start_date"] == "timestamp[ms]"
    assert "reservation_reservation_a_r_n" in types


def test_tag_keys_that_differ_by_case_are_two_csv_columns_and_one_in_snake_case() -> None:
    merged = merged_by_snake_case(["resourceTags/user:Env", "resourceTags/user:env", "costCategory/Business Unit"])
    assert merged == {
        "resource_tags_user_env": ["resourceTags/user:Env", "resourceTags/user:env"],
        "cost_category_business_unit": ["costCategory/Business Unit"],
    }
    assert snake_case("savingsPlan/SavingsPlanARN") == "savings_plan_savings_plan_a_r_n"


def test_texts_have_all_that_csv_readers_stumble_over(csv_bill: list[Written]) -> None:
    rows = csv_rows(csv_bill[0])
    texts = "|".join(row["resourceTags/user:Name"] + row["lineItem/LineItemDescription"] for row in rows)
    assert all(piece in texts for piece in ("\n", '"', ",", "世界 🌍", "übergröße"))
    assert any(row["lineItem/UsageAccountId"].startswith("0") for row in rows)
    assert any("E-" in row["lineItem/UsageAmount"] for row in rows)
    assert max(len(row["lineItem/UnblendedCost"].partition(".")[2]) for row in rows) == 20
    assert any(row["lineItem/UsageStartDate"] > row["bill/BillingPeriodEndDate"] for row in rows)
    assert len({row["identity/LineItemId"] for row in rows}) == len(rows)


def test_only_purchases_have_an_invoice_while_the_month_is_open(
    csv_bill: list[Written], small_bill: Bill, tmp_path: Path
) -> None:
    closed = csv_rows(csv_bill[0])
    (only,) = write_bill(tmp_path, small_bill)
    opened = csv_rows(only)
    assert all(row["bill/InvoiceId"] for row in closed)
    with_invoice = {row["bill/BillType"] for row in opened if row["bill/InvoiceId"]}
    assert with_invoice == {"Purchase"}
    usage = [row for row in opened if row["lineItem/LineItemType"] == "Usage"]
    assert usage
    assert not any(row["bill/InvoiceId"] for row in usage)


def test_csv_snake_case_headers_are_those_of_parquet(tmp_path: Path, parquet_bill: list[Written]) -> None:
    bill = Bill(months=(OCTOBER,), rows=150, headers=Headers.SNAKE)
    (written,) = write_bill(tmp_path, bill)
    header = gzip.decompress(written.files[0].read_bytes()).decode().split("\n", 1)[0]
    assert header.split(",") == list(parquet_rows(parquet_bill[0])[0])


def test_wrong_bills_and_deliveries_are_told_before_anything_is_written(small_bill: Bill, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows must be at least 150"):
        Bill(months=(OCTOBER,), rows=10)
    with pytest.raises(ValueError, match="consecutive"):
        Bill(months=(OCTOBER, date(2026, 12, 1)))
    with pytest.raises(ValueError, match="OVERWRITE"):
        Bill(months=(OCTOBER,), file_format=FileFormat.PARQUET)
    with pytest.raises(ValueError, match="not a month of the bill"):
        write_delivery(tmp_path, small_bill, BillDelivery(month=date(2026, 9, 1), delivered_at=DELIVERED))
    with pytest.raises(ValueError, match="time zone"):
        BillDelivery(month=OCTOBER, delivered_at=DELIVERED.replace(tzinfo=None))
    assert list(tmp_path.iterdir()) == []


def test_months_run_over_the_end_of_a_year() -> None:
    assert months_from(date(2026, 11, 15), date(2027, 1, 1)) == (date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1))
