"""FOCUS reports in every dialect: Oracle's 1.0-preview names, and FOCUS 1.0 to 1.4; CSV and Parquet."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.table_format import FOCUS
from tests.formats.loading import load, packed

OCTOBER = date(2026, 10, 1)
USAGE = ("70000001", "USD", "Usage", "")


def words(text: str) -> list[str]:
    """The names in a text."""
    return text.split()


# The columns of Oracle's reports, in their order.
ORACLE = words(
    "AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd "
    "BillingPeriodStart ChargeCategory ChargeDescription ChargeFrequency ChargePeriodEnd ChargePeriodStart "
    "ChargeSubcategory CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName "
    "CommitmentDiscountType EffectiveCost InvoiceIssuer ListCost ListUnitPrice PricingCategory PricingQuantity "
    "PricingUnit Provider Publisher Region ResourceId ResourceName ResourceType ServiceCategory ServiceName SkuId "
    "SkuPriceId SubAccountId SubAccountName Tags UsageQuantity UsageUnit oci_ReferenceNumber oci_CompartmentId "
    "oci_CompartmentName oci_OverageFlag oci_UnitPriceOverage oci_BilledQuantityOverage oci_CostOverage "
    "oci_AttributedUsage oci_AttributedCost oci_BackReferenceNumber"
)
# FOCUS 1.2's columns, as its specification lists them.
FOCUS_1_2 = words(
    "AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency "
    "BillingPeriodEnd BillingPeriodStart CapacityReservationId CapacityReservationStatus ChargeCategory ChargeClass "
    "ChargeDescription ChargeFrequency ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory "
    "CommitmentDiscountId CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus "
    "CommitmentDiscountType CommitmentDiscountUnit ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice "
    "EffectiveCost InvoiceId InvoiceIssuerName ListCost ListUnitPrice PricingCategory PricingCurrency "
    "PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity "
    "PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType "
    "ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountId "
    "SubAccountName SubAccountType Tags"
)
SINCE_1_3 = words(
    "AllocatedMethodDetails AllocatedMethodId AllocatedResourceId AllocatedResourceName AllocatedTags "
    "ContractApplied HostProviderName ServiceProviderName CommitmentProgramEligibilityDetails InvoiceDetailId"
)


def row(**changes: str) -> dict[str, str]:
    """A row of Oracle's report that costs 0.1 USD."""
    base = {
        "BilledCost": "0.1",
        "EffectiveCost": "0.1",
        "BillingAccountId": "70000001",
        "BillingCurrency": "USD",
        "BillingPeriodStart": "2026-10-01T00:00Z",
        "ChargePeriodStart": "2026-10-05T10:00Z",
        "ChargeCategory": "Usage",
        "Provider": "Oracle",
    }
    return base | changes


def test_oracle_s_preview_names_become_today_s(tmp_path: Path) -> None:
    cells = row(
        InvoiceIssuer="Oracle Inc",
        Publisher="Oracle Pub",
        Region="us-ashburn-1",
        UsageQuantity="4.620066647017",
        UsageUnit="OCPU Per Hour",
        ChargeSubcategory="On-Demand",
        ListUnitPrice="0.0250",
        EffectiveCost="0.115501666175425",
        BillingPeriodEnd="2026-11-01T00:00Z",
        oci_ReferenceNumber="V2.x==",
        oci_CompartmentName="prod",
        oci_AttributedCost="0",
    )
    loaded = load(tmp_path, FOCUS, packed([cells], ORACLE))
    assert loaded.row(
        *("billed_cost", "provider_name", "invoice_issuer_name", "publisher_name", "region_id", "region_name"),
        *("consumed_quantity", "consumed_unit", "charge_subcategory", "list_unit_price", "effective_cost"),
        *("billing_period_end", "charge_period_start", "x_columns", "other"),
    ) == (
        *(Decimal("0.1"), "Oracle", "Oracle Inc", "Oracle Pub", "us-ashburn-1", None),
        *(Decimal("4.620066647017"), "OCPU Per Hour", "On-Demand", "0.0250", Decimal("0.115501666175425")),
        *(datetime(2026, 11, 1), datetime(2026, 10, 5, 10)),
        *({"oci_ReferenceNumber": "V2.x==", "oci_CompartmentName": "prod", "oci_AttributedCost": "0"}, None),
    )


@pytest.mark.parametrize("names", [ORACLE, FOCUS_1_2, [*FOCUS_1_2, *SINCE_1_3]])
def test_every_name_of_a_dialect_has_a_column_of_its_own(names: list[str]) -> None:
    targets = FOCUS.targets_of(names, "f")
    strange = [target.delivered for target in targets if target.column == "other"]
    columns = [target.column for target in targets if target.column != "x_columns"]
    assert strange == []
    assert len(set(columns)) == len(columns)
    assert {target.delivered for target in targets if target.column == "x_columns"} == {
        n for n in names if n.startswith("oci_")
    }


def test_the_table_has_focus_1_4_s_columns_and_the_older_names() -> None:
    assert len(FOCUS.known) == 65 + len(("ProviderName", "PublisherName", "ChargeSubcategory"))


def test_money_and_quantities_are_exact_and_prices_stay_text() -> None:
    assert FOCUS.metrics == [
        *("billed_cost", "commitment_discount_quantity", "consumed_quantity", "contracted_cost", "effective_cost", "list_cost"),
        *("pricing_currency_effective_cost", "pricing_quantity"),
    ]
    prices = [name for name in FOCUS.schema.names if name.endswith("unit_price")]
    assert {FOCUS.schema.field(name).type for name in prices} == {pa.string()}
    assert {FOCUS.schema.field(name).type for name in FOCUS.metrics} == {pa.decimal128(38, 20)}


def test_a_file_in_both_dialects_gives_each_row_what_it_has(tmp_path: Path) -> None:
    rows = [
        row(UsageQuantity="2.0", ConsumedQuantity="2", Region="old", RegionId=""),
        row(UsageQuantity="3", ConsumedQuantity="", Region="", RegionId="new"),
    ]
    loaded = load(tmp_path, FOCUS, packed(rows))
    assert loaded.rows("consumed_quantity", "region_id", "other") == [
        (Decimal(2), "old", {"UsageQuantity": "2.0", "Region": "old"}),
        (Decimal(3), "new", {"UsageQuantity": "3"}),
    ]
    assert loaded.sums("consumed_quantity") == {(OCTOBER, USAGE): Decimal(5)}


@pytest.mark.parametrize(
    ("billing", "charge", "month"),
    [
        ("2026-10-01T00:00Z", "2026-09-30T23:00Z", OCTOBER),  # a late charge on this month's bill
        ("", "2026-09-30T23:00:00Z", date(2026, 9, 1)),
        ("2026-10-01", "", OCTOBER),
    ],
)
def test_a_row_is_of_its_billing_period_and_else_of_its_charge_period(
    billing: str, charge: str, month: date, tmp_path: Path
) -> None:
    loaded = load(tmp_path, FOCUS, packed([row(BillingPeriodStart=billing, ChargePeriodStart=charge)]))
    assert loaded.months == [month]


@pytest.mark.parametrize(("billing", "charge"), [("", ""), ("soon", "2026-10-05T10:00Z"), ("", "soon")])
def test_a_row_without_a_month_is_rejected(billing: str, charge: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, FOCUS, packed([row(), row(BillingPeriodStart=billing, ChargePeriodStart=charge)]))
    (rejected,) = loaded.files.rejected
    assert (rejected.record, rejected.reason.endswith("the row belongs to no month")) == (2, True)
    assert rejected.value == (billing or charge)


@pytest.mark.parametrize(
    ("text", "tags", "other"),
    [
        (
            '{"a": "1", "k8s:io\\\\cluster name": "say \\"hi\\"", "é": ""}',
            {"a": "1", "k8s:io\\cluster name": 'say "hi"', "é": ""},
            None,
        ),
        (
            '{"t": true, "n": 1.50, "big": 12345678901234567890123, "none": null, "deep": {"x": [1, "2"]}}',
            {"t": "true", "n": "1.50", "big": "12345678901234567890123", "none": None, "deep": '{"x": [1, "2"]}'},
            None,
        ),
        ("{}", None, None),
        ("", None, None),
        ("no json", None, {"Tags (no JSON object)": "no json"}),
        ('["a"]', None, {"Tags (no JSON object)": '["a"]'}),
        ('{"a": 1, "a": 2}', {"a": "1"}, {"Tags (no JSON object)": '{"a": 1, "a": 2}'}),
        ('{"a": "1"', None, {"Tags (no JSON object)": '{"a": "1"'}),
    ],
)  # fmt: skip
def test_tags_are_a_map_and_what_is_none_is_kept(
    text: str, tags: dict[str, str | None] | None, other: dict[str, str] | None, tmp_path: Path
) -> None:
    loaded = load(tmp_path, FOCUS, packed([row(Tags=text), row(Tags='{"b": "2"}'), row(Tags="")]))
    assert loaded.rows("tags", "other") == [(tags, other), ({"b": "2"}, None), (None, None)]


def test_null_in_a_csv_file_is_a_missing_value_and_null_within_a_text_is_not(tmp_path: Path) -> None:
    """As in the FOCUS sample data of the FinOps Foundation."""
    cells = row(RegionId="NULL", ConsumedQuantity="NULL", Tags="NULL", ChargeDescription="NULL pointer", ResourceName="null")
    loaded = load(tmp_path, FOCUS, packed([cells]))
    assert loaded.row("region_id", "consumed_quantity", "tags", "other", "charge_description", "resource_name") == (
        (None, None, None, None, "NULL pointer", "null")
    )


def test_columns_of_no_dialect_are_kept(tmp_path: Path) -> None:
    loaded = load(tmp_path, FOCUS, packed([row(x_Discounts="{}", X_Odd="1", Something="2")]))
    assert loaded.row("x_columns", "other") == ({"x_Discounts": "{}", "X_Odd": "1"}, {"Something": "2"})


@pytest.mark.parametrize(
    ("without", "lacks"),
    [
        (("BilledCost",), "BilledCost"),
        (("EffectiveCost", "BillingCurrency"), "EffectiveCost, BillingCurrency"),
        (("BillingAccountId",), "BillingAccountId"),
        (("BillingPeriodStart", "ChargePeriodStart"), "ChargePeriodStart"),
        (("Provider",), "ServiceProviderName or ProviderName or PublisherName or HostProviderName"),
    ],
)
def test_what_a_report_cannot_be_without_is_named(without: tuple[str, ...], lacks: str, tmp_path: Path) -> None:
    names = [name for name in row() if name not in without]
    with pytest.raises(DeliveryFailed, match=f"1.csv.gz is no FOCUS report: its header lacks {lacks}."):
        load(tmp_path, FOCUS, packed([], names))


@pytest.mark.parametrize("name", ["ServiceProviderName", "PublisherName", "Publisher"])
def test_any_provider_s_name_will_do(name: str, tmp_path: Path) -> None:
    cells = row(**{name: "X"})
    del cells["Provider"]
    assert load(tmp_path, FOCUS, packed([cells])).months == [OCTOBER]


def test_credits_and_invoices_have_groups_of_their_own(tmp_path: Path) -> None:
    rows = [row(), row(ChargeCategory="Credit", BilledCost="-0.1", InvoiceId="I1")]
    assert load(tmp_path, FOCUS, packed(rows)).sums("billed_cost") == {
        (OCTOBER, USAGE): Decimal("0.1"),
        (OCTOBER, ("70000001", "USD", "Credit", "I1")): Decimal("-0.1"),
    }


def parquet(**columns: pa.Array) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def test_parquet_gives_the_same_rows_as_csv(tmp_path: Path) -> None:
    """As AWS exports FOCUS: doubles, moments and maps."""
    maps = pa.map_(pa.string(), pa.string())
    columns = {
        "BilledCost": pa.array([0.1, 1e-7, None]),
        "EffectiveCost": pa.array([0.0, 1e-7, -2.5]),
        "BillingAccountId": pa.array(["000000000123"] * 3),
        "BillingCurrency": pa.array(["USD"] * 3).dictionary_encode(),
        "BillingPeriodStart": pa.array([datetime(2026, 10, 1, tzinfo=UTC)] * 3, pa.timestamp("ms", "UTC")),
        "ChargePeriodStart": pa.array([datetime(2026, 10, 5, 4)] * 3, pa.timestamp("ns")),
        "ProviderName": pa.array(["AWS"] * 3),
        "Tags": pa.array([[("team", "red"), ("note", None)], [], None], maps),
        "x_Discounts": pa.array([[("d", 0.5)], None, None], pa.map_(pa.string(), pa.float64())),
        "ListUnitPrice": pa.array([Decimal("0.0250"), None, None]),
    }
    loaded = load(tmp_path / "parquet", FOCUS, parquet(**columns), suffix=".snappy.parquet")
    same = {
        "BilledCost": ["0.1", "0.0000001", ""],
        "EffectiveCost": ["0", "0.0000001", "-2.5"],
        "BillingAccountId": ["000000000123"] * 3,
        "BillingCurrency": ["USD"] * 3,
        "BillingPeriodStart": ["2026-10-01T00:00:00Z"] * 3,
        "ChargePeriodStart": ["2026-10-05T04:00:00Z"] * 3,
        "ProviderName": ["AWS"] * 3,
        "Tags": [json.dumps({"team": "red", "note": None}), "{}", ""],
        "x_Discounts": ['{"d": 0.5}', "", ""],
        "ListUnitPrice": ["0.0250", "", ""],
    }
    lines = [{name: cells[index] for name, cells in same.items()} for index in range(3)]
    by_csv = load(tmp_path / "csv", FOCUS, packed(lines))

    names = [name for name in FOCUS.schema.names if name != "file_name"]
    assert loaded.rows(*names) == by_csv.rows(*names)
    assert loaded.rows("tags", "billed_cost")[0] == ({"team": "red", "note": None}, Decimal("0.1"))
    assert loaded.sums("billed_cost") == {(OCTOBER, ("000000000123", "USD", "", "")): Decimal("0.1000001")}


def test_a_delivery_that_says_its_month_keeps_all_rows_in_it(tmp_path: Path) -> None:
    """AWS exports FOCUS by billing period; a row's own dates then change nothing."""
    rows = [row(), row(BillingPeriodStart="2026-09-01T00:00Z"), row(BillingPeriodStart="", ChargePeriodStart="")]
    loaded = load(tmp_path, FOCUS, packed(rows), month=OCTOBER)
    assert (loaded.months, len(loaded.rows("1")), loaded.files.rejected) == ([OCTOBER], 3, [])


def test_a_cost_report_is_no_focus_report(tmp_path: Path) -> None:
    header = "lineItem/tenantId,lineItem/intervalUsageStart,cost/myCost,cost/currencyCode"
    with pytest.raises(DeliveryFailed, match="looks like another kind of file: OCI cost report"):
        load(tmp_path, FOCUS, gzip.compress(f"{header}\n".encode(), mtime=0))
