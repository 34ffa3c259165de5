"""Which days a report is of, and the dates that it is told in. Pure.

``-1``, ``-2`` and ``-3`` are the running month, the one before and the one before that: one month each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.ask.request import Compare, Granularity, Range
from cost_lakehouse.serve.koku.wrong import WrongParameter

_DAYS, _MONTHS = ("-10", "-30", "-90"), ("-1", "-2", "-3")


@dataclass(frozen=True)
class Window:
    """The days, how they are told, what a delta compares them with, and the filter with its defaults filled in."""

    range: Range
    granularity: Granularity
    compare: Compare
    shown: Mapping[str, str]

    @property
    def buckets(self) -> list[date]:
        """The first day of every part, of those without costs too."""
        if self.granularity is Granularity.DAY:
            return [self.range.begin + timedelta(days=number) for number in range((self.range.end - self.range.begin).days)]
        last = (self.range.end - timedelta(days=1)).replace(day=1)
        first = self.range.begin.replace(day=1)
        count = (last.year - first.year) * 12 + last.month - first.month + 1
        return [plus_months(first, number) for number in range(count)]

    def label(self, bucket: date) -> str:
        """A part as it is written: a day, or a month."""
        return bucket.isoformat() if self.granularity is Granularity.DAY else f"{bucket:%Y-%m}"


def window_of(scope: Mapping[str, str], begin: str | None, end: str | None, today: date, first: date) -> Window:
    """What ``filter[resolution]``, ``filter[time_scope_*]``, ``start_date`` and ``end_date`` (a part of it) mean.

    ``first`` is the oldest day that may be asked for. Raises WrongParameter.
    """
    resolution, units, value = (scope.get(name) for name in ("resolution", "time_scope_units", "time_scope_value"))
    for name, given, allowed in (
        ("resolution", resolution, ("daily", "monthly")),
        ("time_scope_units", units, ("day", "month")),
        ("time_scope_value", value, (*_DAYS, *_MONTHS)),
    ):
        if given is not None and given not in allowed:
            raise WrongParameter(name, f'"{given}" is not a valid choice.')
    if begin is not None or end is not None:
        if units is not None or value is not None:
            raise WrongParameter("error", "The parameters [start_date, end_date] may not be used with time_scope parameters.")
        return _of_dates(begin, end, resolution or "daily", today, first)
    if units is None and value is None and resolution == "monthly":
        units = "month"
    value = value or ("-1" if units == "month" else "-10")
    units = units or ("month" if value in _MONTHS else "day")
    resolution = resolution or ("monthly" if units == "month" else "daily")
    if value not in (_MONTHS if units == "month" else _DAYS):
        raise WrongParameter("time_scope_value", f"{value} does not go with time_scope_units {units}.")
    if (units, resolution) == ("day", "monthly"):
        raise WrongParameter("resolution", "monthly does not go with time_scope_units day.")
    shown = {"resolution": resolution, "time_scope_value": value, "time_scope_units": units}
    granularity = Granularity.DAY if resolution == "daily" else Granularity.MONTH
    if units == "day":
        asked = Range(today + timedelta(days=1 + int(value)), today + timedelta(days=1))
        return Window(asked, granularity, Compare.PREVIOUS, shown)
    month = plus_months(today.replace(day=1), 1 + int(value))
    until = today + timedelta(days=1) if value == "-1" else plus_months(month, 1)
    return Window(Range(month, until), granularity, Compare.MONTH, shown)


def _of_dates(begin: str | None, end: str | None, resolution: str, today: date, first: date) -> Window:
    if begin is None or end is None:
        raise WrongParameter("error", "The parameters [start_date, end_date] must both be defined.")
    days = {}
    for name, text in (("start_date", begin), ("end_date", end)):
        try:
            days[name] = date.fromisoformat(text)
        except ValueError:
            raise WrongParameter(name, "Date has wrong format. Use YYYY-MM-DD.") from None
        if not first <= days[name] <= today + timedelta(days=1):
            raise WrongParameter(name, f"Must be between {first} and {today + timedelta(days=1)}.")
    if days["end_date"] < days["start_date"]:
        raise WrongParameter("error", "start_date must be a date that is before end_date.")
    granularity = Granularity.DAY if resolution == "daily" else Granularity.MONTH
    asked = Range(days["start_date"], days["end_date"] + timedelta(days=1))
    return Window(asked, granularity, Compare.PREVIOUS, {"resolution": resolution})
