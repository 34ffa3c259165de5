"""OCI's cost reports: every column in its place, every row in its month, every digit kept."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats import read_delivery
from cost_lakehouse.formats.csv_chunks import read_chunks
from cost_lakehouse.formats.table_format import OCI_COST
from tests.formats.loading import load, packed

TENANT = "ocid1.tenancy.oc1..aaaa"
SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
USAGE, CORRECTION = (TENANT, "USD", "Usage", ""), (TENANT, "USD", "Correction", "")
# Oracle's header and row, as its documentation and samples show them.
HEADER = (
    "lineItem/referenceNo,lineItem/tenantId,lineItem/intervalUsageStart,lineItem/intervalUsageEnd,product/service,"
    "product/compartmentId,product/compartmentName,product/region,product/availabilityDomain,product/resourceId,"
    "usage/billedQuantity,usage/billedQuantityOverage,cost/subscriptionId,cost/productSku,product/Description,cost/unitPrice,"
    "cost/unitPriceOverage,cost/myCost,cost/myCostOverage,cost/currencyCode,cost/billingUnitReadable,cost/skuUnitDescription,"
    "cost/overageFlag,lineItem/isCorrection,lineItem/backreferenceNo,cost/attributedCost,usage/attributedUsage"
)
FULL = (
    f"V2.x==,{TENANT},2023-11-13T10:00Z,2023-11-13T11:00:00Z,COMPUTE,ocid1.compartment.oc1..c,prod,us-ashburn-1,"
    "x:US-ASHBURN-1-AD-1,ocid1.instance.oc1.iad.i,2.000000000000000001,0.5,12345678,B92911,Compute - VM,0.0255,0.0510,"
    "0.051000000000000000,0.0255,USD,1 NONE HOURS INSTANCE,Hours,Y,true,V2.w==,0.01,3"
)


def row(**changes: str) -> dict[str, str]:
    """A row that costs 0.1 USD; names without a slash are lineItem/...; "" is an empty value."""
    base = {
        "lineItem/referenceNo": "r",
        "lineItem/tenantId": TENANT,
        "lineItem/intervalUsageStart": "2026-10-05T10:00Z",
        "product/service": "COMPUTE",
        "cost/myCost": "0.1",
        "cost/currencyCode": "USD",
        "lineItem/isCorrection": "false",
    }
    return base | {name if "/" in name else f"lineItem/{name}": value for name, value in changes.items()}


def test_every_column_of_oracle_s_header_has_its_own_column(tmp_path: Path) -> None:
    loaded = load(tmp_path, OCI_COST, gzip.compress(f"{HEADER}\n{FULL}\n".encode(), mtime=0))
    assert loaded.row(*OCI_COST.schema.names) == (
        "acme-oci", date(2023, 11, 1), "D1", "1.csv.gz", 1,
        "V2.x==", TENANT, datetime(2023, 11, 13, 10), datetime(2023, 11, 13, 11),
        "COMPUTE", "ocid1.compartment.oc1..c", "prod", "us-ashburn-1", "x:US-ASHBURN-1-AD-1", "ocid1.instance.oc1.iad.i",
        Decimal("2.000000000000000001"), Decimal("0.5"), "12345678", "B92911", "Compute - VM", "0.0255", "0.0510",
        Decimal("0.051"), Decimal("0.0255"), "USD", "1 NONE HOURS INSTANCE", "Hours", "Y", "true", "V2.w==",
        Decimal("0.01"), Decimal(3), None, None, None,
    )  # fmt: skip


def test_each_row_goes_to_the_month_of_its_usage_in_utc(tmp_path: Path) -> None:
    moments = {
        "2026-09-30T23:00Z": SEPTEMBER,
        "2026-10-01T00:00Z": OCTOBER,
        "2026-09-30T23:59:59Z": SEPTEMBER,
        "2026-10-01T00:00:00Z": OCTOBER,
        "2026-10-01T01:30:00+02:00": SEPTEMBER,
        "2026-10-31T23:00:00.000Z": OCTOBER,
    }
    rows = [row(intervalUsageStart=moment, referenceNo=moment) for moment in moments]
    loaded = load(tmp_path, OCI_COST, packed(rows))

    for month in (SEPTEMBER, OCTOBER):
        expected = [(item, number, month) for number, (item, when) in enumerate(moments.items(), 1) if when == month]
        assert loaded.rows("line_item_reference_no", "row_number", "billing_period", month=month) == expected


def test_months_of_several_files_have_totals_of_their_own(tmp_path: Path) -> None:
    old, new = "2026-09-30T22:00Z", "2026-10-01T02:00:00Z"
    loaded = load(
        tmp_path,
        OCI_COST,
        packed([row(intervalUsageStart=old), row(intervalUsageStart=new, **{"cost/myCost": "2"})]),
        packed([row(intervalUsageStart=new, **{"cost/myCost": "-0.5"}), row(intervalUsageStart=new, isCorrection="true")]),
    )
    assert loaded.sums("cost_my_cost") == {
        (SEPTEMBER, USAGE): Decimal("0.1"),
        (OCTOBER, USAGE): Decimal("1.5"),
        (OCTOBER, CORRECTION): Decimal("0.1"),
    }
    assert loaded.files.records == {"1.csv.gz": 2, "2.csv.gz": 2}
    assert loaded.files.slices[SEPTEMBER].records == {"1.csv.gz": 1}
    assert loaded.files.slices[OCTOBER].records == {"1.csv.gz": 1, "2.csv.gz": 2}


def test_an_empty_currency_stays_empty(tmp_path: Path) -> None:
    loaded = load(tmp_path, OCI_COST, packed([row(**{"cost/currencyCode": "", "cost/myCost": "0"}), row()]))
    assert loaded.rows("cost_currency_code", "cost_my_cost") == [(None, Decimal(0)), ("USD", Decimal("0.1"))]
    assert loaded.sums("cost_my_cost") == {
        (OCTOBER, (TENANT, "", "Usage", "")): Decimal(0),
        (OCTOBER, USAGE): Decimal("0.1"),
    }


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0.123456789012345678", "0.123456789012345678"),
        ("-0.000000000000000001", "-0.000000000000000001"),
        ("-1234567.5", "-1234567.5"),
        ("1E-18", "0.000000000000000001"),
        ("", None),
    ],
)
def test_quantities_and_costs_are_exact(text: str, stored: str | None, tmp_path: Path) -> None:
    loaded = load(tmp_path, OCI_COST, packed([row(**{"usage/billedQuantity": text, "cost/myCost": text})]))
    number = None if stored is None else Decimal(stored)
    assert loaded.row("usage_billed_quantity", "cost_my_cost") == (number, number)


def test_rates_stay_as_they_are_spelled(tmp_path: Path) -> None:
    loaded = load(tmp_path, OCI_COST, packed([row(**{"cost/unitPrice": "0.02550", "cost/unitPriceOverage": "1E-3"})]))
    assert loaded.row("cost_unit_price", "cost_unit_price_overage") == ("0.02550", "1E-3")


@pytest.mark.parametrize("flag", ["true", "TRUE", "True"])
def test_corrections_are_rows_in_a_group_of_their_own(flag: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, OCI_COST, packed([row(isCorrection=flag, backreferenceNo="r0"), row(isCorrection="")]))
    assert loaded.sums("cost_my_cost") == {(OCTOBER, CORRECTION): Decimal("0.1"), (OCTOBER, USAGE): Decimal("0.1")}
    assert loaded.rows("line_item_is_correction", "line_item_backreference_no") == [(flag, "r0"), (None, None)]


def test_tag_keys_are_kept_as_they_are(tmp_path: Path) -> None:
    tags = {
        "Oracle-Tags.CreatedBy": "ada",
        r"k8s:io\cluster name": "a,b",
        "Cost.Center": 'say "hi"\nthere',
        "cost.center": "Zürich",
        "a/b": "slash",
    }
    loaded = load(tmp_path, OCI_COST, packed([row(**{f"tags/{key}": value for key, value in tags.items()})]))
    assert loaded.row("tags") == (tags,)


def test_files_of_one_load_may_have_other_headers(tmp_path: Path) -> None:
    """Tags, optional columns and columns that nobody knows are in some files only, and in some rows only."""
    loaded = load(
        tmp_path,
        OCI_COST,
        packed([row()]),
        packed([row(**{"tags/team": "red", "cost/attributedCost": "0.01"})]),
        packed([row(**{"cost/somethingNew": "7", "tags/team": ""})]),
        packed([dict(reversed(row().items()))]),
    )
    assert loaded.rows("cost_my_cost", "tags", "cost_attributed_cost", "other") == [
        (Decimal("0.1"), None, None, None),
        (Decimal("0.1"), {"team": "red"}, Decimal("0.01"), None),
        (Decimal("0.1"), None, None, {"cost/somethingNew": "7"}),
        (Decimal("0.1"), None, None, None),
    ]


@pytest.mark.parametrize("name", ["lineItem/backReference", "lineItem/backReferenceNo", "LineItem/BackreferenceNo"])
def test_other_spellings_of_a_column_are_understood(name: str, tmp_path: Path) -> None:
    assert load(tmp_path, OCI_COST, packed([row(**{name: "r0"})])).row("line_item_backreference_no", "other") == ("r0", None)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_spellings_in_one_file_nothing_is_lost(turned: bool, tmp_path: Path) -> None:
    names = ["lineItem/backreferenceNo", "lineItem/backReference", "cost/myCost", "Cost/MyCost"]
    rows = [
        row() | dict(zip(names, values, strict=True))
        for values in (("new", "new", "9", "9.0"), ("", "old", "", "9"), ("new", "", "1", ""), ("", "", "", ""))
    ]
    header = [*dict.fromkeys([*names[::-1], *row()])] if turned else None
    loaded = load(tmp_path, OCI_COST, packed(rows, header))

    assert loaded.rows("line_item_backreference_no", "cost_my_cost") == [
        ("new", Decimal(9)),
        ("old", Decimal(9)),
        ("new", Decimal(1)),
        (None, None),
    ]
    both = [{"lineItem/backReference": back, "Cost/MyCost": cost} for back, cost in (("new", "9.0"), ("old", "9"))]
    assert [other for (other,) in loaded.rows("other")] == [*both, None, None]
    assert loaded.sums("cost_my_cost") == {(OCTOBER, USAGE): Decimal(19)}


@pytest.mark.parametrize(
    ("moment", "value", "reason"),
    [
        ("", "", "is empty: the row belongs to no month"),
        ("yesterday", "yesterday", "is not a date: the row belongs to no month"),
        ("2026-13-01T00:00Z", "2026-13-01T00:00Z", "is not a date: the row belongs to no month"),
    ],
)
def test_a_row_without_a_month_is_rejected_by_its_record(moment: str, value: str, reason: str, tmp_path: Path) -> None:
    rows = [row(intervalUsageStart="2026-09-01T00:00Z"), row(intervalUsageStart=moment), row()]
    loaded = load(tmp_path, OCI_COST, packed([row()]), packed(rows))

    (rejected,) = loaded.files.rejected
    assert (rejected.file, rejected.record, rejected.column) == ("2.csv.gz", 2, "lineItem/intervalUsageStart")
    assert (rejected.value, rejected.reason) == (value, reason)
    assert (loaded.files.rejected_count, loaded.files.rejected_by_object) == (1, {"2.csv.gz": 1})
    assert (loaded.files.records["2.csv.gz"], len(loaded.rows("1"))) == (3, 3)


def test_a_cost_that_is_no_number_is_rejected_in_its_own_month_s_record(tmp_path: Path) -> None:
    rows = [row(intervalUsageStart="2026-09-30T10:00Z"), row(), row(**{"cost/myCost": "12,34"})]
    (rejected,) = load(tmp_path, OCI_COST, packed(rows)).files.rejected
    assert (rejected.record, rejected.column, rejected.value) == (3, "cost/myCost", "12,34")


def test_what_rounding_takes_belongs_to_the_month(tmp_path: Path) -> None:
    rows = [row(**{"cost/myCost": "0.0000000000000000000049"}), row(intervalUsageStart="2026-09-30T10:00Z")]
    slices = load(tmp_path, OCI_COST, packed(rows)).files.slices
    assert (slices[OCTOBER].rounded, slices[SEPTEMBER].rounded) == (1, 0)


def test_a_file_without_rows_touches_no_month(tmp_path: Path) -> None:
    loaded = load(tmp_path, OCI_COST, packed([], list(row())))
    assert (loaded.months, loaded.files.records) == ([], {"1.csv.gz": 0})


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (
            "lineItem/tenantId,lineItem/intervalUsageStart,usage/consumedQuantity,usage/billedQuantity",
            "1.csv.gz is no OCI cost report: its header lacks cost/myCost, cost/currencyCode. "
            "It looks like another kind of file: OCI usage report.",
        ),
        (
            "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,ChargePeriodStart,Provider",
            "looks like another kind of file: FOCUS report",
        ),
        (
            "bill/PayerAccountId,lineItem/LineItemType,lineItem/UsageStartDate,lineItem/CurrencyCode,lineItem/UnblendedCost",
            "looks like another kind of file: Cost and Usage Report",
        ),
        (HEADER.replace("myCost,", "yourCost,"), "1.csv.gz is no OCI cost report: its header lacks cost/myCost. Check"),
    ],
)
def test_a_file_of_another_kind_fails_with_what_it_lacks_and_looks_like(header: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailed) as failed:
        load(tmp_path, OCI_COST, gzip.compress(f"{header}\n".encode(), mtime=0))
    assert says in str(failed.value)
    assert failed.value.key == "1.csv.gz"


@pytest.mark.parametrize(
    "damaged",
    [
        packed([row()] * 500)[:-9],
        b"",
        gzip.compress(f"{HEADER}\n{FULL}\n1,2\n".encode(), mtime=0),
        gzip.compress(b"\xff\n1\n", mtime=0),
    ],
)
def test_a_file_that_cannot_be_read_is_named(damaged: bytes, tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailed) as failed:
        load(tmp_path, OCI_COST, packed([row()]), damaged)
    assert failed.value.key == "2.csv.gz"


def test_any_bill_adds_up_month_by_month_as_a_plain_reader_adds_it_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of fifteen months in any order, in files cut into small pieces, against Python's csv and decimal."""
    monkeypatch.setattr(read_delivery, "read_chunks", lambda plain, file: read_chunks(plain, file, 2_000))
    chance = random.Random(11)
    files = []
    for _ in range(3):
        rows = []
        for number in range(300):
            moment = datetime(
                2025 + chance.randrange(2), 1 + chance.randrange(12), 1 + chance.randrange(28), chance.randrange(24)
            )
            if moment >= datetime(2026, 4, 1):
                moment = moment.replace(year=2025)
            cost = chance.choice(["0", "", "-1.25", "1E-7", "0.1", str(Decimal(chance.randrange(10**21)).scaleb(-18))])
            changes = {
                "cost/myCost": cost,
                "cost/currencyCode": chance.choice(["USD", "EUR", ""]),
                "lineItem/tenantId": chance.choice([TENANT, "ocid1.tenancy.oc1..child"]),
                "lineItem/isCorrection": chance.choice(["true", "false", ""]),
                "tags/note": chance.choice(["", "two\nlines", 'quote "', "a,b"]),
            }
            spelling = chance.choice(["%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:00Z"])
            rows.append(row(referenceNo=str(number), intervalUsageStart=moment.strftime(spelling), **changes))
        files.append(packed(rows))
    expected: dict[tuple[date, tuple[str, ...]], Decimal] = defaultdict(Decimal)
    counted: dict[date, int] = defaultdict(int)
    for file in files:
        for item in csv.DictReader(io.StringIO(gzip.decompress(file).decode(), newline="")):
            month = date.fromisoformat(item["lineItem/intervalUsageStart"][:7] + "-01")
            kind = "Correction" if item["lineItem/isCorrection"] == "true" else "Usage"
            counted[month] += 1
            if item["cost/myCost"]:
                expected[(month, (item["lineItem/tenantId"], item["cost/currencyCode"], kind, ""))] += Decimal(
                    item["cost/myCost"]
                )

    loaded = load(tmp_path, OCI_COST, *files)

    assert loaded.sums("cost_my_cost") == expected
    assert {month: part.totals.row_count for month, part in loaded.files.slices.items()} == counted
    assert len(counted) == 15
    assert len(set(loaded.rows("file_name", "row_number"))) == 900
