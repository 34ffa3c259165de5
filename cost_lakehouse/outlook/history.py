"""What the lake says of the last months, as series: by group and currency, lumps apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.ask.asking import answer
from cost_lakehouse.ask.dimensions import check_money
from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.ask.request import Condition, Granularity, Range, Request
from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.outlook.series import Series, lumps_among, series_of, settled_end
from cost_lakehouse.proof.settling import Settling, measured_settling, settling_days

HISTORY_DAYS = 210
"""8 weeks for a baseline, 8 weeks to know how far days stray from it, and 8 windows of a month to try a forecast on."""

_GONE_DAYS = 35  # a source without usage for so long holds nobody back
_OWN_GROUPS = ("source", "type", "service")

Group = tuple[str | None, ...]


class NoUsage(LakeError):
    """There is nothing to look ahead from."""


@dataclass(frozen=True)
class Scope:
    """Which costs are looked at: conditions as ``costs`` has them, and the basis."""

    filters: tuple[Condition, ...] = ()
    excludes: tuple[Condition, ...] = ()
    basis: str = "billed"


@dataclass(frozen=True)
class Key:
    """One series: the values of what is grouped by, and the currency."""

    group: Group
    currency_code: str | None


@dataclass(frozen=True)
class History:
    """Costs up to ``settled_until``, which is the first day that is not settled; ``decided_by`` is the source that says so.

    ``lumps`` are what came once or a few times, by series, month (its first day), type and service; of all days.
    """

    series: dict[Key, Series]
    lumps: dict[Key, dict[date, dict[tuple[str, str], Decimal]]]
    settled_until: date
    decided_by: str


def history(
    lake: Lake, scope: Scope, by: tuple[str, ...] = (), *, today: date, as_of: datetime | None = None, since: date | None = None
) -> History:
    """The costs of the last 210 days before ``today``, or since an earlier day, in series by ``by``: 1 dimension at most.

    Raises LakeError where there is nothing to look at, or the engine does not answer; ConfigurationError where a dimension is
    none.
    """
    (found,) = histories(lake, scope, (by,), today=today, as_of=as_of, since=since)
    return found


def histories(
    lake: Lake,
    scope: Scope,
    bys: Sequence[tuple[str, ...]],
    *,
    today: date,
    as_of: datetime | None = None,
    since: date | None = None,
) -> list[History]:
    """The same costs in series by each of several dimensions, of which one may be none of source, type and service.

    Asked once. Raises as ``history``.
    """
    check_money(scope.basis)
    begin = min(today - timedelta(days=HISTORY_DAYS), since or today)
    groups = tuple(dict.fromkeys((*_OWN_GROUPS, *(name for by in bys for name in by))))
    asked = Request(
        Range(begin, plus_months(today.replace(day=1), 1)),
        Granularity.DAY,
        groups,
        scope.filters,
        scope.excludes,
        scope.basis,
    )
    rows, measured = answer(lake, asked, as_of).rows, measured_settling(lake)
    return [history_of(rows, groups, by, begin, today, measured) for by in bys]


def history_of(
    rows: Sequence[Row],
    groups: tuple[str, ...],
    by: tuple[str, ...],
    begin: date,
    today: date,
    measured: Sequence[Settling] = (),
) -> History:
    """The series of daily rows, which are grouped by ``groups``: source, type and service among them. Pure.

    ``measured`` says how long days of each source grow; 2 days where nothing was measured.
    Raises NoUsage where there are no rows.
    """
    places = [groups.index(name) for name in by]
    source_at, type_at, service_at = (groups.index(name) for name in _OWN_GROUPS)
    newest: dict[str, date] = {}
    usage: dict[Key, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    lumps: dict[Key, dict[date, dict[tuple[str, str], Decimal]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(Decimal))
    )
    days: dict[str, set[date]] = defaultdict(set)
    for row in rows:
        if row.bucket is not None:
            days[row.values[type_at] or ""].add(row.bucket)
    kinds_of_lumps = lumps_among(days)
    for row in rows:
        if row.bucket is None:
            continue
        key = Key(tuple(row.values[place] for place in places), row.currency_code)
        kind, service = row.values[type_at] or "", row.values[service_at] or ""
        if kind in kinds_of_lumps:
            month = lumps[key][row.bucket.replace(day=1)]
            month[kind, service] = EXACT.add(month[kind, service], row.cost)
            continue
        source = row.values[source_at] or ""
        if row.bucket <= today:
            newest[source] = max(newest.get(source, row.bucket), row.bucket)
        usage[key][row.bucket] = EXACT.add(usage[key][row.bucket], row.cost)
    if not newest:
        raise NoUsage(
            f"There is no usage since {begin} to look ahead from.",
            "Run `cost-lakehouse run`, or choose other conditions; `cost-lakehouse costs` shows what there is.",
        )
    latest = max(newest.values())
    still = {source: day for source, day in newest.items() if (latest - day).days < _GONE_DAYS}
    until, decided_by = settled_end(still, today, {source: settling_days(measured, source) for source in still})
    # Days before any usage say nothing, where the lake is younger than the range.
    first = min((day for days in usage.values() for day in days), default=begin)
    return History(
        {key: series_of(usage.get(key, {}), first, until) for key in {*usage, *lumps}},
        {key: {month: dict(kinds) for month, kinds in found.items()} for key, found in lumps.items()},
        until,
        decided_by,
    )
