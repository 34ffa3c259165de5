"""AWS's own FOCUS export (table FOCUS_1_2_AWS of Data Exports) of a bill that is also delivered as a Cost and Usage Report.

Written from what AWS documents of the export's columns (its table dictionary, its list of conformance gaps) and from the FOCUS
specification, on the generator's own rows. Nothing of the package's models is used, so that the two can be held against each
other.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path

from sample_bills.bills import Bill, BillDelivery
from sample_bills.columns import APPEARING, INDEX
from sample_bills.expected import DISCOUNT_TYPES
from sample_bills.faults import spoil_rows
from sample_bills.line_items import line_items, planned_rows
from sample_bills.money import EXACT, ZERO, plain, quotient
from sample_bills.month import DISCOUNT_SHARES, Cells, Month


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COLUMNS = _words(
    "AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency BillingPeriodEnd"
    " BillingPeriodStart CapacityReservationId CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription"
    " ChargeFrequency ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId"
    " CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus CommitmentDiscountType"
    " CommitmentDiscountUnit ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice EffectiveCost InvoiceId"
    " InvoiceIssuerName ListCost ListUnitPrice PricingCategory PricingCurrency PricingCurrencyContractedUnitPrice"
    " PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity PricingUnit ProviderName PublisherName"
    " RegionId RegionName ResourceId ResourceName ResourceType ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter"
    " SkuPriceDetails SkuPriceId SubAccountId SubAccountName SubAccountType Tags x_Discounts x_Operation x_ServiceCode"
)
"""The columns of FOCUS_1_2_AWS, in AWS's order."""

_USAGE = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "FlatRateSubscription")
_PURCHASES = ("Fee", "RIFee", "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee")
_CONTAINERS = ("EKSPod-EC2", "ECSTask-EC2")
_UNITS = {"Hrs": "Hours", "GB-Mo": "GB-Months", "Quantity": "Units", "Lambda-GB-Second": "GB-Seconds", "": "Units"}
_CATEGORIES = {
    "AmazonEC2": ("Compute", "Virtual Machines"),
    "ComputeSavingsPlans": ("Compute", "Virtual Machines"),
    "AWSLambda": ("Compute", "Serverless Compute"),
    "AmazonS3": ("Storage", "Object Storage"),
    "AmazonRDS": ("Databases", "Relational Databases"),
}


@dataclass(frozen=True)
class FocusRow:
    """One row of the export: the record of the report that it comes from (1 is the first), which part of it, and its values."""

    line: int
    part: str  # line, or unused
    values: dict[str, str]


@dataclass(frozen=True)
class FocusExport:
    """An export as it was written: its data file, and its rows in the file's order."""

    location: Path
    file: Path
    rows: tuple[FocusRow, ...]


def write_focus_export(root: Path, bill: Bill, delivery: BillDelivery) -> FocusExport:
    """Write the export of one month beside the report, as CSV gzip with its manifest: ``root/BUCKET/PREFIX/NAME-focus``."""
    name = f"{bill.report_name}-focus"
    location = root.joinpath(*(part for part in (bill.bucket, bill.prefix, name) if part))
    period = f"BILLING_PERIOD={delivery.month:%Y-%m}"
    file = location / "data" / period / f"{name}-00001.csv.gz"
    rows = tuple(focus_rows(bill, delivery))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.values for row in rows)
    key = file.relative_to(root / bill.bucket)
    manifest = {"executionId": f"focus-{delivery.assembly_id}", "dataFiles": [f"s3://{bill.bucket}/{key.as_posix()}"]}
    _put(file, gzip.compress(text.getvalue().encode(), mtime=0), delivery)
    _put(location / "metadata" / period / f"{name}-Manifest.json", json.dumps(manifest, indent=2).encode(), delivery)
    return FocusExport(location, file, rows)


def focus_rows(bill: Bill, delivery: BillDelivery) -> Iterator[FocusRow]:
    """The export's rows, in the order of the report's records."""
    with localcontext(EXACT):
        month = Month(bill, delivery)
        rows = list(spoil_rows(line_items(month), delivery.faults, planned_rows(month)))
    for number, cells in enumerate(rows, 1):
        with localcontext(EXACT):
            line = _Line(cells)
            # Split cost allocation data are not in FOCUS exports; what a Savings Plan takes back is in the lines it covers, and
            # discounts are in the lines that they are given on.
            if line.type == "SavingsPlanNegation" or line.type in DISCOUNT_TYPES or line["lineItem/Operation"] in _CONTAINERS:
                continue
            made = [FocusRow(number, "line", line.row())]
            if line.unused:
                made.append(FocusRow(number, "unused", line.unused_row()))
        yield from made


class _Line:
    """One record of the report."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self.type = self["lineItem/LineItemType"]
        self.plan, self.reservation = self["savingsPlan/SavingsPlanARN"], self["reservation/ReservationARN"]
        self.commitment = self.plan or self.reservation
        self.is_refund = self.type == "Refund" or self["bill/BillType"] == "Refund"

    def __getitem__(self, name: str) -> str:
        return self._cells[INDEX[name]]

    def number(self, *names: str) -> Decimal:
        """The first of some columns that has a value."""
        return next((Decimal(self[name]) for name in names if self[name]), ZERO)

    @property
    def category(self) -> str:
        if self.type == "Refund":
            return "Purchase" if self.commitment else "Usage"
        if self.type in _USAGE:
            return "Usage"
        return "Purchase" if self.type in _PURCHASES else self.type

    @property
    def net(self) -> Decimal:
        """What is invoiced for the line: after all discounts."""
        return self.number("lineItem/NetUnblendedCost", "lineItem/UnblendedCost")

    @property
    def is_covered(self) -> bool:
        return self.type in ("DiscountedUsage", "SavingsPlanCoveredUsage")

    @property
    def unused(self) -> Decimal:
        """What of a commitment nobody used, with its discounts."""
        if self.type == "RIFee":
            return self.number(
                "reservation/NetUnusedAmortizedUpfrontFeeForBillingPeriod",
                "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod",
            ) + self.number("reservation/NetUnusedRecurringFee", "reservation/UnusedRecurringFee")
        if self.type != "SavingsPlanRecurringFee":
            return ZERO
        unused = self.number("savingsPlan/TotalCommitmentToDate") - self.number("savingsPlan/UsedCommitment")
        parts = ("AmortizedUpfrontCommitmentForBillingPeriod", "RecurringCommitmentForBillingPeriod")
        whole = sum((self.number(f"savingsPlan/{part}") for part in parts), ZERO)
        net = sum((self.number(f"savingsPlan/Net{part}", f"savingsPlan/{part}") for part in parts), ZERO)
        return quotient(unused * net, whole) if whole else unused

    @property
    def effective(self) -> Decimal:
        if self.type == "SavingsPlanCoveredUsage":
            return self.number("savingsPlan/NetSavingsPlanEffectiveCost", "savingsPlan/SavingsPlanEffectiveCost")
        if self.type == "DiscountedUsage":
            return self.number("reservation/NetEffectiveCost", "reservation/EffectiveCost")
        # A purchase that covers later charges costs nothing itself, and neither does its refund.
        return ZERO if self.category == "Purchase" and self.commitment else self.net

    @property
    def list_cost(self) -> Decimal:
        if self.category in ("Usage", "Purchase") and not self.is_refund:
            public = self.number("pricing/publicOnDemandCost")
            return public or self.number("lineItem/UnblendedCost")
        return self.net

    @property
    def contracted(self) -> Decimal:
        return self.number("pricing/publicOnDemandCost") if self.type == "DiscountedUsage" else self.net

    @property
    def quantity(self) -> Decimal | None:
        """What is charged for; nothing of what has no price."""
        is_priced = self.category in ("Usage", "Purchase") and not self.is_refund
        return self.number("lineItem/UsageAmount") if is_priced else None

    @property
    def commitment_quantity(self) -> Decimal | None:
        if not self.commitment or self.quantity is None:
            return None
        if self.type == "SavingsPlanCoveredUsage":
            return self.number("savingsPlan/SavingsPlanEffectiveCost")
        if self.type == "SavingsPlanRecurringFee":
            return self.number("savingsPlan/TotalCommitmentToDate", "lineItem/UnblendedCost")
        if self.plan:
            return self.number("lineItem/UnblendedCost")
        if self.type in ("RIFee", "Fee"):
            return self.number("reservation/TotalReservedUnits", "lineItem/UsageAmount")
        return self.number("lineItem/UsageAmount")

    def row(self) -> dict[str, str]:
        """The row of the line itself."""
        quantity, currency = self.quantity, self["lineItem/CurrencyCode"]
        is_usage = self.category == "Usage" and not self.is_refund
        is_commitment = self.category == "Purchase" and self.commitment
        unit = _UNITS.get(self["pricing/unit"], self["pricing/unit"])
        contracted_price = _text(quotient(self.contracted, quantity)) if quantity else ""
        resource = self.commitment if is_commitment else self["lineItem/ResourceId"]
        pricing_currency = self["pricing/currency"] or currency
        is_own_currency = pricing_currency == currency
        list_price = self["pricing/publicOnDemandRate"] if quantity is not None else ""
        category, subcategory = self._service_category()
        region = self["product/regionCode"] or self["product/region"]
        return {
            **self._who(),
            "AvailabilityZone": self["lineItem/AvailabilityZone"],
            "BilledCost": plain(ZERO if self.is_covered else self.net),
            "BillingCurrency": currency,
            "ChargeCategory": self.category,
            "ChargeClass": "Correction" if self.is_refund else "",
            "ChargeDescription": self["lineItem/LineItemDescription"],
            "ChargeFrequency": self._frequency(),
            "ChargePeriodStart": _milliseconds(self["lineItem/UsageStartDate"]),
            "ChargePeriodEnd": _milliseconds(self["lineItem/UsageEndDate"]),
            **self._commitment("Used" if self.is_covered else "", self.commitment_quantity),
            "ConsumedQuantity": _text(quantity) if is_usage and quantity is not None else "",
            "ConsumedUnit": unit if is_usage else "",
            "ContractedCost": plain(self.contracted),
            "ContractedUnitPrice": contracted_price,
            "EffectiveCost": plain(self.effective),
            "ListCost": plain(self.list_cost),
            "ListUnitPrice": list_price,
            "PricingCategory": self._pricing_category(),
            "PricingCurrency": pricing_currency,
            "PricingCurrencyContractedUnitPrice": contracted_price if is_own_currency else "",
            "PricingCurrencyEffectiveCost": plain(self.effective) if is_own_currency else "",
            "PricingCurrencyListUnitPrice": self["pricing/publicOnDemandRate"]
            if is_own_currency and quantity is not None
            else "",
            "PricingQuantity": "" if quantity is None else _text(quantity),
            "PricingUnit": "" if quantity is None else unit,
            "RegionId": region,
            "RegionName": self["product/location"] if region else "",
            "ResourceId": resource,
            "ResourceType": self._resource_type(resource, bool(is_commitment)),
            "ServiceCategory": category,
            "ServiceSubcategory": subcategory,
            "ServiceName": self["product/ProductName"] or self["lineItem/ProductCode"],
            "SkuId": self["product/sku"],
            "SkuMeter": self["lineItem/UsageType"],
            "SkuPriceId": self["pricing/RateCode"],
            "SkuPriceDetails": self._price_details(),
            "Tags": self._tags(),
            "x_Discounts": self._discounts(),
            "x_Operation": self["lineItem/Operation"],
            "x_ServiceCode": self["lineItem/ProductCode"],
        }

    def unused_row(self) -> dict[str, str]:
        """The row of what was not used of the commitment: not billed, and its cost."""
        cost = self.unused
        names = ("reservation/UnusedQuantity",) if self.type == "RIFee" else ()
        quantity = (
            self.number(*names)
            if names
            else self.number("savingsPlan/TotalCommitmentToDate") - self.number("savingsPlan/UsedCommitment")
        )
        price = _text(quotient(cost, quantity)) if quantity else ""
        return {
            **self.row(),
            "BilledCost": "0",
            "ChargeCategory": "Usage",
            "ChargeFrequency": "Usage-Based",
            **self._commitment("Unused", quantity),
            "ConsumedQuantity": "",
            "ConsumedUnit": "",
            "ContractedCost": plain(cost),
            "ContractedUnitPrice": price,
            "EffectiveCost": plain(cost),
            "ListCost": plain(cost),
            "ListUnitPrice": price,
            "PricingCategory": "Committed",
            "PricingCurrencyContractedUnitPrice": price,
            "PricingCurrencyEffectiveCost": plain(cost),
            "PricingCurrencyListUnitPrice": price,
            "PricingQuantity": _text(quantity),
            "PricingUnit": "Hours" if self.type == "RIFee" else self["lineItem/CurrencyCode"],
        }

    def _who(self) -> dict[str, str]:
        payer, account = self["bill/PayerAccountId"], self["lineItem/UsageAccountId"]
        return {
            "BillingAccountId": payer,
            "BillingAccountName": f"acme {payer[-4:]}",
            "BillingAccountType": "Payer Account",
            "BillingPeriodStart": _milliseconds(self["bill/BillingPeriodStartDate"]),
            "BillingPeriodEnd": _milliseconds(self["bill/BillingPeriodEndDate"]),
            "InvoiceId": self["bill/InvoiceId"],
            "InvoiceIssuerName": self["bill/InvoicingEntity"],
            "ProviderName": "AWS",
            "PublisherName": self["lineItem/LegalEntity"],
            "SubAccountId": account,
            "SubAccountName": f"acme {account[-4:]}" if account else "",
            "SubAccountType": "Linked Account" if account else "",
        }

    def _commitment(self, status: str, quantity: Decimal | None) -> dict[str, str]:
        if not self.commitment:
            return {}
        unit = self["lineItem/CurrencyCode"] if self.plan else "Hours"
        return {
            "CommitmentDiscountId": self.commitment,
            "CommitmentDiscountCategory": "Spend" if self.plan else "Usage",
            "CommitmentDiscountType": "Savings Plan" if self.plan else "Reserved Instance",
            "CommitmentDiscountStatus": status,
            "CommitmentDiscountQuantity": "" if quantity is None else _text(quantity),
            "CommitmentDiscountUnit": "" if quantity is None else unit,
        }

    def _frequency(self) -> str:
        if self.type in ("RIFee", "SavingsPlanRecurringFee"):
            return "Recurring"
        if self.type == "Fee" and not self.commitment and self["bill/BillType"] == "Anniversary":
            return "Recurring"
        return "Usage-Based" if self.category == "Usage" and self.type != "Refund" else "One-Time"

    def _pricing_category(self) -> str:
        if self.is_covered:
            return "Committed"
        if self.category in ("Tax", "Credit") or self.is_refund:
            return "Other" if self.category == "Credit" else ""
        return "Dynamic" if "SpotUsage" in self["lineItem/UsageType"] else "Standard"

    def _service_category(self) -> tuple[str, str]:
        """AWS tells it of each SKU: the volumes of EC2 are storage."""
        if self["lineItem/ProductCode"] == "AmazonEC2" and "EBS:" in self["lineItem/UsageType"]:
            return "Storage", "Block Storage"
        return _CATEGORIES.get(self["lineItem/ProductCode"], ("Other", "Other (Other)"))

    def _resource_type(self, resource: str, is_commitment: bool) -> str:
        """AWS names few kinds."""
        if is_commitment:
            return "Savings Plan" if self.plan else "Reserved Instance"
        kinds = {"i-": "instance", "vol-": "volume"}
        kind = next((kind for start, kind in kinds.items() if resource.startswith(start)), "")
        return kind or ("bucket" if resource and self["lineItem/ProductCode"] == "AmazonS3" else "")

    def _price_details(self) -> str:
        size = self["product/instanceType"]
        return json.dumps({"InstanceType": size}, separators=(",", ":")) if size and self.category != "Tax" else ""

    def _tags(self) -> str:
        """Tags of users stand without a prefix, those of AWS with theirs."""
        names = [name for name in INDEX if name.startswith("resourceTags/") and name not in APPEARING and self[name]]
        found = {name.removeprefix("resourceTags/").removeprefix("user:"): self[name] for name in names}
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")) if found else ""

    def _discounts(self) -> str:
        found = {kind: float(self[f"discount/{kind}"]) for kind in DISCOUNT_SHARES if self[f"discount/{kind}"]}
        return json.dumps(found, separators=(",", ":")) if found else ""


def _text(number: Decimal) -> str:
    """A quantity or price as a double's shortest text: that is what AWS delivers."""
    return repr(float(number))


def _milliseconds(text: str) -> str:
    return text.replace("Z", ".000Z")


def _put(path: Path, content: bytes, delivery: BillDelivery) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    moment = delivery.delivered_at.timestamp()
    os.utime(path, (moment, moment))
