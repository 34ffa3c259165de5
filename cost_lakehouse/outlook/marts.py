"""The marts ``forecast``, ``anomalies`` and ``budgets``: what is seen ahead of the published summaries, as whole tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import md5
from typing import Any

import pyarrow as pa

from cost_lakehouse.ask.asking import newest_month
from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.formats.decimals import exact_sum, in_cents
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.small_tables import replace_table
from cost_lakehouse.lake.tables import (
    ANOMALIES,
    ANOMALY_COLUMNS,
    BUDGET_COLUMNS,
    BUDGETS,
    FORECAST,
    FORECAST_COLUMNS,
)
from cost_lakehouse.outlook.anomalies import Thresholds
from cost_lakehouse.outlook.history import HISTORY_DAYS, History, Key, NoUsage, Scope, histories
from cost_lakehouse.outlook.looking import Found, Outlook, PeriodBudget, forecasts, found_anomalies, period_budgets, today_of
from cost_lakehouse.outlook.objects import contributors_text

ALL, SERVICE, ACCOUNT = "all", "service", "account"
MOST_SERIES = 50
"""So many services and accounts are looked at one by one, the dearest of each currency; all others are part of ``all``."""
ANOMALY_DAYS = 60
RECENT = timedelta(days=7)
"""What ended no longer ago, before the first day that is not settled, is recent: bills come late."""

_BILLS, _COSTS = "marts.bill_status", "marts.daily_costs"
_BY: Mapping[str, tuple[str, ...]] = {ALL: (), SERVICE: (SERVICE,), ACCOUNT: (ACCOUNT,)}
_PARTS: Mapping[str, tuple[str, ...]] = {ALL: (SERVICE,), SERVICE: (SERVICE, ACCOUNT), ACCOUNT: (ACCOUNT, SERVICE)}
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Ahead:
    """The rows of the three marts."""

    forecast: Rows
    anomalies: Rows
    budgets: Rows


def refresh_outlook(lake: Lake, moment: datetime, changed: Collection[date] | None = None) -> Ahead | None:
    """Look ahead from the published summaries, and make that the marts; each is written only where it says something else.

    ``changed`` are the months that were published just now: where all are older than what is looked back on, nothing is done.
    None where that is so, or nothing was published ever. Raises ConfigurationError where a budget's scope is wrong, LakeError.
    """
    if lake.table_or_none(_BILLS) is None or lake.table_or_none(_COSTS) is None or newest_month(lake) is None:
        return None
    today = today_of(lake, moment)
    # A budget's year may begin before the history does.
    oldest = min(today - timedelta(days=HISTORY_DAYS), plus_months(today.replace(month=1, day=1), -1))
    if changed is not None and all(month < oldest.replace(day=1) for month in changed):
        return None
    ahead = look_ahead(lake, today)
    _write(lake, FORECAST, FORECAST_COLUMNS, ahead.forecast)
    _write(lake, ANOMALIES, ANOMALY_COLUMNS, ahead.anomalies)
    _write(lake, BUDGETS, BUDGET_COLUMNS, ahead.budgets)
    return ahead


def look_ahead(lake: Lake, today: date) -> Ahead:
    """The rows of the three marts on that day, from costs as they are billed; none where nothing is used any more.

    Forecasts are of the month that is now, and of the newest one with bills where that is another.
    """
    newest = newest_month(lake)
    months = sorted({today.replace(day=1), *([newest] if newest else [])})[:2]
    groupings = list(dict.fromkeys((*_BY.values(), *_PARTS.values())))
    try:
        by = dict(
            zip(groupings, histories(lake, Scope(), groupings, today=today, since=plus_months(months[0], -1)), strict=True)
        )
    except NoUsage:
        return Ahead([], [], [])
    forecast: Rows = []
    found: Rows = []
    for dimension, groups in _BY.items():
        past = dearest(by[groups])
        for begin in months:
            forecast += [
                forecast_row(dimension, one, past, begin, today) for one in forecasts(past, begin, plus_months(begin, 1))
            ]
        since = past.settled_until - timedelta(days=ANOMALY_DAYS)
        inner = _PARTS[dimension][-1]
        for one in found_anomalies(past, since, Thresholds(), by[_PARTS[dimension]]):
            found.append(anomaly_row(dimension, one, inner, past.settled_until))
    budgets = [budget_row(one) for one in period_budgets(lake, today)] if lake.settings.budgets else []
    return Ahead(forecast, found, budgets)


def dearest(past: History, most: int = MOST_SERIES) -> History:
    """The series of each currency that cost most, either way, in the last 60 settled days. Pure."""
    begin = past.settled_until - timedelta(days=ANOMALY_DAYS)
    weights = {
        key: exact_sum(abs(amount) for amount in series.amounts[max(series.index(begin), 0) :])
        for key, series in past.series.items()
    }
    kept: list[Key] = []
    for currency in {key.currency_code for key in weights}:
        own = [key for key in weights if key.currency_code == currency]
        kept += sorted(own, key=lambda key: (-weights[key], str(key)))[:most]
    return History({key: past.series[key] for key in kept}, past.lumps, past.settled_until, past.decided_by)


def reportable(anomalies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows of the mart that somebody should know of: recent ones, each cause once. Pure.

    A service's come first; the whole's where no service has one in its days, and an account's where neither has.
    """
    chosen: list[Mapping[str, Any]] = []
    for dimension in (SERVICE, ALL, ACCOUNT):
        for row in anomalies:
            if row["dimension"] == dimension and row["is_recent"] and not any(_overlap(row, other) for other in chosen):
                chosen.append(row)
    return sorted(chosen, key=lambda row: (-abs(row["impact"]), row["anomalies_id"]))


def stored(lake: Lake, name: str, schema: pa.Schema) -> Rows:
    """The rows that one of the marts holds, by their ids. Raises LakeError."""
    with connect(lake, [name]) as connection:
        columns = ", ".join(schema.names)
        return list(connection.execute(f"select {columns} from {name} order by 1").to_arrow_table().to_pylist())


def forecast_row(dimension: str, one: Outlook, past: History, begin: date, today: date) -> dict[str, Any]:
    """A row of ``marts.forecast``: estimates in cents, what is settled exactly."""
    ahead = one.forecast
    tried = None if ahead is None else ahead.backtest
    value = one.key.group[0] if one.key.group else None
    return {
        "forecast_id": _id(begin, dimension, value, one.key.currency_code),
        "billing_period": begin,
        "dimension": dimension,
        "value": value,
        "currency_code": one.key.currency_code,
        "settled_until": past.settled_until,
        "decided_by": past.decided_by,
        "settled_cost": one.spent,
        "forecast_cost": _cents(None if ahead is None else ahead.total),
        "low": _cents(None if ahead is None else ahead.low),
        "high": _cents(None if ahead is None else ahead.high),
        "mean_error_percent": _cents(None if tried is None else tried.mean_percent),
        "coverage": _cents(None if tried is None else tried.coverage),
        "windows": 0 if tried is None else len(tried.residuals),
        "looked_on": today,
    }


def anomaly_row(dimension: str, one: Found, inner: str, settled_until: date) -> dict[str, Any]:
    """A row of ``marts.anomalies``."""
    found = one.anomaly
    value = one.key.group[0] if one.key.group else None
    return {
        "anomalies_id": _id(dimension, value, one.key.currency_code, found.first_day),
        "dimension": dimension,
        "value": value,
        "currency_code": one.key.currency_code,
        "kind": found.kind,
        "first_day": found.first_day,
        "last_day": found.last_day,
        "cost": found.cost,
        "expected_cost": _cents(found.expected),
        "impact": _cents(found.impact),
        "is_open": found.is_open,
        "is_recent": settled_until - found.last_day <= RECENT,
        "contributors": contributors_text(one, inner),
        "settled_until": settled_until,
    }


def budget_row(one: PeriodBudget) -> dict[str, Any]:
    """A row of ``marts.budgets``."""
    return {
        "budgets_id": _id(one.budget.name, one.begin),
        "budget": one.budget.name,
        "period": one.budget.period,
        "period_begin": one.begin,
        "period_end": one.end,
        "currency_code": one.budget.currency,
        "amount": one.budget.amount,
        "spent": one.status.spent,
        "used_percent": _cents(one.status.used_percent),
        "forecast_cost": _cents(one.status.forecast),
        "state": one.status.state,
        "exceeded_on": one.status.exceeded_on,
        "settled_until": one.settled_until,
        "severity": one.budget.severity,
    }


def _overlap(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(
        row["dimension"] != other["dimension"]
        and row["currency_code"] == other["currency_code"]
        and row["first_day"] <= other["last_day"]
        and other["first_day"] <= row["last_day"]
    )


def _write(lake: Lake, name: str, schema: pa.Schema, rows: Rows) -> None:
    whole = pa.Table.from_pylist(rows, schema=schema).to_pylist()  # decimals as they come back
    if sorted(whole, key=lambda row: str(row[schema.names[0]])) != stored(lake, name, schema):
        replace_table(lake, name, schema, rows)


def _cents(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else in_cents(amount)


def _id(*parts: object) -> str:
    return md5("|".join(map(_text, parts)).encode(), usedforsecurity=False).hexdigest()


def _text(part: object) -> str:
    return "" if part is None else str(part)
