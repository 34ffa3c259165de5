"""What is answered: rows that add up to the whole, the bills they come from, and the snapshots that were read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cost_lakehouse.ask.rates import Rate
from cost_lakehouse.ask.request import Request
from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.invoiced import Moment
from cost_lakehouse.lake.table_by_month import Version


class _Compared:
    """A cost beside what it was before; None where nothing is compared."""

    cost: Decimal
    before: Decimal | None

    @property
    def change(self) -> Decimal | None:
        """By how much more it costs than before."""
        return None if self.before is None else EXACT.subtract(self.cost, self.before)


@dataclass(frozen=True)
class Row(_Compared):
    """The cost of one group in one part of the range, and in the same part of what it is compared with.

    ``currency_code`` is the unit where ``cost`` is usage.
    ``values`` are the group's, None where a line has none; of Others, which stand for ``groups`` groups, there are none at all.
    """

    bucket: date | None
    values: tuple[str | None, ...]
    currency_code: str | None
    cost: Decimal
    before: Decimal | None
    line_item_count: int
    is_others: bool = False
    groups: int = 1


@dataclass(frozen=True)
class Total(_Compared):
    """What all rows of a currency, or unit of usage, come to."""

    currency_code: str | None
    cost: Decimal
    before: Decimal | None
    line_item_count: int


@dataclass(frozen=True)
class Bill:
    """One of the bills in the range, as published: its delivery, whether it still may change, and when it was loaded (UTC)."""

    source: str
    billing_period: date
    delivery_id: str
    state: str
    loaded_at: datetime


@dataclass(frozen=True)
class Answer:
    """The rows by currency, each currency's biggest (or whatever the order asks for) first and Others last.

    ``rates`` are those that costs were converted by.
    ``as_of`` is None where the lake was read as it is; ``snapshots`` maps each table that was read to its snapshot.
    """

    request: Request
    rows: tuple[Row, ...]
    totals: tuple[Total, ...]
    bills: tuple[Bill, ...]
    snapshots: Mapping[str, Version]
    as_of: Moment | None = None
    rates: tuple[Rate, ...] = ()


def rows_of(request: Request, fetched: Iterable[Sequence[Any]]) -> tuple[tuple[Row, ...], tuple[Total, ...]]:
    """The rows of ``statement_of``'s SELECT, and their totals. Pure.

    Raises LakeError where the rows of a currency do not add up to what its lines cost.
    """
    rows: list[Row] = []
    wholes: dict[str | None, tuple[Decimal, Decimal]] = {}
    count = len(request.groups)
    for bucket, place, *values, currency, cost, earlier, lines, groups, whole, whole_before in fetched:
        is_others = request.top is not None and place is None
        before = Decimal(earlier) if request.compare is not None else None
        named = () if is_others else tuple(values[:count])
        rows.append(Row(bucket, named, currency, Decimal(cost), before, lines, is_others, groups))
        wholes[currency] = (Decimal(whole), Decimal(whole_before))
    totals = tuple(_total(currency, [row for row in rows if row.currency_code == currency]) for currency in wholes)
    for total in totals:
        cost, before = wholes[total.currency_code]
        if total.cost != cost or total.before not in (None, before):
            raise LakeError(
                f"The answer's rows come to {total.cost} {total.currency_code}, the lines behind them to {cost}.",
                "Please report this, with the question; nothing was answered.",
            )
    return tuple(rows), totals


def _total(currency: str | None, rows: Sequence[Row]) -> Total:
    cost, before = Decimal(0), Decimal(0)
    for row in rows:
        cost = EXACT.add(cost, row.cost)
        before = EXACT.add(before, row.before or Decimal(0))
    is_compared = any(row.before is not None for row in rows)
    return Total(currency, cost, before if is_compared else None, sum(row.line_item_count for row in rows))
