"""What the first page shows, made of answers of the query core: amounts in cents, links, heights of bars. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from urllib.parse import urlencode

from cost_lakehouse.ask.answer import Answer, Row
from cost_lakehouse.ask.request import Condition
from cost_lakehouse.formats.decimals import EXACT, in_cents
from cost_lakehouse.serve.costs import condition_text

BAR_HEIGHT, BAR_WIDTH = 120, 16


@dataclass(frozen=True)
class Amount:
    """A currency's cost, that of the same days before, and the change in percent; None where there was nothing."""

    currency: str
    cost: str
    before: str
    change: str
    percent: str | None


@dataclass(frozen=True)
class Line:
    """A row of a table; ``link`` leads to the page of this value alone, None of the others."""

    name: str
    link: str | None
    amount: Amount
    share: str


@dataclass(frozen=True)
class Bar:
    """A day: its cost, and where its bar stands; below zero it hangs."""

    day: date
    cost: str
    x: int
    y: int
    height: int


@dataclass(frozen=True)
class Days:
    """The days of a currency."""

    currency: str
    bars: Sequence[Bar]

    @property
    def width(self) -> int:
        """Of all bars."""
        return len(self.bars) * BAR_WIDTH


def cents(amount: Decimal) -> str:
    """An amount in cents with thousands separators, as people read it; what is exact is behind the CSV links."""
    return f"{in_cents(amount):,}"


def amounts_of(answer: Answer) -> list[Amount]:
    """What each currency comes to."""
    return [_amount(total.currency_code, total.cost, total.before) for total in answer.totals]


def lines_of(answer: Answer, month: date, conditions: Sequence[Condition]) -> list[Line]:
    """A table of one dimension, each value with a link that narrows the page to it."""
    (name,) = answer.request.groups
    wholes = {total.currency_code: total.cost for total in answer.totals}
    return [
        Line(
            _name(row, name),
            _link(row, name, month, conditions),
            _amount(row.currency_code, row.cost, row.before),
            _share(row.cost, wholes[row.currency_code]),
        )
        for row in answer.rows
    ]


def days_of(rows: Iterable[Row]) -> list[Days]:
    """Bars of each currency, on a scale of its own; the zero line is where the greatest refund has room below it."""
    by_currency: dict[str, list[Row]] = {}
    for row in rows:
        by_currency.setdefault(row.currency_code or "", []).append(row)
    found = []
    for currency, own in by_currency.items():
        highest = max(Decimal(0), *(row.cost for row in own))
        lowest = min(Decimal(0), *(row.cost for row in own))
        scale = BAR_HEIGHT / ((highest - lowest) or Decimal(1))
        zero = round(highest * scale)
        bars = []
        for number, row in enumerate(own):
            height = max(1, round(abs(row.cost) * scale))
            top = zero - height if row.cost >= 0 else zero
            bars.append(Bar(row.bucket or date.min, cents(row.cost), number * BAR_WIDTH, max(0, top), height))
        found.append(Days(currency, bars))
    return found


def page_link(month: date, conditions: Iterable[Condition]) -> str:
    """The address of the page of a month, narrowed by conditions."""
    return f"/?{urlencode([('month', f'{month:%Y-%m}'), *_filters(conditions)])}"


def csv_link(month: date, conditions: Iterable[Condition], **more: str) -> str:
    """The address of the same costs, exact, as CSV."""
    pairs = [("month", f"{month:%Y-%m}"), *_filters(conditions), *more.items(), ("format", "csv")]
    return f"/v1/costs?{urlencode(pairs)}"


def _filters(conditions: Iterable[Condition]) -> list[tuple[str, str]]:
    return [("filter", condition_text(condition)) for condition in conditions]


def _link(row: Row, name: str, month: date, conditions: Sequence[Condition]) -> str | None:
    """None of the others, and of a value with a comma, which would be read as two."""
    if row.is_others or "," in (row.values[0] or ""):
        return None
    return page_link(month, [*conditions, Condition(name, (row.values[0] or "",))])


def _name(row: Row, name: str) -> str:
    return f"{row.groups} others" if row.is_others else row.values[0] or f"No {name}"


def _amount(currency: str | None, cost: Decimal, before: Decimal | None) -> Amount:
    earlier = before or Decimal(0)
    change = EXACT.subtract(cost, earlier)
    percent = None if round(earlier, 2) == 0 else f"{change / abs(earlier) * 100:+.1f}%"
    return Amount(currency or "", cents(cost), cents(earlier), cents(change), percent)


def _share(cost: Decimal, whole: Decimal) -> str:
    return "" if whole == 0 else f"{cost / whole * 100:.1f}%"
