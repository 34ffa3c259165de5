"""Days that cost what nobody expected: farther from the baseline than the series usually strays. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median
from typing import Literal

from cost_lakehouse.formats.decimals import exact_sum
from cost_lakehouse.outlook.baseline import LEAST_DAYS, WEEK, WEEKS, expected, expected_days
from cost_lakehouse.outlook.series import Series

_MAD_TO_DEVIATION = Decimal("1.4826")
_LEAST_RESIDUALS = WEEK  # with fewer nobody knows how far the series usually strays
Kind = Literal["rise", "drop", "new"]


@dataclass(frozen=True)
class Thresholds:
    """A day is one when all are passed: ``deviations`` robust standard deviations, an amount in its currency, a percentage."""

    deviations: Decimal = Decimal(4)
    amount: Decimal = Decimal(10)
    percent: Decimal = Decimal(25)


@dataclass(frozen=True)
class Anomaly:
    """Days in a row that were not expected. ``new``: nothing was before. ``is_open``: it goes on till the last settled day."""

    kind: Kind
    first_day: date
    last_day: date
    cost: Decimal
    expected: Decimal
    is_open: bool

    @property
    def impact(self) -> Decimal:
        """By how much it cost more than expected."""
        return self.cost - self.expected


def anomalies(series: Series, begin: date, thresholds: Thresholds) -> list[Anomaly]:
    """Those of the days from ``begin`` on, in order; days with less than three weeks before them are never one.

    Each day is judged by the days before it alone, as it would have been judged then: a later day changes no judgement.
    """
    amounts = series.amounts
    first = max(series.index(begin), LEAST_DAYS)
    needed = first - WEEK * WEEKS
    bases = [expected(amounts[:index], 1) if index >= needed else None for index in range(len(amounts))]
    found: list[Anomaly] = []
    run: list[int] = []
    kind: Kind | None = None

    def close() -> None:
        if run and kind is not None:
            cost, base = exact_sum(amounts[index] for index in run), exact_sum(_known(bases[index]) for index in run)
            last = series.day(run[-1])
            found.append(Anomaly(kind, series.day(run[0]), last, cost, base, run[-1] == len(amounts) - 1))
        run.clear()

    for index in range(first, len(amounts)):
        is_first = not any(amounts[:index])
        judged = _judged(amounts, bases, index, thresholds)
        new_kind: Kind | None = "new" if judged == "rise" and (is_first or (run and kind == "new")) else judged
        if new_kind != kind:
            close()
        kind = new_kind
        if new_kind is not None:
            run.append(index)
    close()
    return found


def contributors(parts: Mapping[str, Series], anomaly: Anomaly, most: int = 3) -> list[tuple[str, Decimal]]:
    """Which of the parts of a series made an anomaly: each with how far it was from its own baseline, most first."""
    strayed = []
    for name, series in parts.items():
        first, after = series.index(anomaly.first_day), series.index(anomaly.last_day) + 1
        usual = expected_days(series.amounts[:first], after - first) or []
        impact = exact_sum(series.amounts[first:after]) - exact_sum(usual)
        if impact and (impact > 0) == (anomaly.impact > 0):
            strayed.append((name, impact))
    return sorted(strayed, key=lambda part: (-abs(part[1]), part[0]))[:most]


def _judged(
    amounts: Sequence[Decimal], bases: Sequence[Decimal | None], index: int, thresholds: Thresholds
) -> Literal["rise", "drop"] | None:
    base = bases[index]
    if base is None:
        return None
    away = amounts[index] - base
    before = range(max(index - WEEK * WEEKS, 0), index)
    residuals = [abs(amounts[day] - base_then) for day in before if (base_then := bases[day]) is not None]
    if len(residuals) < _LEAST_RESIDUALS:
        return None
    usual = median(residuals) * _MAD_TO_DEVIATION
    passed = (
        abs(away) > thresholds.deviations * usual
        and abs(away) > thresholds.amount
        and abs(away) * 100 > thresholds.percent * abs(base)
    )
    if not passed:
        return None
    return "rise" if away > 0 else "drop"


def _known(base: Decimal | None) -> Decimal:
    return Decimal(0) if base is None else base
