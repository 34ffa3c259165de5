"""Whether a budget holds: under, will be exceeded on a day, over, or not known yet. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.outlook.forecast import Forecast, crossing

Period = Literal["month", "quarter", "year"]
State = Literal["under", "will exceed", "over", "not known"]
_MONTHS: dict[Period, int] = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class BudgetStatus:
    """A budget beside its costs. ``spent`` is what is settled, lumps too; ``exceeded_on`` the day on which it will be."""

    state: State
    amount: Decimal
    spent: Decimal
    forecast: Decimal | None
    exceeded_on: date | None

    @property
    def used_percent(self) -> Decimal:
        """How much of it is spent."""
        return self.spent * 100 / self.amount


def period_of(day: date, period: Period) -> tuple[date, date]:
    """The calendar month, quarter or year that holds a day: its first day, and the day after its last."""
    length = _MONTHS[period]
    begin = date(day.year, (day.month - 1) // length * length + 1, 1)
    return begin, plus_months(begin, length)


def budget_status(amount: Decimal, spent: Decimal, ahead: Forecast | None) -> BudgetStatus:
    """How a budget stands: ``ahead`` is None where there is not enough history to look ahead."""
    if spent > amount:
        return BudgetStatus("over", amount, spent, ahead.total if ahead else None, None)
    if ahead is None:
        return BudgetStatus("not known", amount, spent, None, None)
    if ahead.total > amount:
        return BudgetStatus("will exceed", amount, spent, ahead.total, crossing(ahead, amount))
    return BudgetStatus("under", amount, spent, ahead.total, None)
