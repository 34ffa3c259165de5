"""Forecasts, anomalies and budgets of a lake: its history, and what the pure functions here make of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from cost_lakehouse.ask.asking import newest_month
from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.ask.request import conditions_of
from cost_lakehouse.config.budgets import BudgetSettings
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.formats.decimals import exact_sum
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.outlook.anomalies import Anomaly, Thresholds, anomalies, contributors
from cost_lakehouse.outlook.budgets import BudgetStatus, budget_status, period_of
from cost_lakehouse.outlook.forecast import Forecast, forecast, lumps_of
from cost_lakehouse.outlook.history import History, Key, NoUsage, Scope, history
from cost_lakehouse.outlook.series import Series
from cost_lakehouse.proof.settling import DEFAULT_DAYS, measured_settling, settling_days


@dataclass(frozen=True)
class Outlook:
    """A series' forecast; None where not enough is settled. ``spent`` is what is settled of the period, and its lumps."""

    key: Key
    spent: Decimal
    forecast: Forecast | None


@dataclass(frozen=True)
class Found:
    """An anomaly of a series, and the parts of it that made it, most first."""

    key: Key
    anomaly: Anomaly
    contributors: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True)
class PeriodBudget:
    """A budget of ``lakehouse.yaml`` in the period that is now."""

    budget: BudgetSettings
    begin: date
    end: date
    settled_until: date
    status: BudgetStatus


def today_of(lake: Lake, moment: datetime | None = None) -> date:
    """What today is (UTC) at a moment, now where none is given. Raises LakeError where the lake holds no bill.

    Of a lake that gets no bills any more it is the day on which its last one is settled.
    """
    newest = newest_month(lake)
    if newest is None:
        raise LakeError("The lake holds no bill yet.", "Run `cost-lakehouse run` to load what is delivered.")
    measured = measured_settling(lake)
    slowest = max((settling_days(measured, entry.source) for entry in measured), default=DEFAULT_DAYS)
    last = plus_months(newest, 1) + timedelta(days=max(slowest, 1) - 1)
    return min((moment or datetime.now(UTC)).date(), last)


def forecasts(past: History, begin: date, end: date) -> list[Outlook]:
    """What each series comes to in the whole months from ``begin`` up to ``end``, dearest first. Pure."""
    found = []
    for key, series in past.series.items():
        lumps, spent_lumps = _lumps(past, key, begin, end)
        spent = exact_sum([series.between(begin, end), spent_lumps])
        found.append(Outlook(key, spent, forecast(series, lumps, begin, end)))
    return sorted(found, key=lambda one: (-(one.forecast.total if one.forecast else one.spent), str(one.key)))


def found_anomalies(past: History, begin: date, thresholds: Thresholds, parts: History | None = None) -> list[Found]:
    """Those of every series from ``begin`` on, by impact; ``parts`` has the same costs by one further dimension. Pure."""
    inner: dict[Key, dict[str, Series]] = defaultdict(dict)
    for key, series in (parts.series if parts else {}).items():
        inner[Key(key.group[:-1], key.currency_code)][key.group[-1] or ""] = series
    found = [
        Found(key, anomaly, tuple(contributors(inner[key], anomaly)))
        for key, series in past.series.items()
        for anomaly in anomalies(series, begin, thresholds)
    ]
    return sorted(found, key=lambda one: (-abs(one.anomaly.impact), one.anomaly.first_day, str(one.key)))


def month_forecasts(
    lake: Lake, scope: Scope, groups: tuple[str, ...], month: date | None, today: date, as_of: datetime | None
) -> tuple[History, date, list[Outlook]]:
    """The forecasts of a month, by default that of ``today``, with the history they are made of and the month's first day.

    Raises ConfigurationError where it is more than a year ahead, or the scope is wrong; LakeError.
    """
    begin = month or today.replace(day=1)
    if begin > plus_months(today.replace(day=1), 11):
        raise ConfigurationError(f"The month {begin:%Y-%m} lies too far ahead.", "Forecast a month within a year.")
    past = history(lake, scope, groups, today=today, as_of=as_of, since=plus_months(begin, -1))
    return past, begin, forecasts(past, begin, plus_months(begin, 1))


def explained_by(groups: Sequence[str]) -> str:
    """The dimension whose parts say what made an anomaly of such a group."""
    return "account" if tuple(groups[:1]) == ("service",) else "service"


def explained_anomalies(
    lake: Lake,
    scope: Scope,
    groups: tuple[str, ...],
    days: int,
    thresholds: Thresholds,
    today: date,
    as_of: datetime | None,
) -> tuple[History, date, list[Found]]:
    """The anomalies of the last settled days with the parts that made them, the history, and the first day looked at.

    Raises ConfigurationError where the scope is wrong, LakeError.
    """
    past = history(lake, scope, groups, today=today, as_of=as_of)
    begin = past.settled_until - timedelta(days=days)
    found = found_anomalies(past, begin, thresholds)
    if found:
        parts = history(lake, scope, (*groups, explained_by(groups)), today=today, as_of=as_of)
        found = found_anomalies(past, begin, thresholds, parts)
    return past, begin, found


def period_budgets(lake: Lake, today: date, as_of: datetime | None = None) -> list[PeriodBudget]:
    """How each budget of ``lakehouse.yaml`` stands in the period that holds ``today``.

    Raises ConfigurationError where a condition of one is wrong, LakeError where the engine does not answer.
    """
    found = []
    for budget in lake.settings.budgets:
        begin, end = period_of(today, budget.period)
        scope = Scope(conditions_of(budget.where), conditions_of(budget.exclude), budget.basis)
        try:
            past = history(lake, scope, today=today, as_of=as_of, since=plus_months(begin, -1))
        except NoUsage:
            found.append(PeriodBudget(budget, begin, end, begin, budget_status(budget.amount, Decimal(0), None)))
            continue
        key = Key((), budget.currency)
        if key not in past.series:
            found.append(PeriodBudget(budget, begin, end, past.settled_until, budget_status(budget.amount, Decimal(0), None)))
            continue
        (outlook,) = (one for one in forecasts(past, begin, end) if one.key == key)
        found.append(
            PeriodBudget(budget, begin, end, past.settled_until, budget_status(budget.amount, outlook.spent, outlook.forecast))
        )
    return found


def _lumps(past: History, key: Key, begin: date, end: date) -> tuple[Decimal, Decimal]:
    """What a period's lumps come to, month by month, and those of them that are there already.

    Of a month that is to come, they are those of the month before it.
    """
    by_month = past.lumps.get(key, {})
    expected, there = [], []
    month, latest = begin, by_month.get(plus_months(begin, -1), {})
    while month < end:
        own = by_month.get(month, {})
        there.append(exact_sum(own.values()))
        is_over = plus_months(month, 1) <= past.settled_until
        expected.append(exact_sum(own.values()) if is_over else lumps_of(own, latest))
        latest = {**latest, **own} if not is_over else own
        month = plus_months(month, 1)
    return exact_sum(expected), exact_sum(there)
