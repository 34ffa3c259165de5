"""Charges that are no usage: fees, taxes, credits, refunds, domain registrations, and the rows that settle discounts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from sample_bills.columns import INDEX
from sample_bills.faults import Fault
from sample_bills.money import plain
from sample_bills.month import CURRENCY, INVOICE, Cells, Month, Period

_NET_RATES = ("lineItem/NetUnblendedRate", "lineItem/NetUnblendedCost")
_BILL_TYPE = INDEX["bill/BillType"]
LATE_REFUND_AMOUNT = Decimal("-18.75")


def fee_rows(month: Month) -> Iterator[Cells]:
    """Support, Marketplace, registrar and Dedicated Host fees, credits and refunds: the same number of rows every month."""
    payer = month.bill.payer_account_id
    yield _charge(
        month,
        "Fee",
        Decimal("100.00"),
        {
            **_service("AWSSupportBusiness", "AWS Support (Business)"),
            "lineItem/UsageType": "Dollar",
            "lineItem/LineItemDescription": 'AWS Support (Business) - 10% of monthly usage for "the first $10K"',
            "pricing/unit": "Dollar",
        },
    )
    yield _charge(
        month,
        "Fee",
        Decimal("249.99"),
        {
            **_service("9k8marketplacesaas", 'Datalog, "Pro" edition'),
            "bill/BillingEntity": "AWS Marketplace",
            "bill/InvoiceId": month.invoice_id("marketplace"),
            "lineItem/LegalEntity": "Datalog GmbH & Co. KG",
            "lineItem/UsageType": "SaaS-Contract",
            "lineItem/LineItemDescription": "AWS Marketplace annual subscription,\nbilled monthly",
            "pricing/unit": "Units",
        },
    )
    # AWS writes no amortisation for a Dedicated Host reservation: no RIFee, no covered usage, only this fee.
    yield _charge(
        month,
        "Fee",
        Decimal("1314.00"),
        {
            **_service("AmazonEC2", "Amazon Elastic Compute Cloud"),
            "bill/BillType": "Purchase",
            "bill/InvoiceId": month.invoice_id("purchase"),
            "lineItem/UsageType": "HostReservation:m5",
            "lineItem/LineItemDescription": "Upfront fee for Dedicated Host reservation hr-0aa11bb22cc33dd44",
            "pricing/unit": "Quantity",
            "reservation/ReservationARN": f"arn:aws:ec2:us-east-1:{payer}:host-reservation/hr-0aa11bb22cc33dd44",
            "reservation/NumberOfReservations": "1",
        },
    )
    # A domain is billed now for a year that begins later: usage dates outside the billing period.
    renewal = month.end + timedelta(days=41)
    yield _charge(
        month,
        "Usage",
        Decimal("13.00"),
        {
            **_service("AmazonRegistrar", "Amazon Registrar"),
            "lineItem/UsageType": "Global-DomainRenewal-com",
            "lineItem/Operation": "RenewDomain",
            "lineItem/ResourceId": "acme-übergröße.example",
            "lineItem/LineItemDescription": "Renewal of acme-übergröße.example (2 名前)",
            "pricing/unit": "Domain",
        },
        Period.of(renewal, renewal + timedelta(days=365)),
    )
    yield _charge(
        month,
        "Credit",
        Decimal("-2.6100000001"),
        {
            **_service("AmazonEC2", "Amazon Elastic Compute Cloud"),
            "lineItem/UsageType": "BoxUsage:m5.large",
            "lineItem/LineItemDescription": "AWS promotional credits, MIGRATION_2026",
            "lineItem/UsageAmount": "0",
        },
    )
    yield _refund(month, Decimal("-5.00"), "Refund for data transfer charged in error")
    if Fault.LATE_REFUND in month.delivery.faults:
        yield _refund(month, LATE_REFUND_AMOUNT, "Late refund: storage billed twice, case 178412, see invoice")


def tax_rows(month: Month) -> Iterator[Cells]:
    """Tax of three products for two accounts each; their net cells are empty, so net is what is unblended."""
    number = 0
    for account in month.account_ids[:2]:
        for code, name in (
            ("AmazonEC2", "Amazon Elastic Compute Cloud"),
            ("AmazonS3", "Amazon S3"),
            ("AWSLambda", "AWS Lambda"),
        ):
            number += 1
            fields = {
                **_service(code, name),
                "lineItem/UsageAccountId": account,
                "lineItem/TaxType": "VAT" if month.bill.currency == "EUR" else "USSalesTax",
                "lineItem/LineItemDescription": f"Tax for product code {code}",
                "pricing/currency": "",
            }
            cells = _charge(month, "Tax", Decimal("1.07") * number, fields)
            yield month.without(cells, _NET_RATES)


def discount_rows(month: Month) -> Iterator[Cells]:
    """Rows that settle what the rows before were reduced by, exactly, for each currency, invoice, product and discount.

    Their net cells are empty: the net costs of the other rows hold the discounts already.
    """
    for (currency, invoice, product_code, kind), amount in sorted(month.discounts.items()):
        if amount:
            cells = _charge(
                month,
                kind,
                amount,
                {
                    "lineItem/ProductCode": product_code,
                    "product/ProductName": product_code,
                    "product/servicecode": product_code,
                    "lineItem/LineItemDescription": f"{kind} for {product_code}",
                },
            )
            cells[CURRENCY], cells[INVOICE] = currency, invoice
            if invoice == month.invoice_id("purchase"):
                cells[_BILL_TYPE] = "Purchase"
            yield month.without(cells, _NET_RATES)


def _service(code: str, name: str) -> dict[str, str]:
    return {"lineItem/ProductCode": code, "product/ProductName": name, "product/servicecode": code}


def _refund(month: Month, amount: Decimal, text: str) -> Cells:
    fields = {
        **_service("AmazonS3", "Amazon Simple Storage Service"),
        "bill/BillType": "Refund",
        "bill/InvoiceId": month.invoice_id("refund"),
        "lineItem/LineItemDescription": text,
    }
    day: datetime = month.start + timedelta(days=3)
    return _charge(month, "Refund", amount, fields, Period.of(day, day + timedelta(seconds=1)))


def _charge(month: Month, line_item_type: str, cost: Decimal, fields: dict[str, str], period: Period | None = None) -> Cells:
    cells = month.row(
        {
            "lineItem/LineItemType": line_item_type,
            "lineItem/UsageAmount": "1.0",
            # What is given back has no price of a unit.
            "lineItem/UnblendedRate": plain(cost) if cost > 0 else "",
            **fields,
        }
    )
    month.place(cells, period or month.whole)
    month.charge(cells, cost)
    return cells
