"""Why a number is what it is: ``explain``."""

from __future__ import annotations

from typing import Annotated

import typer

from cost_lakehouse.cli.options import AsJson, Config, checked
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer()


@app.command()
def explain(
    context: typer.Context,
    cell: Annotated[str, typer.Argument(help="A mart and the condition that picks its rows.", metavar="MART [where …]")],
    column: Annotated[str, typer.Option("--column", help="The amount that is explained.")] = "billed_cost",
    lines: Annotated[int, typer.Option("--lines", min=0, help="How many of the dearest lines to show.")] = 20,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Follow an amount of a mart to its receipts, files, rules and lines; they add up to it exactly."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.explain import explain_cell

        raise typer.Exit(explain_cell(chosen, cell, column, lines, as_json))
