"""Koku's forecasts: what each day from the last settled one to the end of the month is expected to cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.ask.rates import CURRENCY, Conversion, NoRate, Rate, Rates
from cost_lakehouse.ask.request import Condition
from cost_lakehouse.formats.decimals import EXACT, exact_sum
from cost_lakehouse.outlook.forecast import Forecast
from cost_lakehouse.outlook.history import NoUsage, Scope
from cost_lakehouse.outlook.looking import Outlook, month_forecasts, today_of
from cost_lakehouse.serve.costs import rate_meta
from cost_lakehouse.serve.koku.lists import answering, known_only, page
from cost_lakehouse.serve.koku.query import BASES
from cost_lakehouse.serve.koku.wrong import WrongParameter
from cost_lakehouse.serve.served import Handler, Served

KNOWN = ("limit", "offset", "cost_type", "currency", "filter[account]", "filter[exact:account]")
_PAGE = 100


@dataclass(frozen=True)
class Ahead:
    """The days that are left of a month, up to ``end``: what each is expected to cost, at least and at most, and all of it.

    ``low`` and ``high`` hold the whole of the month, ``total``.
    """

    end: date
    days: tuple[Decimal, ...]
    total: Decimal
    low: Decimal
    high: Decimal


def forecast_of(provider: str) -> Handler:
    """The handler of ``/forecasts/{provider}/costs/``."""

    def handler(served: Served, request: Request) -> Response:
        """A day a row; an empty list where not enough days are settled."""
        pairs = request.query_params.multi_items()
        given = known_only(pairs, KNOWN)
        cost_type = given.get("cost_type", "unblended_cost")
        if cost_type not in BASES:
            raise WrongParameter("cost_type", f'"{cost_type}" is not a valid choice.')
        wanted = given.get("currency")
        if wanted is not None and not CURRENCY.fullmatch(wanted):
            raise WrongParameter("currency", f'"{wanted}" is not a valid choice.')
        currency = wanted or served.usual_currency()
        rates = served.rates() if wanted else None
        conditions = [Condition("provider", (provider,)), *served.conditions()]
        conditions += [
            Condition("account", (given[name],), contains=name == "filter[account]")
            for name in ("filter[account]", "filter[exact:account]")
            if name in given
        ]
        scope = Scope(tuple(conditions), (), BASES[cost_type])
        begin: date | None = None
        found: list[Outlook] = []
        with suppress(NoUsage):
            _, begin, found = month_forecasts(served.lake, scope, (), None, today_of(served.lake), None)
        if rates is not None and begin is not None:
            try:
                ahead, used = converted(found, begin, currency, rates)
            except NoRate as error:
                raise WrongParameter("currency", f"{error.problem} {error.fix}") from None
        else:
            own = [one.forecast for one in found if one.key.currency_code == currency and one.forecast is not None]
            ahead, used = (ahead_of(own[0]) if own else None), ()
        says = {"exchange_rates": [rate_meta(rate) for rate in used]} if used else {}
        return page(request, pairs, forecast_rows(ahead, currency) if ahead else [], _PAGE, says=says)

    return answering(handler)


def ahead_of(found: Forecast) -> Ahead:
    """The days of one forecast; where it has no range, it is its own."""
    low = found.total if found.low is None else found.low
    return Ahead(found.end, found.days, found.total, low, found.total if found.high is None else found.high)


def converted(found: Sequence[Outlook], month: date, into: str, rates: Rates) -> tuple[Ahead | None, tuple[Rate, ...]]:
    """The forecasts of all currencies in one, added up at the month's rates, and these. Pure.

    None where one of them has not enough history: the others are not the whole. The ranges are added up as well, so that
    the sum's is rather too wide than too narrow. Raises NoRate where one is missing that an amount needs.
    """
    parts: list[tuple[Ahead, Decimal]] = []
    conversion = Conversion(into, rates)
    for one in found:
        if one.forecast is None:
            return None, ()
        own = ahead_of(one.forecast)
        amounts_of_it = (*own.days, own.total, own.low, own.high)
        parts.append((own, conversion.factor(month, one.key.currency_code, amounts_of_it)))
    if not parts:
        return None, ()
    days: Mapping[int, list[Decimal]] = {left: [] for left in range(max(len(own.days) for own, _ in parts), 0, -1)}
    for own, rate_of_it in parts:
        for left, amount in zip(range(len(own.days), 0, -1), own.days, strict=True):
            days[left].append(EXACT.multiply(amount, rate_of_it))
    total, low, high = (
        exact_sum(EXACT.multiply(amount, rate_of_it) for amount, (_, rate_of_it) in zip(amounts, parts, strict=True))
        for amounts in zip(*((own.total, own.low, own.high) for own, _ in parts), strict=True)
    )
    whole = Ahead(parts[0][0].end, tuple(map(exact_sum, days.values())), total, low, high)
    return whole, conversion.used


def forecast_rows(found: Ahead, currency: str) -> list[dict[str, Any]]:
    """The days that are left. The range of the whole month is shared out by what each day is expected to cost. Pure."""
    begin = found.end - timedelta(days=len(found.days))
    expected = exact_sum(found.days)
    rows = []
    for number, amount in enumerate(found.days):
        share = amount / expected if expected else Decimal(0)
        day = (begin + timedelta(days=number)).isoformat()
        least, most = amount + (found.low - found.total) * share, amount + (found.high - found.total) * share
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
