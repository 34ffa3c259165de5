"""Lines of every kind as FOCUS rows, built by the real dbt; each number worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.summaries.dbt_arguments import focus_arguments
from cost_lakehouse.summaries.dbt_project import parse_if_stale
from tests.builders import Workshop, line, settings_for
from tests.dbt.building import Ran, ask, build
from tests.focus_builders import as_csv, charge
from tests.oci_builders import cost_line, load_reports

OCTOBER = date(2026, 10, 1)
SLICES = [Slice(name, OCTOBER) for name in ("acme", "native", "oracle")]
PLAN, RESERVATION = "arn:aws:savingsplans::1:savingsplan/sp", "arn:aws:ec2:us-east-1:1:reserved-instances/ri"
IN_PLAN, IN_RESERVATION = {"savingsPlan/SavingsPlanARN": PLAN}, {"reservation/ReservationARN": RESERVATION}
LINES = [
    line(  # 1: at list 0.6 for 2 hours
        UsageAmount="2",
        UnblendedCost="0.5",
        ResourceId="i-1",
        **{
            "pricing/publicOnDemandCost": "0.6",
            "pricing/unit": "Hrs",
            "product/region": "eu-west-1",
            "product/location": "EU (Ireland)",
            "product/instanceType": "m5.large",
            "product/ProductName": "Amazon Elastic Compute Cloud",
            "pricing/RateCode": "SKU1.TERM.RATE",
            "resourceTags/user:team": "a",
            "resourceTags/aws:createdBy": "me",
        },
    ),
    line(  # 2
        LineItemType="DiscountedUsage",
        UsageAmount="24",
        UnblendedCost="0",
        **IN_RESERVATION,
        **{
            "reservation/EffectiveCost": "3.06",
            "reservation/AmortizedUpfrontCostForUsage": "1",
            "pricing/publicOnDemandCost": "2.304",
        },
    ),
    line(  # 3: 72 are billed, 10.2 of what is spread was not used
        LineItemType="RIFee",
        UsageAmount="720",
        UnblendedCost="72",
        **IN_RESERVATION,
        **{
            "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "3",
            "reservation/UnusedRecurringFee": "7.2",
            "reservation/UnusedQuantity": "100",
            "reservation/TotalReservedUnits": "744",
        },
    ),
    line(LineItemType="Fee", UnblendedCost="365", **IN_RESERVATION),  # 4
    line(  # 5: covered
        LineItemType="SavingsPlanCoveredUsage",
        UnblendedCost="0.96",
        **IN_PLAN,
        **{"savingsPlan/SavingsPlanEffectiveCost": "0.6", "pricing/publicOnDemandCost": "0.97"},
    ),
    line(LineItemType="SavingsPlanNegation", UnblendedCost="-0.95", **IN_PLAN),  # 6: a cent is left over
    line(  # 7: a commitment of 1, of which 0.85 was used
        LineItemType="SavingsPlanRecurringFee",
        UnblendedCost="0.5",
        **IN_PLAN,
        **{"savingsPlan/TotalCommitmentToDate": "1", "savingsPlan/UsedCommitment": "0.85"},
    ),
    line(LineItemType="SavingsPlanUpfrontFee", UnblendedCost="4380", **IN_PLAN),  # 8
    line(LineItemType="Tax", UnblendedCost="12.34"),  # 9
    line(LineItemType="Credit", UnblendedCost="-2.61"),  # 10
    line(LineItemType="Refund", UnblendedCost="-5"),  # 11
    line(LineItemType="EdpDiscount", UnblendedCost="-0.2"),  # 12
    line(LineItemType="FlatRateSubscription", UsageAmount="3", UnblendedCost="15"),  # 13
    line(UsageAmount="1", UnblendedCost="0", Operation="EKSPod-EC2"),  # 14: a container's share: no row
    line(UsageAmount="0", UnblendedCost="0"),  # 15
    line(UsageAmount="0", UnblendedCost="1.25"),  # 16
]


# A provider's own FOCUS in two currencies; what it says stays as it is.
NATIVE = [
    charge("1.5", "0.5", ListCost="2", ContractedCost="1.75", ConsumedQuantity="2", ConsumedUnit="Hours", InvoiceId="i1"),
    charge("100", "0", ChargeCategory="Purchase", ChargeFrequency="One-Time", ConsumedQuantity="", InvoiceId="i1"),
    charge("4", "3", BillingCurrency="EUR", BillingAccountId="ms", SubAccountId="", ProviderName="Microsoft"),
    charge(
        "-0.25", BillingCurrency="EUR", BillingAccountId="ms", ChargeCategory="Credit", ProviderName="Microsoft",
        PricingQuantity="", PricingUnit="",
    ),
]  # fmt: skip
ORACLE = [
    cost_line(cost="0.05", quantity="2"),
    cost_line(cost="7", currency="EUR", reference="V2.2", **{"product/resourceId": "", "cost/subscriptionId": ""}),
    cost_line(cost="-0.01", quantity="-0.4", correction="true", back="V2.1", reference="V2.3"),
]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("focus_rows")
    others = [
        {"name": "native", "kind": "focus", "location": "native"},
        {"name": "oracle", "kind": "oci_cost_reports", "location": "oracle"},
    ]
    settings_for(folder, {"acme": "bucket/cur/hourly"}, others=others)
    workshop = Workshop(folder)
    workshop.write(LINES)
    workshop.load()
    for name, content in (("native/1.csv.gz", as_csv(NATIVE)), ("oracle/cost-csv/1.csv.gz", as_csv(ORACLE))):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    for name in ("native", "oracle"):
        load_reports(workshop.settings, workshop.lake, name)
    return workshop


@pytest.fixture(scope="module")
def ran(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with build(workshop.lake, tmp_path_factory.mktemp("build") / "build", focus_arguments(SLICES)) as done:
        assert done.output == []
        yield done


def rows(ran: Ran, columns: str, where: str = "true", source: str = "acme") -> list[tuple[Any, ...]]:
    """A source's rows in the order of their lines, the unused part after its line."""
    table = f"(select * from marts.focus_cost_and_usage where source = '{source}')"
    found = ask(ran, f"select {columns} from {table} where {where} order by row_number nulls last, x_part")
    return [tuple(str(value.normalize()) if isinstance(value, Decimal) else value for value in row) for row in found]


def test_every_line_is_billed_and_spread_as_focus_says(ran: Ran) -> None:
    found = rows(ran, "row_number, x_part, charge_category, billed_cost, effective_cost, list_cost, contracted_cost")

    assert found == [
        (1, "line", "Usage", "0.5", "0.5", "0.6", "0.5"),
        (2, "line", "Usage", "0", "3.06", "2.304", "2.304"),
        (3, "line", "Purchase", "72", "0", "72", "72"),
        (3, "unused", "Usage", "0", "10.2", "10.2", "10.2"),
        (4, "line", "Purchase", "365", "0", "365", "365"),
        (5, "line", "Usage", "0", "0.6", "0.97", "0.96"),
        (7, "line", "Purchase", "0.5", "0", "0.5", "0.5"),
        (7, "unused", "Usage", "0", "0.15", "0.15", "0.15"),
        (8, "line", "Purchase", "4.38E+3", "0", "4.38E+3", "4.38E+3"),
        (9, "line", "Tax", "12.34", "12.34", "12.34", "12.34"),
        (10, "line", "Credit", "-2.61", "-2.61", "-2.61", "-2.61"),
        (11, "line", "Usage", "-5", "-5", "-5", "-5"),
        (12, "line", "Adjustment", "-0.2", "-0.2", "-0.2", "-0.2"),
        (13, "line", "Usage", "15", "15", "15", "15"),
        (15, "line", "Usage", "0", "0", "0", "0"),
        (16, "line", "Usage", "1.25", "1.25", "1.25", "1.25"),
        (None, "left over", "Adjustment", "0.01", "0", "0.01", "0.01"),
    ]


def test_quantities_have_their_price_and_unit(ran: Ran) -> None:
    columns = "row_number, x_part, pricing_quantity, pricing_unit, round(list_unit_price, 12), consumed_quantity, consumed_unit"

    assert rows(ran, columns, "charge_category in ('Usage', 'Purchase')") == [
        (1, "line", "2", "Hours", 0.3, "2", "Hours"),
        (2, "line", "24", "Units", 0.096, "24", "Units"),
        (3, "line", "7.2E+2", "Units", 0.1, None, None),
        (3, "unused", "1E+2", "Hours", 0.102, None, None),
        (4, "line", "1", "Units", 365.0, None, None),
        (5, "line", "1", "Units", 0.97, "1", "Units"),
        (7, "line", "1", "Units", 0.5, None, None),
        (7, "unused", "0.15", "USD", 1.0, None, None),
        (8, "line", "1", "Units", 4380.0, None, None),
        (11, "line", None, None, None, None, None),
        (13, "line", "3", "Units", 5.0, "3", "Units"),
        (15, "line", "0", "Units", 0.0, "0", "Units"),
        (16, "line", "1", "Units", 1.25, "0", "Units"),
    ]


def test_commitments_are_bought_used_and_unused(ran: Ran) -> None:
    columns = (
        "row_number, commitment_discount_status, commitment_discount_category, commitment_discount_quantity, "
        "commitment_discount_unit, resource_id, resource_type, pricing_category"
    )

    assert rows(ran, columns, "commitment_discount_id is not null") == [
        (2, "Used", "Usage", "24", "Hours", None, None, "Committed"),
        (3, None, "Usage", "744", "Hours", RESERVATION, "Reserved Instance", "Standard"),
        (3, "Unused", "Usage", "1E+2", "Hours", RESERVATION, "Reserved Instance", "Committed"),
        (4, None, "Usage", "1", "Hours", RESERVATION, "Reserved Instance", "Standard"),
        (5, "Used", "Spend", "0.6", "USD", None, None, "Committed"),
        (7, None, "Spend", "1", "USD", PLAN, "Savings Plan", "Standard"),
        (7, "Unused", "Spend", "0.15", "USD", PLAN, "Savings Plan", "Committed"),
        (8, None, "Spend", "4.38E+3", "USD", PLAN, "Savings Plan", "Standard"),
        (None, None, "Spend", None, None, PLAN, "Savings Plan", None),
    ]


def test_names_and_categories_are_those_of_focus(ran: Ran) -> None:
    columns = (
        "service_name, service_category, service_subcategory, sku_id, sku_price_id, sku_price_details, region_id, region_name, "
        "resource_id, resource_type, tags, billing_account_type, sub_account_type, pricing_currency"
    )

    assert rows(ran, columns, "row_number = 1") == [
        (
            *("Amazon Elastic Compute Cloud", "Compute", "Virtual Machines", "SKU1", "SKU1.TERM.RATE"),
            *('{"InstanceType":"m5.large"}', "eu-west-1", "EU (Ireland)", "i-1", "instance"),
            *('{"aws:createdBy":"me","team":"a"}', "Payer Account", "Linked Account", "USD"),
        )
    ]
    assert rows(ran, "sku_id, sku_price_id, pricing_quantity, pricing_category", "charge_category = 'Tax'") == [
        (None, None, None, None)
    ]


def test_refunds_correct_and_fees_recur(ran: Ran) -> None:
    assert rows(
        ran, "row_number, charge_class, charge_frequency", "charge_class is not null or charge_frequency = 'Recurring'"
    ) == [
        (3, None, "Recurring"),
        (7, None, "Recurring"),
        (11, "Correction", "One-Time"),
    ]


def test_what_came_as_focus_stays_as_its_provider_says_in_each_currency(ran: Ran) -> None:
    columns = (
        "row_number, billing_currency, charge_category, billed_cost, effective_cost, list_cost, contracted_cost, "
        "consumed_quantity, consumed_unit, invoice_id, billing_account_id, sub_account_id, provider_name"
    )

    assert rows(ran, columns, source="native") == [
        (1, "USD", "Usage", "1.5", "0.5", "2", "1.75", "2", "Hours", "i1", "000000000123", "000000000456", "AWS"),
        (2, "USD", "Purchase", "1E+2", "0", "1E+2", "1E+2", None, None, "i1", "000000000123", "000000000456", "AWS"),
        (3, "EUR", "Usage", "4", "3", "4", "4", None, None, None, "ms", None, "Microsoft"),
        (4, "EUR", "Credit", "-0.25", "-0.25", "-0.25", "-0.25", None, None, None, "ms", "000000000456", "Microsoft"),
    ]
    assert sorted(
        ask(
            ran,
            "select billing_currency, sum(billed_cost), sum(effective_cost) from marts.focus_cost_and_usage "
            "where source = 'native' group by 1",
        )
    ) == [("EUR", Decimal("3.75"), Decimal("2.75")), ("USD", Decimal("101.5"), Decimal("0.5"))]


def test_lines_of_oracle_are_usage_at_what_they_cost_and_corrections_of_it(ran: Ran) -> None:
    columns = (
        "row_number, billing_currency, charge_class, billed_cost, effective_cost, list_cost, contracted_cost, "
        "pricing_quantity, round(list_unit_price, 12), consumed_quantity"
    )
    assert rows(ran, columns, "charge_category = 'Usage' and pricing_category = 'Standard'", source="oracle") == [
        (1, "USD", None, "0.05", "0.05", "0.05", "0.05", "2", 0.025, "2"),
        (2, "EUR", None, "7", "7", "7", "7", "1", 7.0, "1"),
        (3, "USD", "Correction", "-0.01", "-0.01", "-0.01", "-0.01", "-0.4", 0.025, "-0.4"),
    ]
    columns = (
        "provider_name, service_name, service_category, sku_id, region_id, region_name, resource_id, resource_type, "
        "billing_account_id, billing_account_type, sub_account_id, sub_account_type, pricing_unit, invoice_id, tags"
    )
    tenancy, instance = "ocid1.tenancy.oc1..acme", "ocid1.instance.oc1..web"
    usual = ("Oracle", "COMPUTE", "Compute", "B92911", "eu-frankfurt-1", "eu-frankfurt-1")
    tags = '{"Oracle-Tags.CreatedBy":"ada"}'
    assert rows(ran, columns, "row_number < 3", source="oracle") == [
        (*usual, instance, "instance", "7000", "Subscription", tenancy, "Tenancy", "OCPU Per Hour", None, tags),
        (*usual, None, None, tenancy, "Tenancy", tenancy, "Tenancy", "OCPU Per Hour", None, tags),
    ]


def test_every_amount_of_every_row_is_followed_to_its_lines(ran: Ran, workshop: Workshop) -> None:
    """A row that is of no file stands for the lines of its commitment: what covered usage and its negation differ by."""
    key = ["source", "billing_currency", "commitment_discount_id", "file_name", "invoice_id", "row_number", "x_part"]
    with engine_of(workshop.lake, "none") as engine:
        lines = engine.lines(workshop.lake, parse_if_stale(workshop.lake.settings), "focus_cost_and_usage", SLICES)
        amounts = sorted(name for name in engine.columns(lines) if name.endswith(("_cost", "_quantity", "_overage")))
        amounts.remove("line_delivered_cost")
        named = [f"mart_{name}" if name in ("file_name", "row_number") else name for name in key]
        added = ", ".join(f"sum({name})" for name in amounts)
        said = engine.rows(f"select {', '.join(named)}, {added}, count(*) from {lines} group by all")
    found = {row[:7]: row[7:-1] for row in said}
    counted = {row[:7]: row[-1] for row in said}

    shown = ", ".join(f"coalesce({name}, 0)" for name in amounts)
    expected = {row[:7]: row[7:] for row in ask(ran, f"select {', '.join(key)}, {shown} from marts.focus_cost_and_usage")}

    assert len(amounts) == 12
    assert {place: found.get(place) for place in expected} == expected
    assert counted["acme", "USD", PLAN, None, None, None, "left over"] == 2
    # What counts nowhere in FOCUS is behind no row: the negation, and a container's share.
    assert {place[5] for place in found if place[0] == "acme"} == {None, *range(1, 17)} - {6, 14}
