"""Costs by day, without a gap: what everything here is worked out from. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from cost_lakehouse.formats.decimals import exact_sum

LUMPS = frozenset({"Tax", "Fee", "RIFee", "SavingsPlanUpfrontFee", "Credit", "Refund", "Adjustment", "Purchase", "Correction"})
"""Types of lines that come once or a few times a month, and say nothing of the days after (dimension ``type``)."""

_LUMP_DAYS = 3  # a month

DISCOUNTS = frozenset({"Discount", "EdpDiscount", "PrivateRateDiscount", "RiVolumeDiscount", "BundledDiscount"})
"""Types of lines that come beside each day's usage in some bills, and once a month in others: their days tell."""

RECURRING_LUMPS = frozenset({"Tax", "RIFee", "Credit"}) | DISCOUNTS
"""Those of them that come again every month: until a month has its own, the month before says what to expect."""


@dataclass(frozen=True)
class Series:
    """The amount of each day from ``begin`` on; a day without costs is 0."""

    begin: date
    amounts: tuple[Decimal, ...]

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.begin + timedelta(days=len(self.amounts))

    def day(self, index: int) -> date:
        """The day at a position."""
        return self.begin + timedelta(days=index)

    def index(self, day: date) -> int:
        """The position of a day; outside of the series too."""
        return (day - self.begin).days

    def between(self, begin: date, end: date) -> Decimal:
        """What the days from ``begin`` up to ``end`` come to, exactly."""
        return exact_sum(self.amounts[max(self.index(begin), 0) : max(self.index(end), 0)])

    def until(self, end: date) -> Series:
        """The days before ``end`` alone."""
        return Series(self.begin, self.amounts[: max(self.index(end), 0)])


def series_of(costs: Mapping[date, Decimal], begin: date, end: date) -> Series:
    """The days from ``begin`` up to ``end`` out of those that cost something."""
    days = (end - begin).days
    return Series(begin, tuple(costs.get(begin + timedelta(days=number), Decimal(0)) for number in range(days)))


def lumps_among(days: Mapping[str, Collection[date]]) -> frozenset[str]:
    """Which types of lines are lumps; discounts are where they came on 3 days of each month at most."""
    monthly = {name: Counter(day.replace(day=1) for day in found) for name, found in days.items() if name in DISCOUNTS}
    return LUMPS | {name for name, months in monthly.items() if max(months.values(), default=0) <= _LUMP_DAYS}


def settled_end(newest: Mapping[str, date], today: date, settling_days: Mapping[str, int]) -> tuple[date, str]:
    """The day before which all sources' days are settled, and the source that decides.

    ``newest`` is the last day of usage by source. Days younger than the source's ``settling_days`` still grow, and so may its
    last one, unless it ends a month.
    """
    ends = {}
    for source, last in newest.items():
        following = last + timedelta(days=1)
        latest = today - timedelta(days=settling_days[source] - 1)
        ends[source] = min(following if following.day == 1 else last, latest)
    source = min(ends, key=lambda name: (ends[name], name))
    return ends[source], source
