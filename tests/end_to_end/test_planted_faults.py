"""Every fault the sample bills can plant is loaded exactly, waited for, or refused: never loaded wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import DeliveryFailed, DeliveryRefused
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.sources.delivery import Delivery, Finding, Status
from cost_lakehouse.sources.registry import open_source
from sample_bills import Bill, BillDelivery, Fault, FileFormat, Headers, Versioning, Written, write_delivery
from sample_bills.columns import snake_case
from tests.builders import settings_for

MONTH = date(2026, 10, 1)
WAITED_FOR = {Fault.MISSING_FILE, Fault.EMPTY_FILE, Fault.MANIFEST_FIRST}
REFUSED = {Fault.BAD_NUMBER, Fault.NOT_A_NUMBER}
FAILED = {Fault.TORN_FILE, Fault.CORRUPT_FILE}
ONLY_PARQUET = {Fault.REFRESHING}
LOADED = sorted(set(Fault) - WAITED_FOR - REFUSED - FAILED - ONLY_PARQUET)


def deliver(folder: Path, *faults: Fault, **options: object) -> tuple[Written, Settings, Finding]:
    bill = Bill(months=(MONTH,), rows=300, **options)  # type: ignore[arg-type]  # options are a Bill's
    delivery = BillDelivery(month=MONTH, delivered_at=datetime(2026, 11, 3, tzinfo=UTC), files=2, faults=frozenset(faults))
    written = write_delivery(folder, bill, delivery)
    settings = settings_for(folder, {"acme": bill.location})
    (finding,) = open_source(settings, settings.sources[0]).list_deliveries().months
    return written, settings, finding


def load(settings: Settings, finding: Finding) -> Lake:
    lake = Lake(settings)
    assert isinstance(finding.delivery, Delivery), finding.reason
    load_delivery(lake, open_source(settings, settings.sources[0]), finding.delivery)
    return lake


def assert_stored_is_expected(lake: Lake, written: Written) -> None:
    """Every money column of every group, and the row count, are what the generator says it wrote."""
    expected = {
        (*group, snake_case(column)): total
        for group, totals in written.expected.groups.items()
        for column, total in totals.sums.items()
    }
    with connect(lake) as connection:
        rows = connection.execute(
            "select payer_account_id, currency_code, line_item_type, invoice_id, metric, delivered_exact "
            "from raw.control_totals where line_items > 0"
        ).fetchall()
        stored = connection.execute("select count(*), sum(line_item_unblended_cost) from raw.aws_cur").fetchone()
    assert stored is not None
    found = {(payer, currency, kind, invoice, metric): Decimal(total) for payer, currency, kind, invoice, metric, total in rows}
    assert found == {key: total for key, total in expected.items() if key in found or total != 0}
    assert stored[0] == written.expected.rows


@pytest.mark.parametrize("fault", LOADED)
def test_a_bill_with_this_oddity_is_loaded_to_the_last_digit(tmp_path: Path, fault: Fault) -> None:
    written, settings, finding = deliver(tmp_path, fault)
    assert_stored_is_expected(load(settings, finding), written)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"headers": Headers.SNAKE},
        {"file_format": FileFormat.CSV_ZIP},
        {"file_format": FileFormat.PARQUET, "versioning": Versioning.OVERWRITE},
        {"versioning": Versioning.OVERWRITE},
        {"prefix": ""},
        {"currency": "EUR", "discounts": False, "split_costs": False},
    ],
)
def test_a_bill_in_any_of_aws_s_layouts_is_loaded_to_the_last_digit(tmp_path: Path, options: dict[str, object]) -> None:
    written, settings, finding = deliver(tmp_path, **options)
    assert_stored_is_expected(load(settings, finding), written)


@pytest.mark.parametrize("fault", sorted(WAITED_FOR))
def test_a_delivery_that_is_not_complete_is_waited_for(tmp_path: Path, fault: Fault) -> None:
    _, _, finding = deliver(tmp_path, fault)
    assert finding.status is Status.WAITING
    assert "hourly-cur-0000" in finding.reason


def test_a_delivery_that_aws_is_refreshing_is_waited_for(tmp_path: Path) -> None:
    _, _, finding = deliver(tmp_path, Fault.REFRESHING, file_format=FileFormat.PARQUET, versioning=Versioning.OVERWRITE)
    assert finding.status is Status.WAITING


@pytest.mark.parametrize("fault", sorted(FAILED))
def test_a_damaged_file_fails_its_delivery(tmp_path: Path, fault: Fault) -> None:
    _, settings, finding = deliver(tmp_path, fault)
    with pytest.raises(DeliveryFailed, match="hourly-cur-0000"):
        load(settings, finding)


@pytest.mark.parametrize("fault", sorted(REFUSED))
def test_a_bad_number_is_named_where_it_was_planted(tmp_path: Path, fault: Fault) -> None:
    written, settings, finding = deliver(tmp_path, fault)
    with pytest.raises(DeliveryRefused) as refused:
        load(settings, finding)
    (planted,) = written.expected.planted
    (rejected,) = refused.value.rejected
    assert (rejected.value, rejected.record, rejected.column) == (planted.value, planted.record, planted.column)
    assert rejected.file.endswith(planted.file.rsplit("/", 1)[-1])
