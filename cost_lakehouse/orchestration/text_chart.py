"""Amounts as bars of text: Dagster shows Markdown on an asset's page, and no picture that is not on a server. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import dagster as dg

from cost_lakehouse.formats.decimals import exact_sum, in_cents

WIDTH = 40
ROWS = 31
"""A month of days fits."""

Named = tuple[str, Decimal]


def bars(title: str, rows: Sequence[Named]) -> str:
    """A title, and a bar a row in the order given, the longest for the largest amount; what is negative is drawn light.

    What is more than fits is added up in one row.
    """
    if not rows:
        return ""
    shown = list(rows)
    if len(shown) > ROWS:
        rest = shown[ROWS - 1 :]
        shown = [*shown[: ROWS - 1], (f"{len(rest)} others", exact_sum(cost for _, cost in rest))]
    largest = max(abs(cost) for _, cost in shown)
    texts = [f"{in_cents(cost):,.2f}" for _, cost in shown]
    label, number = max(len(name) for name, _ in shown), max(map(len, texts))
    lines = [
        f"{name:<{label}}  {text:>{number}}  {_bar(cost, largest)}".rstrip()
        for (name, cost), text in zip(shown, texts, strict=True)
    ]
    return "\n".join([f"**{title}**", "```text", *lines, "```"])


def chart(*parts: str) -> dg.MetadataValue:
    """Charts below each other, as an asset's page shows them."""
    return dg.MetadataValue.md("\n\n".join(part for part in parts if part))


def _bar(cost: Decimal, largest: Decimal) -> str:
    length = round(WIDTH * abs(cost) / largest) if largest else 0
    return ("█" if cost > 0 else "░") * (length or (1 if cost else 0))
