"""Forecast and budgets in one currency, by the rates of costs; what these do not reach stays as it is billed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.ask.rates import Conversion, NoRate, Rate, Rates
from cost_lakehouse.formats.decimals import EXACT, exact_sum

Rows = Sequence[Mapping[str, Any]]
_FORECAST = ("settled_cost", "forecast_cost", "low", "high")
_BUDGET = ("amount", "spent", "forecast_cost")


@dataclass(frozen=True)
class Ahead:
    """Rows of the marts, each with ``told_in``, the currency of its amounts.

    ``whole`` is what all forecasts come to, where there are several and all are in one currency. ``rates`` are those that were
    used, ``missing`` what the table lacks, ``longer`` the budgets of more than a month.
    """

    forecasts: Rows
    budgets: Rows
    whole: Mapping[str, Decimal | None] | None = None
    rates: Sequence[Rate] = ()
    missing: Sequence[str] = ()
    longer: Sequence[str] = ()


@dataclass
class _Table:
    """The rates into a currency, and which of those that were asked for it lacks."""

    conversion: Conversion
    missing: dict[str, None] = field(default_factory=dict)

    def told(self, row: Mapping[str, Any], month: date, amounts: Sequence[str]) -> dict[str, Any]:
        """The row with its amounts converted at the month's rate; as it is where there is none. Nothing needs no rate."""
        currency = row["currency_code"]
        try:
            factor = self.conversion.factor(month, currency, [row[name] for name in amounts])
        except NoRate as error:
            self.missing[error.problem.rstrip(".")] = None
            return {**row, "told_in": currency}
        told = {name: None if row[name] is None else EXACT.multiply(row[name], factor) for name in amounts}
        return {**row, **told, "told_in": self.conversion.into}


def in_own_currencies(forecasts: Rows, budgets: Rows) -> Ahead:
    """The same rows, as they are billed."""

    def told(rows: Rows) -> Rows:
        return [{**row, "told_in": row["currency_code"]} for row in rows]

    return Ahead(told(forecasts), told(budgets))


def in_one_currency(forecasts: Rows, budgets: Rows, into: str, rates: Rates) -> Ahead:
    """Each currency's forecast at its month's rate, and each budget of a month at that month's.

    A budget of a quarter or a year stays as it is: the mart does not say which month's costs are in it.
    """
    table = _Table(Conversion(into, rates))
    told = [table.told(row, row["billing_period"], _FORECAST) for row in forecasts]
    of_budgets, longer = [], []
    for row in budgets:
        if row["currency_code"] != into and row["period_end"] != plus_months(row["period_begin"], 1):
            longer.append(row["budget"])
            of_budgets.append({**row, "told_in": row["currency_code"]})
        else:
            of_budgets.append(table.told(row, row["period_begin"], _BUDGET))
    return Ahead(told, of_budgets, _whole(told, into), table.conversion.used, tuple(table.missing), longer)


def _whole(told: Rows, into: str) -> Mapping[str, Decimal | None] | None:
    """What forecasts in one currency come to; ranges are of each alone, and do not add up to one."""
    if len(told) < 2 or any(row["told_in"] != into for row in told):
        return None
    forecasts = [row["forecast_cost"] for row in told]
    return {
        "forecast_cost": None if None in forecasts else exact_sum(forecasts),
        "settled_cost": exact_sum(row["settled_cost"] for row in told),
    }
