"""``/v1/forecast``, ``/v1/anomalies`` and ``/v1/budgets``: what it will cost, and what nobody expected."""

from __future__ import annotations

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.ask.request import conditions_of
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.outlook.anomalies import Thresholds
from cost_lakehouse.outlook.history import Scope, history
from cost_lakehouse.outlook.looking import days_before, forecasts, found_anomalies, period_budgets, today_of
from cost_lakehouse.outlook.objects import anomaly_object, budget_object, explained_by, forecast_object
from cost_lakehouse.serve.parameters import Parameters
from cost_lakehouse.serve.replies import Reply, columns_of, sent
from cost_lakehouse.serve.served import Handler, Served

_SCOPE = ("group_by", "filter", "exclude", "basis", "as_of", "format")
_DAYS = 30
_MOST_DAYS = 120


def forecast(served: Served, request: Request) -> Response:
    """``/v1/forecast``: what each series comes to in a month."""
    parameters = Parameters(request.query_params.multi_items(), (*_SCOPE, "month"))
    groups, scope = _groups(parameters), _scope(parameters)
    as_of = served.moment(parameters.text("as_of"))
    today = today_of(served.lake, as_of)
    begin = parameters.month("month") or today.replace(day=1)
    if begin > plus_months(today.replace(day=1), 11):
        raise ConfigurationError("The month lies too far ahead.", "Forecast a month within a year.")
    past = history(served.lake, scope, groups, today=today, as_of=as_of, since=plus_months(begin, -1))
    rows = [forecast_object(one, groups, past, begin) for one in forecasts(past, begin, plus_months(begin, 1))]
    meta = {"settled_until": past.settled_until, "decided_by": past.decided_by, "as_of": as_of}
    return sent(request, Reply(columns_of(rows), rows, meta))


def anomalies(served: Served, request: Request) -> Response:
    """``/v1/anomalies``: the settled days that cost what nobody expected, and what made them, by impact."""
    known = (*_SCOPE, "days", "amount", "percent")
    parameters = Parameters(request.query_params.multi_items(), known)
    groups, scope = _groups(parameters), _scope(parameters)
    as_of = served.moment(parameters.text("as_of"))
    usual = Thresholds()
    thresholds = Thresholds(
        amount=Decimal(parameters.number("amount", 0, 999_999_999) or usual.amount),
        percent=Decimal(parameters.number("percent", 0, 100_000) or usual.percent),
    )
    today, inner = today_of(served.lake, as_of), explained_by(groups)
    past = history(served.lake, scope, groups, today=today, as_of=as_of)
    begin = days_before(past.settled_until, (parameters.number("days", 1, _MOST_DAYS) or _DAYS) + 1)
    found = found_anomalies(past, begin, thresholds)
    if found:
        parts = history(served.lake, scope, (*groups, inner), today=today, as_of=as_of)
        found = found_anomalies(past, begin, thresholds, parts)
    rows = [anomaly_object(one, groups, inner) for one in found]
    meta = {"from": begin, "settled_until": past.settled_until, "decided_by": past.decided_by, "as_of": as_of}
    return sent(request, Reply(columns_of(rows), rows, meta))


def budgets(served: Served, request: Request) -> Response:
    """``/v1/budgets``: how each budget of ``lakehouse.yaml`` stands in its period."""
    parameters = Parameters(request.query_params.multi_items(), ("as_of", "format"))
    as_of = served.moment(parameters.text("as_of"))
    found = period_budgets(served.lake, today_of(served.lake, as_of), as_of) if served.lake.settings.budgets else []
    rows = [budget_object(one) for one in found]
    return sent(request, Reply(columns_of(rows), rows, {"as_of": as_of}))


def _scope(parameters: Parameters) -> Scope:
    filters, excludes = conditions_of(parameters.texts("filter")), conditions_of(parameters.texts("exclude"))
    return Scope(filters, excludes, parameters.text("basis") or "billed")


def _groups(parameters: Parameters) -> tuple[str, ...]:
    groups = parameters.listed("group_by")
    if len(groups) > 1:
        raise ConfigurationError("group_by names several dimensions.", "Name one, and others by filter.")
    return groups


ROUTES: tuple[tuple[str, Handler], ...] = (
    ("/v1/forecast", forecast),
    ("/v1/anomalies", anomalies),
    ("/v1/budgets", budgets),
)
