"""OCI's usage reports: quantities of any size with six digits after the point."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.table_format import OCI_USAGE
from tests.formats.loading import load, packed

TENANT = "ocid1.tenancy.oc1..aaaa"
OCTOBER = date(2026, 10, 1)
USAGE = (TENANT, "", "Usage", "")
# Oracle's documented columns.
HEADER = (
    "lineItem/referenceNo,lineItem/tenantId,lineItem/intervalUsageStart,lineItem/intervalUsageEnd,product/service,"
    "product/resource,product/compartmentId,product/compartmentName,product/region,product/availabilityDomain,"
    "product/resourceId,usage/consumedQuantity,usage/billedQuantity,usage/consumedQuantityUnits,"
    "usage/consumedQuantityMeasure,lineItem/isCorrection,lineItem/backreferenceNo,tags/Ops.team"
)
FULL = (
    f"r1,{TENANT},2026-10-31T23:00Z,2026-11-01T00:00:00Z,BLOCK_STORAGE,PIC_BLOCK_STORAGE_STANDARD,c,prod,us-ashburn-1,ad1,"
    "ocid1.volume.oc1.iad.v,107374182400,3600000,MS,BYTES,false,,red"
)


def row(consumed: str, billed: str = "1") -> dict[str, str]:
    return {
        "lineItem/tenantId": TENANT,
        "lineItem/intervalUsageStart": "2026-10-05T10:00Z",
        "usage/consumedQuantity": consumed,
        "usage/billedQuantity": billed,
    }


def test_every_column_of_oracle_s_header_has_its_own_column(tmp_path: Path) -> None:
    loaded = load(tmp_path, OCI_USAGE, gzip.compress(f"{HEADER}\n{FULL}\n".encode(), mtime=0))
    assert loaded.row(*OCI_USAGE.schema.names) == (
        *("acme-oci", OCTOBER, "D1", "1.csv.gz", 1, "r1", TENANT),
        *(datetime(2026, 10, 31, 23), datetime(2026, 11, 1), "BLOCK_STORAGE", "PIC_BLOCK_STORAGE_STANDARD"),
        *("c", "prod", "us-ashburn-1", "ad1", "ocid1.volume.oc1.iad.v"),
        *(Decimal(107374182400), Decimal(3600000), "MS", "BYTES", "false", None, {"Ops.team": "red"}, None, None),
    )


def test_quantities_have_room_for_bytes_times_milliseconds(tmp_path: Path) -> None:
    """32 digits before the point: 1 EiB for a month in milliseconds has 28."""
    huge = "99999999999999999999999999999999.999999"
    loaded = load(tmp_path, OCI_USAGE, packed([row(huge), row("0.000001")]))
    assert OCI_USAGE.schema.field("usage_consumed_quantity").type == pa.decimal128(38, 6)
    assert loaded.rows("usage_consumed_quantity") == [(Decimal(huge),), (Decimal("0.000001"),)]
    assert loaded.sums("usage_consumed_quantity") == {(OCTOBER, USAGE): Decimal("100000000000000000000000000000000")}


def test_more_digits_are_rounded_half_even_and_reported(tmp_path: Path) -> None:
    loaded = load(tmp_path, OCI_USAGE, packed([row("0.0000005", "0.0000015"), row("2.123456789012345678", "-0.0000025")]))

    assert loaded.rows("usage_consumed_quantity", "usage_billed_quantity") == [
        (Decimal(0), Decimal("0.000002")),
        (Decimal("2.123457"), Decimal("-0.000002")),
    ]
    assert loaded.files.rounded == 4
    totals = {metric: total for (_, metric), total in loaded.files.slices[OCTOBER].totals.totals.items()}
    # 0.0000005 + 2.123456789012345678 delivered, 2.123457 stored; 0.0000015 - 0.0000025 delivered, 0 stored.
    assert totals["usage_consumed_quantity"].rounding == Decimal("0.000000289012345678")
    assert totals["usage_billed_quantity"].rounding == Decimal("-0.000001")


def test_a_quantity_with_more_digits_than_there_is_room_for_is_rejected(tmp_path: Path) -> None:
    (rejected,) = load(tmp_path, OCI_USAGE, packed([row("1E+32")])).files.rejected
    assert rejected.reason == "has more than 32 digits before the point"


def test_months_are_told_by_the_rows(tmp_path: Path) -> None:
    rows = [row("1"), row("2") | {"lineItem/intervalUsageStart": "2026-09-30T23:00:00Z"}]
    assert load(tmp_path, OCI_USAGE, packed(rows)).sums("usage_consumed_quantity") == {
        (OCTOBER, USAGE): Decimal(1),
        (date(2026, 9, 1), USAGE): Decimal(2),
    }


def test_a_cost_report_is_no_usage_report(tmp_path: Path) -> None:
    header = "lineItem/tenantId,lineItem/intervalUsageStart,usage/billedQuantity,cost/myCost,cost/currencyCode"
    with pytest.raises(DeliveryFailed, match=r"lacks usage/consumedQuantity\. It looks like another kind of file: OCI cost"):
        load(tmp_path, OCI_USAGE, gzip.compress(f"{header}\n".encode(), mtime=0))
