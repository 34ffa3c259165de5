"""``/v1/forecast``, ``/v1/anomalies`` and ``/v1/budgets``: what it will cost, and what nobody expected."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.request import conditions_of
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.outlook.anomalies import Thresholds
from cost_lakehouse.outlook.history import Scope
from cost_lakehouse.outlook.looking import explained_anomalies, explained_by, month_forecasts, period_budgets, today_of
from cost_lakehouse.outlook.objects import anomaly_object, budget_object, forecast_object
from cost_lakehouse.serve.parameters import Parameters
from cost_lakehouse.serve.replies import Reply, columns_of, sent
from cost_lakehouse.serve.served import Handler, Served

_SCOPE = ("group_by", "filter", "exclude", "basis", "as_of", "format")
_DAYS = 30
_MOST_DAYS = 120


def forecast(served: Served, request: Request) -> Response:
    """``/v1/forecast``: what each series comes to in a month."""
    parameters = Parameters(request.query_params.multi_items(), (*_SCOPE, "month"))
    groups, scope = _groups(parameters), _scope(served, parameters)
    as_of = served.moment(parameters.text("as_of"))
    today = today_of(served.lake, as_of)
    past, begin, found = month_forecasts(served.lake, scope, groups, parameters.month("month"), today, as_of)
    rows = [forecast_object(one, groups, past, begin) for one in found]
    meta = {"settled_until": past.settled_until, "decided_by": past.decided_by, **_meta(served, as_of)}
    return sent(request, Reply(columns_of(rows), rows, meta))


def anomalies(served: Served, request: Request) -> Response:
    """``/v1/anomalies``: the settled days that cost what nobody expected, and what made them, by impact."""
    known = (*_SCOPE, "days", "amount", "percent")
    parameters = Parameters(request.query_params.multi_items(), known)
    groups, scope = _groups(parameters), _scope(served, parameters)
    as_of = served.moment(parameters.text("as_of"))
    given = {"amount": parameters.number("amount", 0, 999_999_999), "percent": parameters.number("percent", 0, 100_000)}
    thresholds = Thresholds(**{name: Decimal(value) for name, value in given.items() if value is not None})
    today, inner = today_of(served.lake, as_of), explained_by(groups)
    days = parameters.number("days", 1, _MOST_DAYS) or _DAYS
    past, begin, found = explained_anomalies(served.lake, scope, groups, days, thresholds, today, as_of)
    rows = [anomaly_object(one, groups, inner) for one in found]
    meta = {"from": begin, "settled_until": past.settled_until, "decided_by": past.decided_by}
    meta |= _meta(served, as_of)
    return sent(request, Reply(columns_of(rows), rows, meta))


def budgets(served: Served, request: Request) -> Response:
    """``/v1/budgets``: how each budget of ``lakehouse.yaml`` stands in its period."""
    parameters = Parameters(request.query_params.multi_items(), ("as_of", "format"))
    served.for_all_alone("Budgets")
    as_of = served.moment(parameters.text("as_of"))
    found = period_budgets(served.lake, today_of(served.lake, as_of), as_of) if served.lake.settings.budgets else []
    rows = [budget_object(one) for one in found]
    return sent(request, Reply(columns_of(rows), rows, _meta(served, as_of)))


def _meta(served: Served, as_of: datetime | None) -> dict[str, Any]:
    return served.meta(["marts.daily_costs"], served.state(), as_of)


def _scope(served: Served, parameters: Parameters) -> Scope:
    filters, excludes = conditions_of(parameters.texts("filter")), conditions_of(parameters.texts("exclude"))
    return Scope((*filters, *served.conditions()), excludes, parameters.text("basis") or "billed")


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
