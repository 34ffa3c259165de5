"""``cost-lakehouse diff``: what changed in a month from one delivery to another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.answers import Answer, print_answer
from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.output import amount_shown, print_lines
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.changes import Loaded, dimensions_of
from cost_lakehouse.proof.diff import Difference, bounds_of, difference, loads_of, moment_of


def show_difference(
    config: Path | None,
    source: str,
    month_text: str,
    since: str | None,
    first: str | None,
    last: str | None,
    by: str,
    output: str,
) -> int:
    """Print it as ``table``, ``csv`` or ``json``; the exit code. Raises ConfigurationError, LakeError."""
    settings = settings_of(config)
    settings.source(source)
    month = month_of(month_text, settings)
    if month is None:
        raise ConfigurationError("No month is named.", "Write it as YYYY-MM, such as 2026-01.")
    columns = dimensions_of(by)
    moment = None if since is None else moment_of(since)
    lake = Lake(settings)
    slice_ = Slice(source, month)
    found = difference(lake, slice_, bounds_of(loads_of(lake, slice_), moment, first, last), columns)
    if output == "table":
        _print_head(found)
        if not found.cells:
            return 0
    print_answer(_answer(found), output)
    return 0


def _answer(found: Difference) -> Answer:
    """A row a cell. Amounts are exact; the column ``change`` adds up to the difference."""
    names = [*found.by, "currency_code", "kind", "before", "after", "change", "effective_change", "line_item_change"]
    types = ["VARCHAR"] * (len(found.by) + 2) + ["DECIMAL"] * 4 + ["BIGINT"]

    def rows() -> Iterator[tuple[Any, ...]]:
        for cell in found.cells:
            lines = cell.lines_after - cell.lines_before
            yield (
                *cell.values,
                cell.currency_code,
                cell.kind,
                cell.before,
                cell.after,
                cell.change,
                cell.effective_change,
                lines,
            )

    return Answer(names, types, rows())


def _print_head(found: Difference) -> None:
    after, until = found.bounds.after, found.bounds.until
    print_lines([f"{found.slice_}: from {_said(after)} to {_said(until)}"])
    for currency, change in sorted(found.totals.items()):
        print_lines([f"  change: {amount_shown(change)} {currency}".rstrip()])
    if not found.cells:
        print_lines(["  Nothing changed."])


def _said(load: Loaded | None) -> str:
    return "nothing" if load is None else f"{load.delivery_id} (loaded {load.at:%Y-%m-%d %H:%M} UTC)"
