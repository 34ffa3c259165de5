"""``cost-lakehouse diff``: what changed in a month from one delivery to another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.answers import Answer, print_answer
from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.output import amount_shown, print_lines, print_table
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.changes import Loaded, dimensions_of
from cost_lakehouse.proof.diff import Difference, bounds_of, difference, loads_of, moment_of
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.proof.line_diff import CHANGE_COLUMNS, MART, LineChange, changed_lines_rows, line_changes

SHOWN_LINES = 50
_LINE_COLUMNS = (
    Column("day"),
    Column("", rank=1),
    Column("account", rank=2),
    Column("service"),
    Column("resource", "id", rank=3),
    Column("line", rank=4),
    Column("before", "number", rank=1),
    Column("after", "number", rank=1),
    Column("change", "number"),
    Column("currency"),
)


def show_difference(
    config: Path | None,
    source: str,
    month_text: str,
    between: tuple[str | None, str | None, str | None],
    by: str,
    lines: bool,
    output: str,
) -> int:
    """Print it as ``table``, ``csv`` or ``json``; the exit code. ``between`` are ``--since``, ``--from`` and ``--to``.

    Raises ConfigurationError, LakeError.
    """
    since, first, last = between
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
    if lines:
        _print_lines(lake, found, output)
        return 0
    if output == "table":
        _print_head(found)
        if not found.cells:
            return 0
    print_answer(_answer(found), output)
    return 0


def _print_lines(lake: Lake, found: Difference, output: str) -> None:
    """The lines behind the difference: all of them, or in a table the biggest changes."""
    with engine_of(lake, MART) as engine:
        changes = line_changes(lake, found, engine)
        if output != "table":
            print_answer(Answer(list(CHANGE_COLUMNS), list(CHANGE_COLUMNS.values()), changed_lines_rows(changes)), output)
            return
        shown = list(islice(changes, SHOWN_LINES))
        more = sum(1 for _ in changes)
    _print_head(found)
    if shown:
        print_table(_LINE_COLUMNS, [_as_row(line) for line in shown], elsewhere="`--format csv` has all.")
    if more:
        print_lines([f"{more} more lines with smaller changes: `--format csv` has all."])


def _as_row(line: LineChange) -> tuple[Any, ...]:
    before, after = ("" if amount is None else amount_shown(amount) for amount in (line.before, line.after))
    what = line.description or line.usage or ""
    change = amount_shown(line.change)
    return (
        line.usage_date,
        line.kind,
        line.account_id,
        line.service,
        line.resource,
        what,
        before,
        after,
        change,
        line.currency_code,
    )


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
