"""How well anomalies are found, and months forecast, on series with planted anomalies: ours beside other tools' methods.

    uv run python -m benchmarks.anomalies

A series has 150 days: weekdays and weekends, a slow trend, noise of 6 %, and from day 60 on three planted anomalies (a day at
1.6 to 3 times its cost, three such days, a day at a tenth). The others' methods are rebuilt from what their code does:

- OptScale: a day is one where it is more than 30 % above the average of the 7 days before it: drops are none. A month is its
  cost so far, and the daily average for each day that is left.
- Koku: outliers of the last 30 days are left out by quartiles, a straight line is laid through the others, and goes on.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from cost_lakehouse.outlook.anomalies import Thresholds, anomalies
from cost_lakehouse.outlook.baseline import expected_days
from cost_lakehouse.outlook.series import Series

BEGIN, DAYS, FIRST = date(2026, 1, 5), 150, 60
_WEEK = (1.0, 1.02, 1.01, 1.0, 0.97, 0.55, 0.45)


@dataclass(frozen=True)
class Planted:
    """A series, and the days on which something was planted, by event."""

    amounts: tuple[float, ...]
    clean: tuple[float, ...]
    events: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Score:
    """``recall``: the share of events of which a day was found. ``false_a_month``: other days found, in 30 days of a series."""

    recall: float
    false_a_month: float


def planted(seed: int) -> Planted:
    """One series; the same seed gives the same."""
    chance = random.Random(seed)
    size, trend = chance.uniform(80, 2000), chance.uniform(-0.001, 0.003)
    clean = [size * _WEEK[day % 7] * (1 + trend * day) * max(chance.gauss(1, 0.06), 0.5) for day in range(DAYS)]
    amounts = list(clean)
    events = []
    for number, (length, factor) in enumerate(((1, chance.uniform(1.6, 3)), (3, chance.uniform(1.6, 3)), (1, 0.1))):
        first = FIRST + number * 30 + chance.randrange(5, 25)
        days = tuple(range(first, first + length))
        for day in days:
            amounts[day] *= factor
        events.append(days)
    return Planted(tuple(amounts), tuple(clean), tuple(events))


def ours(amounts: Sequence[float]) -> set[int]:
    """The days that this project finds."""
    series = Series(BEGIN, tuple(Decimal(f"{amount:.6f}") for amount in amounts))
    found = anomalies(series, BEGIN + timedelta(days=FIRST), Thresholds())
    return {day for one in found for day in range(series.index(one.first_day), series.index(one.last_day) + 1)}


def optscale(amounts: Sequence[float]) -> set[int]:
    """Those above 130 % of the average of the week before."""
    return {day for day in range(FIRST, len(amounts)) if amounts[day] > 1.3 * statistics.fmean(amounts[day - 7 : day])}


FINDERS: dict[str, Callable[[Sequence[float]], set[int]]] = {"ours": ours, "OptScale": optscale}


def score(method: str, seeds: Iterable[int]) -> Score:
    """How a method does on these series."""
    events = caught = wrong = series = 0
    for seed in seeds:
        made = planted(seed)
        found = FINDERS[method](made.amounts)
        series += 1
        events += len(made.events)
        caught += sum(bool(found.intersection(days)) for days in made.events)
        wrong += len(found.difference(day for days in made.events for day in days))
    return Score(caught / events, wrong / series / ((DAYS - FIRST) / 30))


def ours_ahead(history: Sequence[float], count: int) -> float:
    """What this project says that the next days come to."""
    return float(sum(expected_days([Decimal(f"{amount:.6f}") for amount in history], count) or []))


def optscale_ahead(history: Sequence[float], count: int) -> float:
    """The average of the month so far, here its last 15 days."""
    return statistics.fmean(history[-15:]) * count


def koku_ahead(history: Sequence[float], count: int) -> float:
    """A straight line through the last 30 days without outliers, never below 0."""
    days = list(enumerate(history[-30:]))
    low, _, high = statistics.quantiles([amount for _, amount in days], n=4)
    spread = 1.5 * (high - low)
    kept = [(day, amount) for day, amount in days if low - spread <= amount <= high + spread]
    slope, base = statistics.linear_regression(*zip(*kept, strict=True))
    return sum(max(base + slope * (len(days) + day), 0) for day in range(count))


AHEAD: dict[str, Callable[[Sequence[float], int], float]] = {
    "ours": ours_ahead,
    "OptScale": optscale_ahead,
    "Koku": koku_ahead,
}


def error_percent(method: str, seeds: Iterable[int], count: int = 15) -> float:
    """How far a method's forecasts of the next days are off in the mean, of what those days cost without planted ones."""
    errors = []
    for seed in seeds:
        made = planted(seed)
        for at in range(90, DAYS - count + 1, 15):
            cost = sum(made.clean[at : at + count])
            errors.append(abs(AHEAD[method](made.amounts[:at], count) - cost) / cost * 100)
    return statistics.fmean(errors)


def main(series: int = 200) -> None:
    """Print both tables."""
    print(f"{series} series of {DAYS} days, judged from day {FIRST} on")
    for method in FINDERS:
        result = score(method, range(series))
        print(f"  {method:10} recall {result.recall:6.1%}   false alarms {result.false_a_month:5.2f} a month and series")
    print("mean error of the next 15 days")
    for method in AHEAD:
        print(f"  {method:10} {error_percent(method, range(series)):5.1f} %")


if __name__ == "__main__":
    main()
