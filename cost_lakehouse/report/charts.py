"""Days as stacked bars in SVG: shapes and text alone, which print, mail and read aloud. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cost_lakehouse.ask.answer import Row

WIDTH = 880
HEIGHT = 220
_LEFT = 64
_BOTTOM = 24
_TOP = 8


@dataclass(frozen=True)
class Piece:
    """One rectangle: a group's cost of a day. ``series`` numbers the groups from 0; Others have the last number."""

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


@dataclass(frozen=True)
class Label:
    """A text on an axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """What the template draws, in units of the view box. ``unsettled``: where the days that may still grow begin, how wide."""

    pieces: tuple[Piece, ...]
    days: tuple[Label, ...]
    amounts: tuple[Label, ...]
    zero: float
    legend: tuple[str, ...]
    unsettled: tuple[float, float] | None = None


def daily_chart(rows: Sequence[Row], shown: str, settled_until: date | None = None) -> Chart:
    """Rows by day and one group, stacked; what is negative hangs below zero. ``shown`` names groups that have no value.

    Days from ``settled_until`` on may still grow.
    """
    names = _names(rows, shown)
    days = sorted({row.bucket for row in rows if row.bucket is not None})
    highest, lowest = _extent(rows, days)
    scale = (HEIGHT - _TOP - _BOTTOM) / float(highest - lowest) if highest > lowest else 0.0
    zero = _TOP + float(highest) * scale
    step = (WIDTH - _LEFT) / max(len(days), 1)
    pieces = []
    for number, day in enumerate(days):
        up = down = zero
        for row in rows:
            if row.bucket != day or not row.cost:
                continue
            height = abs(float(row.cost)) * scale
            y = up - height if row.cost > 0 else down
            if row.cost > 0:
                up -= height
            else:
                down += height
            name = _name(row, shown)
            title = f"{day}, {name}: {row.cost:,.2f}"
            pieces.append(Piece(_LEFT + number * step + step * 0.1, y, step * 0.8, height, names.index(name), title))
    every = max(1, len(days) // 10)
    marks = tuple(
        Label(_LEFT + number * step + step / 2, HEIGHT - 6, f"{day.day}.{day.month}.")
        for number, day in enumerate(days)
        if number % every == 0
    )
    amounts = tuple(Label(_LEFT - 6, zero - float(value) * scale, f"{value:,.0f}") for value in _marks(highest, lowest))
    growing = sum(1 for day in days if settled_until is not None and day >= settled_until)
    unsettled = (WIDTH - growing * step, growing * step) if growing else None
    return Chart(tuple(pieces), marks, amounts, zero, tuple(names), unsettled)


def _names(rows: Sequence[Row], shown: str) -> list[str]:
    """The groups in the order of their rows, biggest first; Others last."""
    own = dict.fromkeys(_name(row, shown) for row in rows if not row.is_others)
    return [*own, *dict.fromkeys(_name(row, shown) for row in rows if row.is_others)]


def _name(row: Row, shown: str) -> str:
    return "Others" if row.is_others else row.values[0] or f"No {shown}"


def _extent(rows: Sequence[Row], days: Sequence[date]) -> tuple[Decimal, Decimal]:
    """The highest and the lowest end of any day's stack; zero lies between them."""
    highs = [sum((row.cost for row in rows if row.bucket == day and row.cost > 0), Decimal(0)) for day in days]
    lows = [sum((row.cost for row in rows if row.bucket == day and row.cost < 0), Decimal(0)) for day in days]
    return max(highs, default=Decimal(0)), min(lows, default=Decimal(0))


def _marks(highest: Decimal, lowest: Decimal) -> list[Decimal]:
    """A few amounts for the axis: zero, the ends, and a half; an end that lies on zero's own line is left out."""
    near = (highest - lowest) / 12
    return sorted({Decimal(0), *(mark for mark in (lowest, highest / 2, highest) if abs(mark) > near)})
