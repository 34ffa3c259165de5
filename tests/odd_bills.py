"""Small bills of every kind whose values two engines could take differently: digits, signs, letters, empty and unknown ones."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from tests.builders import Row, csv_bytes, line, write_delivery
from tests.focus_builders import AWS_1_2, as_csv, charge
from tests.oci_builders import cost_line

AWS, OCI, FOCUS = "odd-aws", "odd-oci", "odd-focus"
SOURCES: tuple[dict[str, Any], ...] = (
    {"name": AWS, "kind": "aws_cur", "location": "odd/cur/hourly"},
    {"name": OCI, "kind": "oci_cost_reports", "location": "odd-oci/reports", "corrections": "replace"},
    {"name": FOCUS, "kind": "focus", "location": "odd-focus"},
)


def commitment(total: str, used: str, recurring: str, net: str) -> Row:
    """An hour of a Savings Plan's fee whose discount is no round number."""
    return line(
        LineItemType="SavingsPlanRecurringFee",
        UnblendedCost=recurring,
        NetUnblendedCost=net,
        **{
            "savingsPlan/SavingsPlanARN": "arn:aws:savingsplans::1:savingsplan/x",
            "savingsPlan/TotalCommitmentToDate": total,
            "savingsPlan/UsedCommitment": used,
            "savingsPlan/RecurringCommitmentForBillingPeriod": recurring,
            "savingsPlan/NetRecurringCommitmentForBillingPeriod": net,
        },
    )


def tagged(cost: str, **tags: str) -> Row:
    """A line with tags; ``_`` stands for ``:`` in their keys."""
    return line(UnblendedCost=cost, **{f"resourceTags/{name.replace('_', ':', 1)}": value for name, value in tags.items()})


AWS_ROWS = [
    line(UnblendedCost="0.00000000012345678901"),
    line(UnblendedCost="123456789.01", LineItemType="Tax", CurrencyCode="EUR", UsageEndDate="2026-10-31T23:59:59Z"),
    line(UnblendedCost="-3", LineItemType="SomethingNew", CurrencyCode=""),
    commitment("1", "0.3", "3", "2"),
    commitment("17.123456789", "3.3", "17.123456789", "11.41563786"),
    commitment("12345.678", "0", "12345.678", "8230.451"),
    tagged("1", user_CostCenter="7 🌍", user_Team="a/b"),
    tagged("2", **{"user_Cost Center": "8", "user_CostCenter": "9", "user_Größe": 'say "x"', "user_部門": "back\\slash"}),
    tagged("4", user_zzz="\uff21", aws_createdBy="it's"),
    line(
        UnblendedCost="0",
        LineItemType="DiscountedUsage",
        **{"reservation/ReservationARN": "ri", "reservation/EffectiveCost": "3"},
    ),
    line(UnblendedCost="0.5", Operation="EKSPod-EC2", **{"splitLineItem/SplitCost": "0.25"}),
    line(UnblendedCost="5", AvailabilityZone="eu-central-1a", **{"bill/InvoiceId": "i2"}),
    line(UnblendedCost="6", AvailabilityZone="nowhere", **{"bill/InvoiceId": "i1"}),
]
OCI_ROWS = [
    cost_line(
        cost="0.000000000123456789", quantity="12345.678901234567890123", **{"tags/Größe": "7 🌍", "tags/a.b": 'say "x"'}
    ),
    cost_line(cost="123456789.01", reference="V2.2", **{"cost/myCostOverage": "0.5", "cost/overageFlag": "Y"}),
    cost_line(cost="-3", reference="V2.3", back="V2.2", correction="true", **{"product/region": ""}),
    cost_line(cost="0", currency="", tenant="child"),
    cost_line(cost="1", currency="EUR", tenant="child", start="2026-10-31T23:00:00Z", **{r"tags/k8s:io\x": "back\\slash"}),
    cost_line(cost="2", currency="USD", tenant="child", back="nowhere", correction="true", **{"cost/attributedCost": "9"}),
    cost_line(cost="5", start="2026-09-30T23:00Z", **{"cost/subscriptionId": ""}),
]
FOCUS_ROWS = [
    charge("0.000000000123456789", "123456789.01", ConsumedQuantity="7", Tags='{"aws:a": "7 🌍", "Größe": "say \\"x\\""}'),
    charge("3", day="2026-10-31", ChargeCategory="Tax", PricingQuantity="", SubAccountId="", InvoiceId="i1", Tags=""),
    charge("-2", ProviderName="Microsoft", BillingCurrency="EUR", InvoiceId="i2", ServiceName="", Tags='{"b": "", "a": "1"}'),
    charge("4", ProviderName="", PublisherName="Amazon Web Services EMEA SARL", BillingCurrency="", ChargeCategory="Rebate"),
    charge("5", ProviderName="Ünïque", ChargeClass="Correction", ChargePeriodStart="2026-09-30T23:59:59Z", InvoiceId="i2"),
    charge("6", "0", day="2026-09-30", InvoiceId="i0", ChargePeriodEnd="2026-10-01T00:00:00.001Z"),
]


def write(folder: Path) -> None:
    """Deliver them all below ``folder``, where ``SOURCES`` look."""
    write_delivery(folder / "odd", [AWS_ROWS])
    files = {
        f"{OCI}/reports/cost-csv/0001.csv.gz": gzip.compress(csv_bytes(OCI_ROWS), mtime=0),
        f"{FOCUS}/focus.csv.gz": as_csv(FOCUS_ROWS, [name for name in AWS_1_2 if name != "InvoiceIssuerName"]),
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
