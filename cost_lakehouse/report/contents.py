"""What a month's report says: answers of the query core, gathered. Nothing is added up anywhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cost_lakehouse.ask.answer import Answer, Bill, Row, Total
from cost_lakehouse.ask.asking import answer
from cost_lakehouse.ask.dimensions import check_money
from cost_lakehouse.ask.ranges import bill_of
from cost_lakehouse.ask.request import Compare, Granularity, Order, Request
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.tables import BUDGETS, FORECAST

TOP = 8
MOVERS = 10
DIMENSIONS = {"service": ("service",), "account": ("account_name", "account"), "region": ("region",), "type": ("type",)}
"""The tables, each with the dimensions that its rows are named by, best first."""


@dataclass(frozen=True)
class Section:
    """The costs of a currency by one dimension, beside the month before; ``rows`` add up to the currency's total."""

    dimension: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Mover:
    """A service that costs more or less than in the month before; ``kind`` is new, gone, up or down."""

    name: str
    row: Row
    kind: str


@dataclass(frozen=True)
class CurrencyReport:
    """All of a month in one currency. ``daily`` are rows by day and service, with Others."""

    total: Total
    daily: tuple[Row, ...]
    sections: tuple[Section, ...]
    movers: tuple[Mover, ...]


@dataclass(frozen=True)
class Contents:
    """A month's report. ``loaded_at`` is when the newest of its bills was loaded (UTC); None where nothing is there.

    ``forecasts`` of all costs and ``budgets`` are rows of the marts of these names, as the last run wrote them: of this month.
    """

    month: date
    basis: str
    bills: tuple[Bill, ...]
    loaded_at: datetime | None
    currencies: tuple[CurrencyReport, ...]
    forecasts: tuple[Mapping[str, Any], ...] = ()
    budgets: tuple[Mapping[str, Any], ...] = ()


def contents_of(lake: Lake, month: date, basis: str = "billed") -> Contents:
    """Ask the lake for everything that the report of a month's bills says. Raises LakeError, ConfigurationError."""
    check_money(basis)
    asked = bill_of(month)
    daily = answer(lake, Request(asked, granularity=Granularity.DAY, groups=("service",), top=TOP, basis=basis))
    by_dimension = {
        name: answer(lake, Request(asked, groups=groups, top=TOP, basis=basis, compare=Compare.PREVIOUS))
        for name, groups in DIMENSIONS.items()
    }
    changed = answer(lake, Request(asked, groups=("service",), basis=basis, compare=Compare.PREVIOUS, order=Order.GREW))
    return Contents(
        month,
        basis,
        changed.bills,
        max((bill.loaded_at for bill in changed.bills), default=None),
        tuple(_of_currency(total, daily, by_dimension, changed) for total in changed.totals),
        *_ahead(lake, month),
    )


def _ahead(lake: Lake, month: date) -> tuple[tuple[Mapping[str, Any], ...], tuple[Mapping[str, Any], ...]]:
    """The month's forecasts of all costs as they are billed, and the budgets whose period holds it."""
    with connect(lake, [FORECAST, BUDGETS]) as connection:
        forecasts = connection.execute(
            f"select * from {FORECAST} where dimension = 'all' and billing_period = ? order by currency_code", [month]
        ).to_arrow_table()
        budgets = connection.execute(
            f"select * from {BUDGETS} where period_begin <= ? and period_end > ? order by budget", [month, month]
        ).to_arrow_table()
    return tuple(forecasts.to_pylist()), tuple(budgets.to_pylist())


def _of_currency(total: Total, daily: Answer, by_dimension: dict[str, Answer], changed: Answer) -> CurrencyReport:
    def own(found: Answer) -> tuple[Row, ...]:
        return tuple(row for row in found.rows if row.currency_code == total.currency_code)

    sections = tuple(Section(name, own(found)) for name, found in by_dimension.items())
    return CurrencyReport(total, own(daily), sections, tuple(movers_of(own(changed))))


def movers_of(rows: Sequence[Row], most: int = MOVERS) -> list[Mover]:
    """The services whose cost changed most, either way, biggest first. Pure."""
    moved = [row for row in rows if row.change]
    moved.sort(key=lambda row: (-abs(row.change or Decimal(0)), [value or "" for value in row.values]))
    return [Mover(row.values[0] or "No service", row, _kind(row)) for row in moved[:most]]


def _kind(row: Row) -> str:
    if not row.before:
        return "new"
    if not row.line_item_count:
        return "gone"
    return "up" if (row.change or Decimal(0)) > 0 else "down"


def share(part: Decimal, whole: Decimal) -> Decimal | None:
    """A part in percent of the whole; None where the whole is nothing. Pure."""
    return None if not whole else EXACT.multiply(EXACT.divide(part, abs(whole)), Decimal(100))
