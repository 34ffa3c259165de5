"""Koku's forecasts: what each day from the last settled one to the end of the month is expected to cost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.request import Condition
from cost_lakehouse.outlook.forecast import Forecast
from cost_lakehouse.outlook.history import NoUsage, Scope
from cost_lakehouse.outlook.looking import month_forecasts, today_of
from cost_lakehouse.serve.koku.lists import answering, known_only, page
from cost_lakehouse.serve.koku.query import BASES
from cost_lakehouse.serve.koku.wrong import WrongParameter
from cost_lakehouse.serve.served import Handler, Served

KNOWN = ("limit", "offset", "cost_type", "currency", "filter[account]", "filter[exact:account]")
_PAGE = 100


def forecast_of(provider: str) -> Handler:
    """The handler of ``/forecasts/{provider}/costs/``."""

    def handler(served: Served, request: Request) -> Response:
        """A day a row; an empty list where not enough days are settled."""
        pairs = request.query_params.multi_items()
        given = known_only(pairs, KNOWN)
        cost_type = given.get("cost_type", "unblended_cost")
        if cost_type not in BASES:
            raise WrongParameter("cost_type", f'"{cost_type}" is not a valid choice.')
        currency = given.get("currency") or served.usual_currency()
        conditions = [Condition("provider", (provider,)), *served.conditions()]
        conditions += [
            Condition("account", (given[name],), contains=name == "filter[account]")
            for name in ("filter[account]", "filter[exact:account]")
            if name in given
        ]
        scope = Scope(tuple(conditions), (), BASES[cost_type])
        try:
            _, _, found = month_forecasts(served.lake, scope, (), None, today_of(served.lake), None)
        except NoUsage:
            found = []
        known = [one.forecast for one in found if one.key.currency_code == currency and one.forecast is not None]
        return page(request, pairs, forecast_rows(known[0], currency) if known else [], _PAGE)

    return answering(handler)


def forecast_rows(found: Forecast, currency: str) -> list[dict[str, Any]]:
    """The days that are left. The range of the whole month is shared out by what each day is expected to cost. Pure."""
    begin = found.end - timedelta(days=len(found.days))
    expected = sum(found.days, Decimal(0))
    low, high = found.low if found.low is not None else found.total, found.high if found.high is not None else found.total
    rows = []
    for number, amount in enumerate(found.days):
        share = amount / expected if expected else Decimal(0)
        day = (begin + timedelta(days=number)).isoformat()
        least, most = amount + (low - found.total) * share, amount + (high - found.total) * share
        costs = _values(amount, least, most, currency)
        none = _values(Decimal(0), Decimal(0), Decimal(0), currency)
        rows.append({"date": day, "values": [{"date": day, "infrastructure": costs, "supplementary": none, "cost": costs}]})
    return rows


def _values(amount: Decimal, least: Decimal, most: Decimal, currency: str) -> dict[str, Any]:
    def value(number: Decimal) -> dict[str, Any]:
        return {"value": float(number), "units": currency}

    nothing = {"value": None, "units": None}  # of a regression, which this is none
    return {
        "total": value(amount),
        "confidence_max": value(most),
        "confidence_min": value(least),
        "rsquared": nothing,
        "pvalues": nothing,
    }
