"""How long a day's costs keep growing, measured from the lake's own ledger of changes: ``marts.settling``.

A forecast on days that are still growing is too low. How long they grow is not what a provider promises but what it did: how
much of what day D cost in the end was known on D, D + 1, D + 2 …
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.small_tables import replace_table
from cost_lakehouse.lake.tables import SETTLING, SETTLING_COLUMNS

LONGEST_DAYS = 10
"""What changes a day later than so many days after it is a correction; a day is measured once it is so old."""
FIRST_SEEN_DAYS = 3
"""A day that was first delivered later was not watched while it grew: a backfill tells nothing."""
FEWEST_DAYS = 7
USUAL_PART = Decimal("0.9")
SETTLED_GROWTH = Decimal("0.01")
DEFAULT_DAYS = 2
WATCHED_DAYS = 120
USAGE = ("Usage", "DiscountedUsage", "SavingsPlanCoveredUsage")
_LEDGER = "marts.cost_changes"
_PRECISION = Decimal("0.000001")


@dataclass(frozen=True)
class DayChange:
    """What one delivery changed in the cost of a day's usage; ``changed_at`` is UTC without zone."""

    source: str
    currency_code: str
    usage_date: date
    changed_at: datetime
    billed_cost_change: Decimal


@dataclass(frozen=True)
class Settling:
    """How far a source's days were known ``days_after`` them: ``known_cost`` of ``final_cost``, of ``days`` measured days.

    Growths are parts of a day's final cost that came later: the middle day's, and what 9 of 10 days do not exceed.
    ``is_settled``: from then on the latter is at most 1 %.
    """

    source: str
    currency_code: str
    days_after: int
    days: int
    known_cost: Decimal
    final_cost: Decimal
    median_growth: Decimal
    usual_growth: Decimal
    is_settled: bool


def settling_of(changes: Iterable[DayChange]) -> list[Settling]:
    """Measure every source and currency, by days after; those with fewer than a week of measured days are left out. Pure.

    Give it usage alone: fees, tax and credits come in lumps, and say nothing of days. Currencies are measured apart.
    """
    by_day: dict[tuple[str, str], dict[date, list[DayChange]]] = {}
    newest: dict[str, datetime] = {}
    for change in changes:
        by_day.setdefault((change.source, change.currency_code), {}).setdefault(change.usage_date, []).append(change)
        newest[change.source] = max(change.changed_at, newest.get(change.source, change.changed_at))
    found: list[Settling] = []
    for (source, currency), days in sorted(by_day.items()):
        # A source that delivers no more leaves its last days as they are: they are not known to be whole.
        measured_before = newest[source].date() - timedelta(days=LONGEST_DAYS)
        known = [_known(day, of_day) for day, of_day in sorted(days.items()) if day <= measured_before]
        watched = [amounts for amounts in known if amounts]
        if len(watched) >= FEWEST_DAYS:
            found += _measured(source, currency, watched)
    return found


def refresh_settling(lake: Lake, today: date) -> bool:
    """Measure again, and make that ``marts.settling`` where it is something else than before; whether it was.

    Days of the last months count, so that a provider that became faster is known to be. Raises LakeError.
    """
    with connect(lake, [_LEDGER, SETTLING]) as connection:
        changes = connection.execute(
            "select source, coalesce(currency_code, ''), usage_date, changed_at, sum(billed_cost) from marts.cost_changes "
            "where usage_date >= ? and list_contains(?, line_item_type) group by 1, 2, 3, 4",
            [today - timedelta(days=WATCHED_DAYS), list(USAGE)],
        ).fetchall()
        columns = ", ".join(SETTLING_COLUMNS.names)
        known = connection.execute(f"select {columns} from marts.settling order by all").fetchall()
    measured = [entry.__dict__ for entry in settling_of(DayChange(*change) for change in changes)]
    if sorted(tuple(row[name] for name in SETTLING_COLUMNS.names) for row in measured) == known:
        return False
    replace_table(lake, SETTLING, SETTLING_COLUMNS, measured)
    return True


def measured_settling(lake: Lake) -> list[Settling]:
    """What was measured last. Raises LakeError."""
    with connect(lake, [SETTLING]) as connection:
        columns = ", ".join(SETTLING_COLUMNS.names)
        return [Settling(*row) for row in connection.execute(f"select {columns} from marts.settling").fetchall()]


def settling_days(measured: Sequence[Settling], source: str) -> int:
    """After how many days a source's costs are settled, in all of its currencies; the default where nothing was measured."""
    own = [entry for entry in measured if entry.source == source]
    unsettled = [entry.days_after for entry in own if not entry.is_settled]
    return max(unsettled, default=-1) + 1 if own else DEFAULT_DAYS


def _known(day: date, changes: Sequence[DayChange]) -> list[Decimal]:
    """What was known of a day's cost on it and after 1, 2 … days; empty where it was not watched, or costs nothing."""
    steps = [Decimal(0)] * (LONGEST_DAYS + 1)
    lags = [max((change.changed_at.date() - day).days, 0) for change in changes]
    for lag, change in zip(lags, changes, strict=True):
        if lag <= LONGEST_DAYS:
            steps[lag] = EXACT.add(steps[lag], change.billed_cost_change)
    amounts: list[Decimal] = []
    for step in steps:
        amounts.append(EXACT.add(amounts[-1] if amounts else Decimal(0), step))
    return amounts if amounts[-1] and min(lags) <= FIRST_SEEN_DAYS else []


def _measured(source: str, currency: str, watched: Sequence[Sequence[Decimal]]) -> list[Settling]:
    rows: list[tuple[int, Decimal, Decimal, Decimal, Decimal]] = []
    final = sum((amounts[-1] for amounts in watched), Decimal(0))
    for lag in range(LONGEST_DAYS + 1):
        growths = sorted(_part(abs(EXACT.subtract(amounts[-1], amounts[lag])), abs(amounts[-1])) for amounts in watched)
        known = sum((amounts[lag] for amounts in watched), Decimal(0))
        rows.append((lag, known, final, _quantile(growths, Decimal("0.5")), _quantile(growths, USUAL_PART)))
    settled_from = max((lag for lag, _, _, _, usual in rows if usual > SETTLED_GROWTH), default=-1) + 1
    return [
        Settling(source, currency, lag, len(watched), known, whole, median, usual, lag >= settled_from)
        for lag, known, whole, median, usual in rows
    ]


def _part(amount: Decimal, whole: Decimal) -> Decimal:
    return (amount / whole).quantize(_PRECISION, rounding=ROUND_HALF_EVEN)


def _quantile(ordered: Sequence[Decimal], part: Decimal) -> Decimal:
    """The value that so many of them do not exceed: one of them, none in between."""
    return ordered[math.ceil(part * len(ordered)) - 1]
