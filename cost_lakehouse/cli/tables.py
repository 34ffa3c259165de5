"""Tables for people. On a terminal they fit its width: nothing is folded inside a cell, and what matters least goes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal

from rich.cells import cell_len, set_cell_size

GAP = "  "
SHORT_ID = 13  # characters of an id that is shortened, its ellipsis counted
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Column:
    """One column. ``rank`` 0 is never left out; of the others the highest goes first.

    A ``note`` is a sentence: where it does not fit beside the rest it stands below the table. An ``id`` is shortened in its
    middle where the table is too wide.
    """

    name: str
    kind: Literal["text", "number", "id", "note"] = "text"
    rank: int = 0

    @property
    def is_key(self) -> bool:
        """Whether it tells rows apart: said with what stands below the table."""
        return self.kind == "text" and self.rank == 0


@dataclass(frozen=True)
class Layout:
    """The lines of a table, header and rule first; the columns left out; and the notes to print below, by row."""

    lines: list[str]
    left_out: list[str]
    notes: list[tuple[int, str]]


def lay_out(columns: Sequence[Column], rows: Sequence[Sequence[Any]], width: int | None) -> Layout:
    """The table within ``width`` cells; None is no limit, and nothing is shortened then. Pure."""
    texts = [["" if value is None else one_line(str(value)) for value in row] for row in rows]
    kept = list(range(len(columns)))
    notes: list[tuple[int, str]] = []
    left_out: list[str] = []
    if width is not None:
        if too_wide(columns, texts, kept, width):
            for index in [index for index in kept if columns[index].kind == "note"]:
                kept.remove(index)
                notes += [(number, row[index]) for number, row in enumerate(texts) if row[index]]
        if too_wide(columns, texts, kept, width):
            texts = [[shortened(text) if columns[i].kind == "id" else text for i, text in enumerate(row)] for row in texts]
        for index in sorted((index for index in kept if columns[index].rank), key=lambda one: -columns[one].rank):
            if too_wide(columns, texts, kept, width):
                kept.remove(index)
                left_out.append(columns[index].name)
    widths = _widths(columns, texts, kept)
    header = _line([columns[index].name for index in kept], kept, columns, widths)
    rule = "─" * (sum(widths[index] for index in kept) + len(GAP) * (len(kept) - 1))
    return Layout(
        [header, rule, *(_line([row[index] for index in kept], kept, columns, widths) for row in texts)],
        [column.name for column in columns if column.name in left_out],
        sorted(notes),
    )


def too_wide(columns: Sequence[Column], texts: Sequence[Sequence[str]], kept: Sequence[int], width: int) -> bool:
    """Whether the columns ``kept`` need more than ``width`` cells."""
    widths = _widths(columns, texts, kept)
    return sum(widths[index] for index in kept) + len(GAP) * (len(kept) - 1) > width


def vertical(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A record after the other, a value a line: for results that are wider than the terminal."""
    wide = max(map(cell_len, names), default=0)
    lines: list[str] = []
    for number, row in enumerate(rows, start=1):
        lines.append(f"── {number} " + "─" * max(wide, 8))
        lines += [
            f"{set_cell_size(name, wide)}{GAP}{'' if value is None else one_line(str(value))}".rstrip()
            for name, value in zip(names, row, strict=True)
        ]
    return lines


def shortened(text: str) -> str:
    """An id with its middle left out: 7 characters from its begin and 5 from its end."""
    return text if len(text) <= SHORT_ID else f"{text[:7]}…{text[-5:]}"


def rounded(amount: Decimal) -> str:
    """An amount in cents, rounded half-even; never -0.00."""
    in_cents = amount.quantize(_CENT, rounding=ROUND_HALF_EVEN) if abs(amount) < Decimal(10) ** 25 else amount
    return format(abs(in_cents) if in_cents == 0 else in_cents, "f")


def one_line(text: str) -> str:
    """Text in one line: a line break within a cell would tear the row apart."""
    return text.replace("\r\n", "⏎").replace("\n", "⏎").replace("\r", "⏎").replace("\t", " ")


def _widths(columns: Sequence[Column], texts: Sequence[Sequence[str]], kept: Sequence[int]) -> dict[int, int]:
    return {index: max(cell_len(columns[index].name), *(cell_len(row[index]) for row in texts), 0) for index in kept}


def _line(values: Sequence[str], kept: Sequence[int], columns: Sequence[Column], widths: dict[int, int]) -> str:
    cells = []
    for index, value in zip(kept, values, strict=True):
        padding = " " * (widths[index] - cell_len(value))
        cells.append(padding + value if columns[index].kind == "number" else value + padding)
    return GAP.join(cells).rstrip()
