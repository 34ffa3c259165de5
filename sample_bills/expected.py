"""Golden values: what a delivery holds, added up from the texts as they are written, by a program of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation, localcontext
from typing import NamedTuple

from sample_bills.columns import INDEX, Kind, kind_of
from sample_bills.money import EXACT, ZERO, quotient

UNBLENDED_COST = "lineItem/UnblendedCost"
DISCOUNT_TYPES = frozenset({"Discount", "EdpDiscount", "PrivateRateDiscount", "RiVolumeDiscount", "BundledDiscount"})


class Group(NamedTuple):
    """What control totals are kept by; ``invoice_id`` is empty where the row has none."""

    payer_account_id: str
    currency: str
    line_item_type: str
    invoice_id: str


@dataclass
class GroupTotals:
    """Exact sums of one group: by decimal column (slash spelling) the number of rows that have a value, and their sum."""

    rows: int = 0
    values: dict[str, int] = field(default_factory=dict)
    sums: dict[str, Decimal] = field(default_factory=dict)


@dataclass
class CommitmentTotals:
    """What one Savings Plan or reservation (by ARN) cost in what was written: paid in fees, and amortised."""

    paid: Decimal = ZERO
    amortized: Decimal = ZERO
    unused: Decimal = ZERO


@dataclass(frozen=True)
class PlantedValue:
    """A text that is no number, where one belongs."""

    file: str
    record: int  # 1 is the first record after the header
    column: str  # slash spelling
    value: str


@dataclass
class Expected:
    """Exact totals of one or more deliveries. Rows with a planted value count, the planted value itself does not."""

    groups: dict[Group, GroupTotals] = field(default_factory=dict)
    commitments: dict[str, CommitmentTotals] = field(default_factory=dict)
    amortized_cost: dict[str, Decimal] = field(default_factory=dict)  # by currency
    net_amortized_cost: dict[str, Decimal] = field(default_factory=dict)  # by currency; only where net columns are
    planted: list[PlantedValue] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(group.rows for group in self.groups.values())

    def total(self, column: str = UNBLENDED_COST) -> dict[str, Decimal]:
        """The exact sum of ``column`` (slash spelling) by currency."""
        totals: dict[str, Decimal] = {}
        with localcontext(EXACT):
            for key, group in self.groups.items():
                totals[key.currency] = totals.get(key.currency, ZERO) + group.sums.get(column, ZERO)
        return totals

    @classmethod
    def together(cls, parts: Iterable[Expected]) -> Expected:
        """The totals of several deliveries, such as all months of a bill."""
        whole = cls()
        with localcontext(EXACT):
            for part in parts:
                for key, group in part.groups.items():
                    into = whole.groups.setdefault(key, GroupTotals())
                    into.rows += group.rows
                    for column, value in group.sums.items():
                        into.sums[column] = into.sums.get(column, ZERO) + value
                        into.values[column] = into.values.get(column, 0) + group.values[column]
                for arn, commitment in part.commitments.items():
                    total = whole.commitments.setdefault(arn, CommitmentTotals())
                    total.paid += commitment.paid
                    total.amortized += commitment.amortized
                    total.unused += commitment.unused
                _add_up(whole.amortized_cost, part.amortized_cost)
                _add_up(whole.net_amortized_cost, part.net_amortized_cost)
                whole.planted.extend(part.planted)
        return whole


def _add_up(into: dict[str, Decimal], other: dict[str, Decimal]) -> None:
    for currency, amount in other.items():
        into[currency] = into.get(currency, ZERO) + amount


_PAYER, _CURRENCY = INDEX["bill/PayerAccountId"], INDEX["lineItem/CurrencyCode"]
_TYPE, _INVOICE = INDEX["lineItem/LineItemType"], INDEX["bill/InvoiceId"]
_PLAN_ARN, _RESERVATION_ARN = INDEX["savingsPlan/SavingsPlanARN"], INDEX["reservation/ReservationARN"]
_PAID_TYPES = frozenset({"SavingsPlanRecurringFee", "SavingsPlanUpfrontFee", "RIFee", "Fee", "Refund"})


class Adder:
    """Adds rows (in the order of ``ALL_COLUMNS``) up to an ``Expected``; call ``add`` within ``money.EXACT``.

    ``as_number`` says what number a reader gets for a text: itself in CSV, the shortest text of its double in Parquet.
    """

    def __init__(self, expected: Expected, as_number: Callable[[str], Decimal] = Decimal) -> None:
        self._expected = expected
        self._as_number = as_number
        self._cells: dict[Group, tuple[list[int], list[Decimal], list[int]]] = {}
        self._decimals: list[tuple[int, int]] = []
        self._names: list[str] = []
        self._has_net = False
        self._file = ""
        self._record = 0

    def start_file(self, file: str, columns: Sequence[str]) -> None:
        """From now on rows go to ``file``, which has ``columns``."""
        self._close_columns()
        self._file, self._record = file, 0
        self._names = [column for column in columns if kind_of(column) is Kind.DECIMAL]
        self._decimals = [(slot, INDEX[name]) for slot, name in enumerate(self._names)]
        self._has_net = "lineItem/NetUnblendedCost" in columns

    def add(self, row: list[str]) -> None:
        """Count one row."""
        self._record += 1
        key = Group(row[_PAYER], row[_CURRENCY], row[_TYPE], row[_INVOICE])
        cells = self._cells.get(key)
        if cells is None:
            width = len(self._names)
            cells = self._cells[key] = ([0], [ZERO] * width, [0] * width)
        counter, sums, values = cells
        counter[0] += 1
        for slot, index in self._decimals:
            text = row[index]
            if text:
                try:
                    sums[slot] += self._as_number(text)
                except InvalidOperation:
                    self._expected.planted.append(PlantedValue(self._file, self._record, self._names[slot], text))
                    continue
                values[slot] += 1
        self._amortize(row)

    def finish(self) -> None:
        """Bring everything added into the ``Expected``."""
        self._close_columns()

    def _close_columns(self) -> None:
        for key, (counter, sums, values) in self._cells.items():
            group = self._expected.groups.setdefault(key, GroupTotals())
            group.rows += counter[0]
            for name, amount, count in zip(self._names, sums, values, strict=True):
                if count:
                    group.sums[name] = group.sums.get(name, ZERO) + amount
                    group.values[name] = group.values.get(name, 0) + count
        self._cells = {}

    def _amortize(self, row: list[str]) -> None:
        line_item_type, currency = row[_TYPE], row[_CURRENCY]
        amortized = self._expected.amortized_cost
        cost = self._amortized(row, line_item_type, net="")
        amortized[currency] = amortized.get(currency, ZERO) + cost
        if self._has_net:
            net = self._expected.net_amortized_cost
            net[currency] = net.get(currency, ZERO) + self._amortized(row, line_item_type, net="Net")
        arn = row[_PLAN_ARN] or row[_RESERVATION_ARN]
        if arn:
            totals = self._expected.commitments.setdefault(arn, CommitmentTotals())
            totals.amortized += cost
            if line_item_type in _PAID_TYPES:
                totals.paid += self._number(row, UNBLENDED_COST)
            if line_item_type in ("SavingsPlanRecurringFee", "RIFee"):
                totals.unused += cost

    def _amortized(self, row: list[str], line_item_type: str, net: str) -> Decimal:
        """AWS's amortised cost (CID's summary view), with refunds of any commitment's upfront fee at 0."""
        number = self._number
        if line_item_type == "SavingsPlanCoveredUsage":
            return number(row, f"savingsPlan/{net}SavingsPlanEffectiveCost")
        if line_item_type == "SavingsPlanRecurringFee":
            total = number(row, "savingsPlan/TotalCommitmentToDate")
            unused = total - number(row, "savingsPlan/UsedCommitment")
            if not net or not total:
                return unused
            recurring = number(row, f"savingsPlan/{net}RecurringCommitmentForBillingPeriod")
            upfront = number(row, f"savingsPlan/{net}AmortizedUpfrontCommitmentForBillingPeriod")
            # AWS gives no net column for what is unused: it is reduced as the whole commitment is.
            return quotient(unused * (recurring + upfront), total)
        if line_item_type in ("SavingsPlanNegation", "SavingsPlanUpfrontFee"):
            return ZERO
        if line_item_type == "DiscountedUsage":
            return number(row, f"reservation/{net}EffectiveCost")
        if line_item_type == "RIFee":
            upfront = number(row, f"reservation/{net}UnusedAmortizedUpfrontFeeForBillingPeriod")
            return upfront + number(row, f"reservation/{net}UnusedRecurringFee")
        is_amortized_purchase = row[_PLAN_ARN] or (row[_RESERVATION_ARN] and ":host-reservation/" not in row[_RESERVATION_ARN])
        if line_item_type in ("Fee", "Refund") and is_amortized_purchase:
            return ZERO
        if net and line_item_type in DISCOUNT_TYPES:
            return ZERO
        text = row[INDEX["lineItem/NetUnblendedCost"]] if net else ""
        return self._as_number(text) if text else number(row, UNBLENDED_COST)

    def _number(self, row: list[str], column: str) -> Decimal:
        text = row[INDEX[column]]
        try:
            return self._as_number(text) if text else ZERO
        except InvalidOperation:
            return ZERO
