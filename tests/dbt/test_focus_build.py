"""FOCUS bills through the real loader and the real dbt: numbers worked out by hand, and added up by another program."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.audit.reconciliation import compared
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.dbt_arguments import build_arguments
from cost_lakehouse.summaries.publish import publish
from cost_lakehouse.summaries.stale import proven_receipts, stale_slices
from sample_bills.money import EXACT
from tests.dbt.building import Ran, ask, build, marts_of, spoiled_project
from tests.focus_builders import AWS_1_0, AWS_1_2, FocusPlace, Row, as_csv, as_parquet, charge
from tests.oci_builders import cost_line, load_reports

JUNE, JULY, AUGUST, SEPTEMBER, OCTOBER = (date(2026, month, 1) for month in range(6, 11))
SLICES = [
    *(Slice("any", month) for month in (JUNE, JULY, AUGUST, SEPTEMBER, OCTOBER)),
    Slice("generated", OCTOBER),
    Slice("oracle", SEPTEMBER),
    Slice("oracle", OCTOBER),
]
EC2 = "Amazon Elastic Compute Cloud"
NO_PRICE = {"PricingQuantity": "", "PricingUnit": ""}
OCTOBERS_ROWS = [
    charge(
        "1.000000000000000001",
        "0.5",
        ListCost="2",
        ContractedCost="1.5",
        ConsumedQuantity="2",
        ConsumedUnit="Hours",
        InvoiceId="i2",
    ),
    charge("0.25", ConsumedQuantity="1", ConsumedUnit="Hours", InvoiceId="i2"),
    charge("100", "0", day="2026-10-01", ChargeCategory="Purchase", ServiceName="Plans", RegionId="", InvoiceId="i1"),
    charge(
        "3", day="2026-10-31", ChargeCategory="Tax", ServiceName="Tax", RegionId="", SubAccountId="", **NO_PRICE, InvoiceId="i2"
    ),
    charge(
        "4",
        "3",
        ProviderName="Microsoft",
        BillingCurrency="EUR",
        SubAccountId="",
        BillingAccountId="ms",
        ServiceName="Virtual Machines",
        RegionId="westeurope",
    ),
    charge("-0.5", ChargeCategory="Credit", InvoiceId="i2"),
    charge(
        "7",
        ChargeCategory="Rebate",
        BillingCurrency="",
        ProviderName="Snowflake",
        SubAccountId="s",
        ServiceName="Warehouse",
        RegionId="",
        ChargePeriodStart="2026-09-30T23:00:00Z",
        ChargePeriodEnd="2026-10-01T00:00:00Z",
        InvoiceId="i2",
    ),
]
USD_OF_OCTOBER = Decimal("103.750000000000000001")


def oracle_row(cost: str, month: str) -> Row:
    """A row of Oracle's own FOCUS reports, with the names of FOCUS 1.0-preview."""
    return {
        "BilledCost": cost,
        "EffectiveCost": cost,
        "BillingAccountId": "7000",
        "SubAccountId": "ocid1.tenancy.oc1..acme",
        "BillingCurrency": "USD",
        "BillingPeriodStart": f"{month}-01T00:00Z",
        "ChargePeriodStart": f"{month}-05T10:00Z",
        "ChargeCategory": "Usage",
        "Provider": "Oracle",
        "ServiceName": "COMPUTE",
        "Region": "eu-frankfurt-1",
        "UsageQuantity": "2",
        "UsageUnit": "OCPU Hours",
        "oci_ReferenceNumber": "V2.1",
    }


def generated_rows(count: int, **others: str) -> list[dict[str, str]]:
    """Rows that differ in every dimension of the daily summary; always the same ones."""
    chance = random.Random(8)
    rows = []
    for _ in range(count):
        cells = {
            "BillingAccountId": "999",
            "SubAccountId": chance.choice(["1", "2", ""]),
            "ServiceName": chance.choice(["A", "B"]),
            "ServiceCategory": chance.choice(["Compute", "Storage"]),
            "RegionId": chance.choice(["eu-west-1", ""]),
            "ChargeCategory": chance.choice(["Usage", "Tax", "Credit"]),
            "PricingCategory": chance.choice(["Standard", "Committed"]),
            "CommitmentDiscountId": chance.choice(["arn:plan", ""]),
            "ConsumedUnit": chance.choice(["Hours", "GB"]),
            "BillingCurrency": chance.choice(["USD", "EUR"]),
            "Tags": chance.choice(["{}", '{"b": "2", "a": "é"}', '{"aws:createdBy": "ada"}']),
        }
        for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ConsumedQuantity"):
            cells[name] = f"{chance.randrange(-(10**6), 10**8)}e-6"
        day = f"2026-10-{chance.randrange(1, 4):02d}"
        rows.append(charge(day=day, **(cells | others)))
    return rows


class Lakehouse:
    """Months of three sources, two of which had several loads."""

    def __init__(self, folder: Path) -> None:
        oracle = {"name": "oracle", "kind": "oci_cost_reports", "location": "oracle"}
        self.place = FocusPlace(folder, "any", "generated", others=[oracle])
        self.folder = folder
        self._load_any()
        self.generated = generated_rows(150), generated_rows(150, InvoiceId="i")
        self.place.write("1.0.csv.gz", as_csv(self.generated[0], AWS_1_0), source="generated")
        self.place.write("1.2.parquet", as_parquet(self.generated[1], AWS_1_2), source="generated")
        self.place.load("generated")
        self.place.write("FOCUS Reports/2026/09/05/1.csv.gz", as_csv([oracle_row("1.5", "2026-09")]), source="oracle")
        self.place.write("FOCUS Reports/2026/10/05/1.csv.gz", as_csv([oracle_row("0.025", "2026-10")]), source="oracle")
        self.place.write("cost-csv/0001.csv.gz", as_csv([cost_line()]), source="oracle")
        assert len(load_reports(self.place.settings, self.place.lake, "oracle")) == 2

    def _load_any(self) -> None:
        place = self.place
        columns = [name for name in AWS_1_2 if name != "InvoiceIssuerName"]
        place.write("june.csv.gz", as_csv([charge("5", day="2026-06-05")]))
        place.write("july.csv.gz", as_csv([charge("10", day="2026-07-01", InvoiceId="j1")]))
        place.write("august.csv.gz", as_csv([charge("20", day="2026-08-02", InvoiceId="a1")]))
        correction = charge("-1", day="2026-09-03", ChargeClass="Correction", InvoiceId="s1", **NO_PRICE)
        place.write("september.csv.gz", as_csv([charge("30", day="2026-09-03", InvoiceId="s1"), correction], AWS_1_2))
        place.write("october.csv.gz", as_csv(OCTOBERS_ROWS, columns))
        place.load("any")
        place.write("june.csv.gz", as_csv([], AWS_1_2), written=datetime(2026, 6, 30, tzinfo=UTC))
        place.write("august.csv.gz", as_csv([charge("21", day="2026-08-02", InvoiceId="a1")]))
        place.load("any")


@pytest.fixture(scope="module")
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    return Lakehouse(tmp_path_factory.mktemp("focus"))


@pytest.fixture(scope="module")
def ran(lakehouse: Lakehouse) -> Iterator[Ran]:
    with build(lakehouse.place.lake, lakehouse.folder / "build", build_arguments(SLICES)) as ran:
        yield ran


def test_every_model_and_test_ends_well(ran: Ran) -> None:
    bad = {name: state for name, state in ran.results.items() if state not in {"success", "pass"}}
    # A row of October names no currency, on purpose.
    assert bad == {"every_cost_has_a_currency_and_a_type": "warn"}, ran.output
    assert ran.results["daily_summary_reconciles_to_the_raw_bill"] == "pass"
    assert ran.results["raw_rows_are_what_the_receipts_say"] == "pass"


def test_daily_costs_worked_out_by_hand(ran: Ran) -> None:
    found = ask(
        ran,
        "select usage_date, provider, account_id, service, region, currency_code, billed_cost, effective_cost, line_item_count "
        f"from marts.daily_costs where source = 'any' and billing_period = '{OCTOBER}' order by all",
    )
    assert found == [
        (date(2026, 9, 30), "snowflake", "s", "Warehouse", None, None, 7, 7, 1),
        (date(2026, 10, 1), "aws", "000000000456", "Plans", None, "USD", 100, 0, 1),
        (
            date(2026, 10, 5),
            "aws",
            "000000000456",
            EC2,
            "eu-central-1",
            "USD",
            Decimal("0.750000000000000001"),
            Decimal("0.25"),
            3,
        ),
        (date(2026, 10, 5), "azure", "ms", "Virtual Machines", "westeurope", "EUR", 4, 3, 1),
        (date(2026, 10, 31), "aws", "000000000123", "Tax", None, "USD", 3, 3, 1),
    ]


def test_the_summary_knows_kinds_of_charge_list_and_contracted_cost(ran: Ran) -> None:
    found = ask(
        ran,
        "select charge_category, invoice_id, unit, tags, billed_cost, list_cost, contracted_cost, consumed_quantity "
        "from marts.focus_daily_summary where source = 'any' and provider = 'aws' and usage_date = date '2026-10-05' "
        "order by charge_category",
    )
    team = '{"team":"red"}'
    assert found == [
        ("Credit", "i2", None, team, Decimal("-0.5"), Decimal("-0.5"), Decimal("-0.5"), 0),
        ("Usage", "i2", "Hours", team, Decimal("1.250000000000000001"), Decimal("2.25"), Decimal("1.75"), 3),
    ]


def test_a_bill_is_open_invoiced_or_corrected_and_an_emptied_month_is_known(lakehouse: Lakehouse, ran: Ran) -> None:
    found = ask(
        ran,
        "select billing_period, currency_code, state, billed_cost, invoice_ids, line_item_count from marts.bill_status "
        "where source = 'any' order by 1, 2 nulls first",
    )
    assert found == [
        (JUNE, None, "estimated", 0, None, 0),
        (JULY, "USD", "invoiced", 10, "j1", 1),
        (AUGUST, "USD", "corrected", 21, "a1", 1),
        (SEPTEMBER, "USD", "corrected", 29, "s1", 2),
        (OCTOBER, None, "estimated", 7, "i2", 1),
        (OCTOBER, "EUR", "estimated", 4, None, 1),
        (OCTOBER, "USD", "estimated", USD_OF_OCTOBER, "i1, i2", 5),
    ]
    newest = {
        receipt.billing_period: receipt
        for receipt in receipts(lakehouse.place.lake, raw_table="raw.focus")
        if receipt.source == "any"
    }
    carried = ask(ran, "select distinct billing_period, delivery_id, loaded_at from marts.bill_status where source = 'any'")
    assert {row[0]: row[1:] for row in carried} == {
        month: (item.delivery_id, item.loaded_at.replace(tzinfo=None)) for month, item in newest.items()
    }


def test_findings_name_the_columns_that_a_bill_lacks_and_what_is_odd(ran: Ran) -> None:
    found = ask(
        ran,
        "select reason, detail, line_item_type, invoice_id, currency_code, line_item_count, amount, example_row_number "
        "from marts.bill_findings where source = 'any' order by 1, 5 nulls first",
    )
    missing = ("mandatory column is missing", "InvoiceIssuerName", None, None)
    assert found == [
        ("charge outside the billing period", None, "Rebate", "i2", None, 1, 7, 7),
        (*missing, None, 1, 7, 7),
        (*missing, "EUR", 1, 4, 5),
        (*missing, "USD", 5, USD_OF_OCTOBER, 1),
        ("no currency", "BillingCurrency", "Rebate", "i2", None, 1, 7, 7),
        ("report without lines", None, None, None, None, 0, 0, None),
        ("unknown charge category", None, "Rebate", "i2", None, 1, 7, 7),
    ]


def test_a_tenancys_month_counts_once_where_focus_repeats_its_cost_reports(ran: Ran) -> None:
    costs = ask(
        ran,
        "select billing_period, provider, account_id, service, region, billed_cost, line_item_count from marts.daily_costs "
        "where source = 'oracle' order by 1",
    )
    where = ("oci", "ocid1.tenancy.oc1..acme", "COMPUTE", "eu-frankfurt-1")
    assert costs == [(SEPTEMBER, *where, Decimal("1.5"), 1), (OCTOBER, *where, Decimal("0.025"), 1)]
    kept = ask(ran, "select billing_period from marts.focus_daily_summary where source = 'oracle'")
    assert kept == [(SEPTEMBER,)]
    states = ask(ran, "select billing_period, billed_cost, state from marts.bill_status where source = 'oracle' order by 1")
    assert states == [(SEPTEMBER, Decimal("1.5"), "estimated"), (OCTOBER, Decimal("0.025"), "estimated")]
    # Columns that the 1.0-preview does not have, or that this report leaves out.
    lacking = ask(ran, "select detail from marts.bill_findings where source = 'oracle' and reason like 'mandatory%' order by 1")
    assert [name for (name,) in lacking] == [
        "BillingPeriodEnd",
        "ChargePeriodEnd",
        "ContractedCost",
        "InvoiceIssuerName",
        "ListCost",
        "PricingQuantity",
        "PublisherName",
        "ServiceCategory",
    ]


def test_the_daily_summary_is_what_the_files_say_row_by_row(lakehouse: Lakehouse, ran: Ran) -> None:
    sums: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 6)
    numbers = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ConsumedQuantity")
    with localcontext(EXACT):
        for has_invoices, rows in enumerate(lakehouse.generated):
            for row in rows:
                tags = json.dumps(json.loads(row["Tags"]), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
                key = (
                    date.fromisoformat(row["ChargePeriodStart"][:10]),
                    row["SubAccountId"] or None,
                    row["ServiceCategory"],
                    row["ServiceName"],
                    row["RegionId"] or None,
                    row["ChargeCategory"],
                    row["PricingCategory"],
                    row["CommitmentDiscountId"] or None,
                    "i" if has_invoices else None,
                    row["ConsumedUnit"],
                    row["BillingCurrency"],
                    tags,
                )
                cells = [*(Decimal(row[name]) for name in numbers), Decimal(1)]
                sums[key] = [mine + cell for mine, cell in zip(sums[key], cells, strict=True)]
    found = ask(
        ran,
        "select usage_date, sub_account_id, service_category, service, region, charge_category, pricing_category, "
        "commitment_discount_id, invoice_id, unit, currency_code, tags, billed_cost, effective_cost, list_cost, "
        "contracted_cost, consumed_quantity, line_item_count from marts.focus_daily_summary where source = 'generated'",
    )
    assert {row[:12]: list(row[12:]) for row in found} == sums
    assert len(found) == len(sums) > 250


def test_the_comparisons_name_every_metric_and_the_receipts(ran: Ran) -> None:
    with ran.built.connect() as connection:
        rows = compared(connection, "focus")
    metrics = {"billed_cost", "effective_cost", "list_cost", "contracted_cost", "consumed_quantity"}
    proven = {f"receipts: {metric}" for metric in [*metrics, "pricing_quantity", "rows"]}
    assert {row.metric for row in rows} == {*metrics, "line_items", *proven}
    assert {row.days_apart for row in rows} == {0}
    billed = {row.currency_code: row.expected for row in rows if row.metric == "billed_cost" and row.source == "any"}
    assert billed == {"": 7, "EUR": 4, "USD": billed["USD"]}
    # Both sides know what a load took out: August's first amount is not in the sum of its receipts.
    (august,) = [row for row in rows if row.metric == "receipts: billed_cost" and row.billing_period == AUGUST]
    assert august.expected == august.actual == 21


def test_published_marts_are_current_until_a_cost_report_takes_over_from_focus(lakehouse: Lakehouse, ran: Ran) -> None:
    lake, oracle = lakehouse.place.lake, Slice("oracle", SEPTEMBER)
    assert [stale_slice.slice for stale_slice in stale_slices(lake)] == SLICES
    published = {
        (slice_.table, slice_.source, slice_.billing_period): slice_.new
        for slice_ in publish(lake, ran.built, SLICES, marts_of(lake))
    }
    for table in ("marts.focus_daily_summary", "marts.daily_costs", "marts.bill_status"):
        assert published[table, "any", OCTOBER] == {"": 7, "EUR": 4, "USD": USD_OF_OCTOBER}
    assert stale_slices(lake) == []
    assert proven_receipts(lake)[oracle].raw_table == "raw.focus"

    line = cost_line(start="2026-09-05T10:00Z", cost="1.5")
    lakehouse.place.write("cost-csv/0002.csv.gz", as_csv([line]), source="oracle")
    load_reports(lakehouse.place.settings, lake, "oracle")

    assert [stale_slice.slice for stale_slice in stale_slices(lake)] == [oracle]
    assert proven_receipts(lake)[oracle].raw_table == "raw.oci_cost"


def test_a_model_that_loses_money_and_a_receipt_that_does_not_fit_stop_the_marts(tmp_path: Path) -> None:
    project = spoiled_project(
        tmp_path,
        ("int_focus__costs", "from classified", "from classified where charge_category <> 'Tax'"),
        ("int_costs__loads", "where kinds.preference = 1", "where kinds.preference = 1 and all_loads.line_item_count > 1"),
    )
    place = FocusPlace(tmp_path, "any")
    place.write("1.csv.gz", as_csv([charge("1"), charge("2", ChargeCategory="Tax")]))
    place.load()
    place.write("2.csv.gz", as_csv([charge("4")]))
    place.load()
    with build(place.lake, tmp_path / "build", build_arguments([Slice("any", OCTOBER)]), project) as ran:
        for test in ("daily_summary_reconciles_to_the_raw_bill", "raw_rows_are_what_the_receipts_say"):
            assert ran.results[test] == "fail", ran.output
        assert {ran.results[name] for name in ("focus_daily_summary", "daily_costs", "bill_status")} == {"skipped"}
