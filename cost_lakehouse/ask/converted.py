"""Costs told in one currency: asked by month and currency, converted by each bill's month, then ranked as the core ranks. Pure.

Products of decimals are exact, and nothing is rounded: rows add up to the total, however costs are grouped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from cost_lakehouse.ask.answer import Row, Total
from cost_lakehouse.ask.rates import Conversion, Rate, Rates
from cost_lakehouse.ask.request import Order, Request
from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.decimals import EXACT, exact_sum

_MONTH = "bill_month"
Group = tuple[str | None, ...]


@dataclass
class _Sums:
    cost: Decimal = Decimal(0)
    before: Decimal = Decimal(0)
    lines: int = 0

    def add(self, cost: Decimal, before: Decimal, lines: int) -> None:
        self.cost, self.before = EXACT.add(self.cost, cost), EXACT.add(self.before, before)
        self.lines += lines


def by_month(request: Request) -> Request:
    """The question whose answer can be converted: of each currency and month apart, all groups."""
    groups = request.groups if _MONTH in request.groups else (*request.groups, _MONTH)
    order = Order.NAME
    return replace(request, groups=groups, top=None, order=order, into=None, rates=None, most_groups=request.most_groups + 1)


def converted(
    request: Request, rows: Sequence[Row], rates: Rates
) -> tuple[tuple[Row, ...], tuple[Total, ...], tuple[Rate, ...]]:
    """Rows of ``by_month``'s answer in the currency that ``request`` names, their total, and the rates that were used.

    Raises NoRate where one is missing that a cost needs.
    """
    into = request.into or ""
    position = by_month(request).groups.index(_MONTH)
    cells: dict[tuple[date | None, Group], _Sums] = defaultdict(_Sums)
    conversion = Conversion(into, rates)
    whole, earlier = Decimal(0), Decimal(0)
    for row in rows:
        before = row.before or Decimal(0)
        month = date.fromisoformat(f"{row.values[position]}-01")
        rate = conversion.factor(month, row.currency_code, (row.cost, before))
        cost, before = EXACT.multiply(row.cost, rate), EXACT.multiply(before, rate)
        cells[row.bucket, row.values[: len(request.groups)]].add(cost, before, row.line_item_count)
        whole, earlier = EXACT.add(whole, cost), EXACT.add(earlier, before)
    found = _ranked(request, cells, into)
    is_compared = request.compare is not None
    total = Total(into, whole, earlier if is_compared else None, sum(row.line_item_count for row in found))
    if whole != exact_sum(row.cost for row in found) or earlier != exact_sum(row.before or Decimal(0) for row in found):
        raise LakeError(
            f"The answer's rows do not come to {whole} {into}.", "Please report this, with the question; nothing was answered."
        )
    return found, (total,) if found else (), conversion.used


def _ranked(request: Request, cells: dict[tuple[date | None, Group], _Sums], into: str) -> tuple[Row, ...]:
    """The groups in the order that is asked for, the first of them, and the others added up, last."""
    groups: dict[Group, _Sums] = defaultdict(_Sums)
    for (_, group), sums in cells.items():
        groups[group].add(sums.cost, sums.before, sums.lines)
    places = {group: number for number, group in enumerate(_in_order(request.order, groups), start=1)}
    shown: dict[tuple[int | None, date | None], tuple[Group, _Sums, set[Group]]] = {}
    for (bucket, group), sums in cells.items():
        place = places[group] if request.top is None or places[group] <= request.top else None
        _, added, members = shown.setdefault((place, bucket), (() if place is None else group, _Sums(), set()))
        added.add(sums.cost, sums.before, sums.lines)
        members.add(group)
    is_compared = request.compare is not None
    return tuple(
        Row(bucket, group, into, sums.cost, sums.before if is_compared else None, sums.lines, place is None, len(members))
        for (place, bucket), (group, sums, members) in sorted(
            shown.items(), key=lambda item: (item[0][0] is None, item[0][0] or 0, item[0][1] or date.min)
        )
    )


def _in_order(order: Order, groups: dict[Group, _Sums]) -> list[Group]:
    """By what the order asks for; names decide between equals, those that are missing last."""
    names = sorted(groups, key=lambda group: [(value is None, value or "") for value in group])
    return sorted(names, key=lambda group: _amounts(order, groups[group]))


def _amounts(order: Order, sums: _Sums) -> tuple[Decimal, ...]:
    if order is Order.NAME:
        return ()
    if order in (Order.MOST, Order.LEAST):
        return (-sums.cost, -sums.before) if order is Order.MOST else (sums.cost, sums.before)
    change = EXACT.subtract(sums.cost, sums.before)
    return (-change if order is Order.GREW else change,)
