"""What a period comes to: its settled days, the baseline of the days that are left, and how far off that was. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from cost_lakehouse.formats.decimals import exact_sum
from cost_lakehouse.outlook.baseline import LEAST_WEEKS, WEEK, expected_days
from cost_lakehouse.outlook.series import RECURRING_LUMPS, Series

WINDOWS = 8
_LEAST_TRIED = LEAST_WEEKS * WEEK  # days before a window: with fewer its weekdays are not known
_LOW, _HIGH = Decimal("0.1"), Decimal("0.9")


@dataclass(frozen=True)
class Backtest:
    """How the same forecast did on days that are known: so many windows, as long as what is forecast now.

    ``residuals`` are what it cost less what was forecast. ``mean_percent`` is the mean error, None where nothing was spent;
    ``coverage`` the share of windows that lay in the range of the others.
    """

    residuals: tuple[Decimal, ...]
    mean_percent: Decimal | None
    coverage: Decimal | None


@dataclass(frozen=True)
class Forecast:
    """``settled`` and ``lumps`` are known or as last month; ``days`` is what is left, each day's amount.

    ``low`` and ``high`` hold it and 8 in 10 of the backtest's errors; None where no window of this length could be tried.
    """

    begin: date
    end: date
    settled_until: date
    settled: Decimal
    lumps: Decimal
    days: tuple[Decimal, ...]
    low: Decimal | None
    high: Decimal | None
    backtest: Backtest

    @property
    def total(self) -> Decimal:
        """What the whole period comes to."""
        return self.settled + self.lumps + exact_sum(self.days)


def forecast(series: Series, lumps: Decimal, begin: date, end: date) -> Forecast | None:
    """What the days from ``begin`` up to ``end`` come to; ``series`` ends with the last settled day.

    None where fewer than 14 days are settled: not enough history.
    """
    count = max((end - max(series.end, begin)).days, 0)
    skipped = max((begin - series.end).days, 0)
    ahead = expected_days(series.amounts, count + skipped)
    if ahead is None:
        return None
    days = tuple(ahead[skipped:])
    settled = series.between(begin, end)
    tried = backtest(series, count)
    total = settled + lumps + exact_sum(days)
    low, high = None, None
    if count == 0:
        low = high = total
    elif tried.residuals:
        low = min(total, total + quantile(tried.residuals, _LOW))
        high = max(total, total + quantile(tried.residuals, _HIGH))
    return Forecast(begin, end, series.end, settled, lumps, days, low, high, tried)


def backtest(series: Series, length: int) -> Backtest:
    """The same forecast of ``length`` days, made a week before the last possible one, two weeks, and so on."""
    residuals: list[Decimal] = []
    errors: list[Decimal] = []
    for number in range(WINDOWS if length else 0):
        at = len(series.amounts) - length - WEEK * number
        if at < _LEAST_TRIED:
            break
        said = expected_days(series.amounts[:at], length)
        cost = exact_sum(series.amounts[at : at + length])
        residuals.append(cost - exact_sum(said or []))
        if cost:
            errors.append(abs(residuals[-1] / cost) * 100)
    mean = exact_sum(errors) / len(errors) if errors else None
    return Backtest(tuple(residuals), mean, _coverage(residuals))


def lumps_of(this_month: Mapping[tuple[str, str], Decimal], last_month: Mapping[tuple[str, str], Decimal]) -> Decimal:
    """What comes once a month, by type and service: as this month has it, else (what recurs) as the month before had it."""
    expected = [amount for key, amount in last_month.items() if key[0] in RECURRING_LUMPS and key not in this_month]
    return exact_sum([*this_month.values(), *expected])


def quantile(values: Sequence[Decimal], share: Decimal) -> Decimal:
    """The value below which that share lies, between two by proportion."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def crossing(forecast: Forecast, amount: Decimal) -> date | None:
    """The day on which the period's costs pass an amount: the first of those that are left; None where they never do."""
    reached = forecast.settled + forecast.lumps
    for number, cost in enumerate(forecast.days):
        reached += cost
        if reached > amount:
            return max(forecast.settled_until, forecast.begin) + timedelta(days=number)
    return None


def _coverage(residuals: Sequence[Decimal]) -> Decimal | None:
    if len(residuals) < 3:
        return None
    held = 0
    for number, residual in enumerate(residuals):
        others = [*residuals[:number], *residuals[number + 1 :]]
        held += quantile(others, _LOW) <= residual <= quantile(others, _HIGH)
    return Decimal(held) / len(residuals)
