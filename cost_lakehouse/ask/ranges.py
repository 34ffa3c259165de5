"""Which days are meant by a month, by the last days, and by what a range is compared with. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from cost_lakehouse.ask.request import Compare, Range


@dataclass(frozen=True)
class Shift:
    """How far back what is compared with lies: so many months, and so many days."""

    months: int = 0
    days: int = 0


def bill_of(month: date) -> Range:
    """The bills of the month that begins on that day."""
    return Range(month, plus_months(month, 1), of_bills=True)


def last_days(today: date, count: int) -> Range:
    """Today and the days before it, ``count`` in all."""
    return Range(today - timedelta(days=count - 1), today + timedelta(days=1))


def shift_of(asked: Range, compare: Compare) -> Shift:
    """How far back the range lies that is compared with. Whole months are compared with whole months."""
    if compare is Compare.YEAR:
        return Shift(months=12)
    if compare is Compare.MONTH:
        return Shift(months=1)
    if asked.is_months:
        return Shift(months=asked.months)
    return Shift(days=(asked.end - asked.begin).days)


def before(asked: Range, compare: Compare) -> Range:
    """The range that is compared with.

    The 31st of a month that has a 30th at most is that day: 1 to 31 October lies a month after 1 to 30 September.
    """
    shift = shift_of(asked, compare)
    if asked.is_months:
        begin, end = plus_months(asked.begin, -shift.months), plus_months(asked.end, -shift.months)
        return Range(begin, end, asked.of_bills)
    if shift.days:
        return Range(asked.begin - timedelta(days=shift.days), asked.begin)
    last = plus_months(asked.end - timedelta(days=1), -shift.months)
    return Range(plus_months(asked.begin, -shift.months), last + timedelta(days=1))


def plus_months(day: date, count: int) -> date:
    """The same day so many months later (or, negative, earlier), or that month's last one where it is shorter."""
    years, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    first = date(years, month + 1, 1)
    following = date(years + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return first.replace(day=min(day.day, (following - timedelta(days=1)).day))
