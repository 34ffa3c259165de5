"""What a day is expected to cost: the median of its weekday, at the level of the last days. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from statistics import median

WEEK = 7
WEEKS = 8
LEAST_WEEKS = 3  # of a weekday: with fewer, the median of the last two weeks stands for it
LEAST_DAYS = 14  # of history: with fewer nothing is expected
_LEVELS = (Decimal("0.5"), Decimal(2))


def expected(history: Sequence[Decimal], ahead: int) -> Decimal | None:
    """What the day costs that comes ``ahead`` days after the last one of ``history`` (1: the next); None under two weeks.

    The median of the same weekday in the last 8 weeks, times the median by which the last 7 days were above or below theirs
    (between a half and twice).
    """
    if len(history) < LEAST_DAYS:
        return None
    return _weekday(history, ahead) * level(history)


def expected_days(history: Sequence[Decimal], count: int) -> list[Decimal] | None:
    """What each of the next ``count`` days costs; None under two weeks of history."""
    if len(history) < LEAST_DAYS:
        return None
    at = level(history)
    by_weekday = [_weekday(history, ahead) for ahead in range(1, WEEK + 1)]
    return [by_weekday[number % WEEK] * at for number in range(count)]


def level(history: Sequence[Decimal]) -> Decimal:
    """How the last 7 days stand to their weekdays: 1.1 is a tenth above."""
    ratios = []
    for back in range(WEEK):
        usual = _weekday(history, -back)
        if usual > 0:
            ratios.append(history[-1 - back] / usual)
    if not ratios:
        return Decimal(1)
    return min(max(median(ratios), _LEVELS[0]), _LEVELS[1])


def _weekday(history: Sequence[Decimal], ahead: int) -> Decimal:
    """The median of a weekday: that of the day ``ahead`` days after the last one."""
    position = len(history) - 1 + ahead
    last = position - WEEK * max(1, -(-(position - len(history) + 1) // WEEK)) if ahead > 0 else position
    same = [history[index] for index in range(last, max(last - WEEK * WEEKS, -1), -WEEK) if index >= 0]
    return median(same if len(same) >= LEAST_WEEKS else history[-LEAST_DAYS:])
