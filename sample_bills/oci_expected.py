"""Golden values of OCI's reports: added up in whole numbers from the lines as they are written, by a program of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sample_bills.money import ZERO, units
from sample_bills.oci_lines import DIGITS, Line


class OciGroup(NamedTuple):
    """What expected totals are kept by. ``currency`` is as written: empty on rows that name none."""

    usage_date: date
    tenant_id: str
    service: str
    currency: str
    is_correction: bool

    @property
    def billing_period(self) -> date:
        """The month a row belongs to: that of its usage."""
        return self.usage_date.replace(day=1)


@dataclass
class OciTotals:
    """Exact sums of one group, in units of 10 to the power of minus 18.

    ``voided_*`` is the part of it whose rows a correction refers to: under ``corrections: replace`` they do not count.
    """

    rows: int = 0
    quantity: int = 0
    quantity_overage: int = 0
    cost: int = 0
    cost_overage: int = 0
    attributed_cost: int = 0
    voided_rows: int = 0
    voided_quantity: int = 0
    voided_cost: int = 0

    def add(self, other: OciTotals) -> None:
        """Add another group's sums."""
        for name in vars(other):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True)
class PlantedText:
    """A text that is no number or no time, where one belongs."""

    key: str
    record: int  # 1 is the first record after the header
    column: str
    value: str


@dataclass
class OciExpected:
    """Exact totals of a cost report's files. A row with a planted text counts with its cost as it was before."""

    groups: dict[OciGroup, OciTotals] = field(default_factory=dict)
    planted: list[PlantedText] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Count one row, and what it voids."""
        totals = self.groups.setdefault(_group(line), OciTotals())
        totals.rows += 1
        totals.quantity += line.quantity
        totals.quantity_overage += line.quantity_overage or 0
        totals.cost += line.cost
        totals.cost_overage += line.cost_overage
        totals.attributed_cost += line.attributed
        if line.corrects:
            voided = self.groups.setdefault(_group(line.corrects), OciTotals())
            voided.voided_rows += 1
            voided.voided_quantity += line.corrects.quantity
            voided.voided_cost += line.corrects.cost

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(totals.rows for totals in self.groups.values())

    @property
    def months(self) -> tuple[date, ...]:
        """The months that rows belong to."""
        return tuple(sorted({group.billing_period for group in self.groups}))

    def total(self, month: date | None = None, *, voiding: bool = False) -> dict[str, Decimal]:
        """The exact cost by currency, of all months or of one; ``voiding`` leaves out what corrections refer to."""
        totals: dict[str, Decimal] = {}
        for (period, currency), cost in self.by("billing_period", "currency", voiding=voiding).items():
            if currency and month in (None, period):
                totals[str(currency)] = totals.get(str(currency), ZERO) + cost
        return totals

    def by(self, *names: str, voiding: bool = False) -> dict[tuple[object, ...], Decimal]:
        """The exact cost by any of a group's names, such as ``by("usage_date", "service", "currency")``."""
        found: dict[tuple[object, ...], Decimal] = {}
        for group, totals in self.groups.items():
            key = tuple(getattr(group, name) for name in names)
            cost = totals.cost - (totals.voided_cost if voiding else 0)
            found[key] = found.get(key, ZERO) + units(cost, DIGITS)
        return found

    @classmethod
    def together(cls, parts: Iterable[OciExpected]) -> OciExpected:
        """The totals of several writings of the same bill."""
        whole = cls()
        for part in parts:
            for group, totals in part.groups.items():
                whole.groups.setdefault(group, OciTotals()).add(totals)
            whole.planted.extend(part.planted)
        return whole


def _group(line: Line) -> OciGroup:
    return OciGroup(line.day, line.resource.tenant_id, line.resource.product.service, line.currency, line.is_correction)
