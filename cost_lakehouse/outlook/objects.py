"""Forecasts, anomalies and budgets as other programs read them: amounts as text, estimates in cents. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from cost_lakehouse.formats.decimals import in_cents
from cost_lakehouse.outlook.history import History
from cost_lakehouse.outlook.looking import Found, Outlook, PeriodBudget


def _text(amount: Decimal) -> str:
    return f"{in_cents(amount):f}"


def contributors_text(one: Found, inner: str) -> str:
    """What made an anomaly, as the JSON text that its mart holds: parts by the dimension ``inner``, amounts as text."""
    return json.dumps([{inner: name, "impact": _text(amount)} for name, amount in one.contributors], ensure_ascii=False)


def forecast_object(one: Outlook, groups: Sequence[str], past: History, begin: date) -> dict[str, Any]:
    """What a series comes to in the month that begins on that day."""
    ahead = one.forecast
    tried = None if ahead is None else ahead.backtest
    return {
        **dict(zip(groups, one.key.group, strict=True)),
        "month": f"{begin:%Y-%m}",
        "currency_code": one.key.currency_code,
        "settled_until": past.settled_until,
        "settled_cost": one.spent,
        "forecast_cost": None if ahead is None else _text(ahead.total),
        "low": None if ahead is None or ahead.low is None else _text(ahead.low),
        "high": None if ahead is None or ahead.high is None else _text(ahead.high),
        "mean_error_percent": None if tried is None or tried.mean_percent is None else _text(tried.mean_percent),
        "coverage": None if tried is None or tried.coverage is None else _text(tried.coverage),
        "windows": 0 if tried is None else len(tried.residuals),
    }


def anomaly_object(one: Found, groups: Sequence[str], inner: str) -> dict[str, Any]:
    """An anomaly, and its parts by the dimension ``inner``."""
    found = one.anomaly
    return {
        "kind": found.kind,
        **dict(zip(groups, one.key.group, strict=True)),
        "currency_code": one.key.currency_code,
        "first_day": found.first_day,
        "last_day": found.last_day,
        "cost": found.cost,
        "expected_cost": _text(found.expected),
        "impact": _text(found.impact),
        "is_open": found.is_open,
        "contributors": [{inner: name, "impact": _text(amount)} for name, amount in one.contributors],
    }


def budget_object(one: PeriodBudget) -> dict[str, Any]:
    """How a budget stands."""
    return {
        "budget": one.budget.name,
        "period": f"{one.begin}/{one.end}",
        "currency": one.budget.currency,
        "amount": one.budget.amount,
        "spent": one.status.spent,
        "used": f"{one.status.used_percent:.1f} %",
        "forecast": None if one.status.forecast is None else _text(one.status.forecast),
        "state": one.status.state,
        "exceeded_on": one.status.exceeded_on,
        "settled_until": one.settled_until,
    }
