"""The first rows of an answer, and one more for each currency that adds the others up: the sum stays. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cost_lakehouse.audit.receipts import plain
from cost_lakehouse.formats.decimals import EXACT

MOST_ROWS = 100


def capped(
    rows: Sequence[Mapping[str, Any]], amounts: Iterable[str], currency: str | None = None, most: int = MOST_ROWS
) -> list[dict[str, Any]]:
    """At most ``most`` rows, then Others: a row for each currency among what is left out.

    A row of Others has ``others``, how many rows it stands for, the currency, and the sums of ``amounts``; null where one of
    these rows has none. Amounts are decimals as text, or whole numbers.
    """
    kept = [{**row, "others": 0} for row in rows[:most]]
    left: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows[most:]:
        left.setdefault(None if currency is None else row[currency], []).append(row)
    for code, group in left.items():
        named = {} if currency is None else {currency: code}
        sums = {name: _sum([row.get(name) for row in group]) for name in amounts}
        kept.append({**named, **sums, "others": len(group)})
    return kept


def _sum(values: Sequence[Any]) -> Any:
    if any(value is None for value in values):
        return None
    if all(isinstance(value, int) for value in values):
        return sum(values)
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, Decimal(value))
    return plain(total)
