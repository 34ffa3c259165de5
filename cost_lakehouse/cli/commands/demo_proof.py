"""The end of the demo's story: what a late refund changed, what was known before it, and the record that it is made of."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from cost_lakehouse.cli.commands.diff import show_difference
from cost_lakehouse.cli.commands.explain import explain_cell
from cost_lakehouse.cli.commands.query import run_query
from cost_lakehouse.cli.output import console, say
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.diff import bounds_of, difference, loads_of

COST_OF_MONTH = "select sum(billed_cost) as cost from marts.daily_costs where {condition}"
BY = ("day", "service", "type")
_COLUMNS = ("usage_date", "service", "line_item_type")


def look_back(config: Path, lake: Lake, corrected: Slice) -> bool:
    """Compare, ask the past and explain, by the commands that anybody would type; whether all of them answered.

    ``corrected`` is the month that a later delivery changed. Raises LakeError.
    """
    bounds = bounds_of(loads_of(lake, corrected))
    found = difference(lake, corrected, bounds, _COLUMNS)
    if bounds.after is None or not found.cells:
        return False
    say()
    console().rule(
        f"6. Somebody asks of {corrected}: what changed since it was invoiced, what did it say then, and why?", align="left"
    )
    day, service, kind = found.cells[0].values
    sql = COST_OF_MONTH.format(condition=corrected.condition)
    cell = (
        f"marts.aws_daily_summary where source = '{corrected.source}' and usage_date = date '{day}' "
        f"and product_code = '{service}' and line_item_type = '{kind}'"
    )
    # Payers share an assembly id where AWS delivers to them at the same second: the source tells which is meant.
    moment = f"{corrected.source}/{bounds.after.delivery_id}"
    month = f"{corrected.billing_period:%Y-%m}"
    asked: list[tuple[list[str], Callable[[], int]]] = [
        (
            ["diff", corrected.source, month, "--by", ",".join(BY)],
            lambda: show_difference(config, corrected.source, month, (None, None, None), ",".join(BY), False, "table"),
        ),
        (["query", sql, "--as-of", moment], lambda: run_query(config, sql, "table", moment)),
        (["query", sql], lambda: run_query(config, sql, "table")),
        (
            ["explain", cell, "--column", "unblended_cost"],
            lambda: explain_cell(config, cell, "unblended_cost", 5, as_json=False),
        ),
    ]
    codes = []
    for arguments, answer in asked:
        say()
        say(f"$ uv run cost-lakehouse {' '.join(map(_typed, arguments))}")
        codes.append(answer())
    return not any(codes)


def _typed(argument: str) -> str:
    """An argument for a shell; SQL, which has texts in single quotes, stays readable in double ones."""
    plain = "'" in argument and not set('"$`\\!') & set(argument)
    return f'"{argument}"' if plain else shlex.quote(argument)
