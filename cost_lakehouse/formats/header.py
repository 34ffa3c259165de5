"""Where each delivered column goes: a column of a raw table, a key of one of its maps, or its map of columns nobody knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

OTHER = "other"  # every raw table's map of columns that nobody knows
FINDINGS = "findings"  # every bill's map of what is odd about a row as it was delivered: what, and an example or place


@dataclass(frozen=True)
class Target:
    """Where one delivered column goes. ``key`` is set where ``column`` is a map that takes one entry of it.

    ``fills`` names the column that takes a value from here in rows where its own delivered column has none: two columns of one
    name, or two spellings of it, in one file.
    """

    delivered: str
    column: str
    kind: str  # text, decimal, timestamp or map
    key: str | None = None
    fills: str | None = None


Place = Callable[[str], tuple[Target, int]]  # a header name -> its target, and how far from the preferred spelling it is


def snake(name: str) -> str:
    """AWS's name transformation for Athena and Parquet: ``UsageAmount`` -> ``usage_amount`` (CUR guide, cur-ate-manual)."""
    parts = re.sub(r"([A-Z])", r"_\1", name).lower()
    return re.sub(r"_+", "_", re.sub(r"[^a-z0-9]", "_", parts)).strip("_")


def letters(name: str) -> str:
    """A name without case and punctuation: spellings of one name are equal."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def assign(header: Sequence[str], place: Place) -> list[Target]:
    """One target a delivered column, in the header's order; no column is left out.

    Of two columns that ask for one place the better spelling has it; the other is kept in ``other``, and fills the place where
    the first has no value. Columns that ask for one entry of a map share it, as they do with a map that is delivered whole.
    """
    wanted = [place(delivered) for delivered in header]
    taken: set[str] = set()
    targets: dict[int, Target] = {}
    for index in sorted(range(len(header)), key=lambda one: wanted[one][1]):
        target, _ = wanted[index]
        if target.key is None and target.kind != "map":
            if target.column in taken:
                target = Target(target.delivered, OTHER, "map", target.delivered, target.column)
            taken.add(target.column)
        targets[index] = target
    return [targets[index] for index in range(len(header))]
