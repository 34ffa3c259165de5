"""One month of a bill while its rows are made: periods, invoice ids, the cells every row has, and the discounts to settle."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sample_bills.bills import Bill, BillDelivery, TimeUnit, midnight, next_month
from sample_bills.columns import ALL_COLUMNS, INDEX
from sample_bills.money import ZERO, plain

Cells = list[str]  # one row, in the order of ALL_COLUMNS

DISCOUNT_SHARES: Mapping[str, Decimal] = {
    "EdpDiscount": Decimal("0.07"),
    "PrivateRateDiscount": Decimal("0.25"),
    "RiVolumeDiscount": Decimal("0.05"),
    "BundledDiscount": Decimal("0.5"),
    "Discount": Decimal("0.02"),
}

PRODUCT_CODE = INDEX["lineItem/ProductCode"]
CURRENCY = INDEX["lineItem/CurrencyCode"]
INVOICE = INDEX["bill/InvoiceId"]
_LINE_ITEM_ID = INDEX["identity/LineItemId"]
_INTERVAL = INDEX["identity/TimeInterval"]
_START = INDEX["lineItem/UsageStartDate"]
_END = INDEX["lineItem/UsageEndDate"]
_UNBLENDED_COST = INDEX["lineItem/UnblendedCost"]
_BLENDED_COST = INDEX["lineItem/BlendedCost"]
_NET_UNBLENDED_COST = INDEX["lineItem/NetUnblendedCost"]
_TOTAL_DISCOUNT = INDEX["discount/TotalDiscount"]
_DISCOUNT = {kind: INDEX[f"discount/{kind}"] for kind in DISCOUNT_SHARES}


def stamp(moment: datetime) -> str:
    """``moment`` (UTC) as AWS writes it in CSV: 2026-10-05T10:00:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def term_stamp(moment: datetime, *, is_end: bool = False) -> str:
    """The start or (exclusive) end of a commitment's term as AWS writes it: 2026-10-31T23:59:59.000Z, its last second."""
    return stamp(moment - timedelta(seconds=1) if is_end else moment).replace("Z", ".000Z")


def net_of(cost: Decimal, kind: str) -> Decimal:
    """``cost`` after a discount of ``kind`` (none where empty); exact."""
    return cost * (1 - DISCOUNT_SHARES[kind]) if kind else cost


@dataclass(frozen=True)
class Period:
    """A span of usage and its three texts, worked out once."""

    start: datetime
    end: datetime
    start_text: str
    end_text: str
    interval: str

    @classmethod
    def of(cls, start: datetime, end: datetime) -> Period:
        """The period from ``start`` to ``end`` (exclusive), both UTC."""
        return cls(start, end, stamp(start), stamp(end), f"{stamp(start)}/{stamp(end)}")

    @property
    def hours(self) -> int:
        """Its length in whole hours."""
        return int((self.end - self.start) / timedelta(hours=1))


class Month:
    """The state while one delivery's rows are generated; the same bill and month give the same rows."""

    def __init__(self, bill: Bill, delivery: BillDelivery) -> None:
        self.bill = bill
        self.delivery = delivery
        self.start = midnight(delivery.month)
        self.end = midnight(next_month(delivery.month))
        self.whole = Period.of(self.start, self.end)
        self.hours = tuple(
            Period.of(self.start + timedelta(hours=hour), self.start + timedelta(hours=hour + 1))
            for hour in range(self.whole.hours)
        )
        self.account_ids = linked_accounts(bill)
        # (currency, invoice id, product code, kind of discount) -> what the rows before were reduced by, negative
        self.discounts: dict[tuple[str, str, str, str], Decimal] = {}
        self._ids = hashlib.blake2b(f"{bill.seed}/{bill.location}/{delivery.month}/{delivery.assembly_id}".encode()).digest()
        self._rows = 0
        self._base = self._base_cells()

    def random(self, purpose: str) -> random.Random:
        """Random numbers that depend on the bill, the month and ``purpose`` only, not on the order of calls."""
        return random.Random(f"{self.bill.seed}/{self.bill.payer_account_id}/{self.delivery.month}/{purpose}")

    def invoice_id(self, bill_type: str) -> str:
        """The invoice of ``bill_type``: of AWS and Marketplace bills only once the month is invoiced, purchases at once."""
        number = f"{self.bill.payer_account_id[-4:]}{self.delivery.month:%y%m}"
        if bill_type == "purchase":
            return f"{number}9{self.bill.seed % 10}"
        if not self.delivery.invoiced:
            return ""
        return number + {"usage": "01", "marketplace": "02", "refund": "77"}[bill_type]

    def row(self, fields: Mapping[str, str]) -> Cells:
        """A new row with the cells every row has, overlaid with ``fields`` (slash spelling)."""
        cells = self._base.copy()
        for name, text in fields.items():
            cells[INDEX[name]] = text
        return cells

    def place(self, cells: Cells, period: Period) -> None:
        """Set the row's usage period and give it its line item id."""
        self._rows += 1
        cells[_LINE_ITEM_ID] = hashlib.blake2b(str(self._rows).encode(), digest_size=26, key=self._ids).hexdigest()
        cells[_INTERVAL] = period.interval
        cells[_START] = period.start_text
        cells[_END] = period.end_text

    def charge(self, cells: Cells, cost: Decimal, discount: str = "") -> None:
        """Set the row's costs; a discount of that kind is in its net cost, and noted to be settled on a row of its own."""
        text = plain(cost)
        cells[_UNBLENDED_COST] = text
        cells[_BLENDED_COST] = text
        if not discount or not cost:
            cells[_NET_UNBLENDED_COST] = text
            return
        reduction = -cost * DISCOUNT_SHARES[discount]
        cells[_NET_UNBLENDED_COST] = plain(cost + reduction)
        cells[_DISCOUNT[discount]] = cells[_TOTAL_DISCOUNT] = plain(reduction)
        key = (cells[CURRENCY], cells[INVOICE], cells[PRODUCT_CODE], discount)
        self.discounts[key] = self.discounts.get(key, ZERO) + reduction

    @staticmethod
    def without(cells: Cells, names: Sequence[str]) -> Cells:
        """The same row with the cells called ``names`` (slash spelling) emptied."""
        for name in names:
            cells[INDEX[name]] = ""
        return cells

    def periods(self, start: datetime, end: datetime) -> list[Period]:
        """The hours, days or the one span (by the bill's time unit) of this month that lie between ``start`` and ``end``."""
        first, last = max(start, self.start), min(end, self.end)
        if first >= last:
            return []
        if self.bill.time_unit is TimeUnit.MONTHLY:
            return [Period.of(first, last)]
        step = timedelta(hours=1 if self.bill.time_unit is TimeUnit.HOURLY else 24)
        return [Period.of(first + step * number, first + step * (number + 1)) for number in range(int((last - first) / step))]

    def _base_cells(self) -> Cells:
        cells = [""] * len(ALL_COLUMNS)
        fields = {
            "bill/InvoiceId": self.invoice_id("usage"),
            "bill/InvoicingEntity": "Amazon Web Services, Inc.",
            "bill/BillingEntity": "AWS",
            "bill/BillType": "Anniversary",
            "bill/PayerAccountId": self.bill.payer_account_id,
            "bill/BillingPeriodStartDate": self.whole.start_text,
            "bill/BillingPeriodEndDate": self.whole.end_text,
            "lineItem/UsageAccountId": self.bill.payer_account_id,
            "lineItem/CurrencyCode": self.bill.currency,
            "lineItem/LegalEntity": "Amazon Web Services, Inc.",
            "pricing/currency": self.bill.currency,
        }
        for name, text in fields.items():
            cells[INDEX[name]] = text
        return cells


def linked_accounts(bill: Bill) -> tuple[str, ...]:
    """Six usage accounts of the payer, 12 digits each; some begin with zeros."""
    chance = random.Random(f"accounts/{bill.payer_account_id}")
    return tuple(f"{chance.randrange(10 ** (12 - number % 3)):012d}" for number in range(6))
