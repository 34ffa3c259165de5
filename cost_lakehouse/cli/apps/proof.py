"""Why a number is what it is, and its proof: ``explain``, ``pack``."""

from __future__ import annotations

from pathlib import Path
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


@app.command()
def pack(
    context: typer.Context,
    month: Annotated[str, typer.Argument(help="The billing month, as YYYY-MM.", metavar="MONTH")],
    output: Annotated[
        Path | None, typer.Option("--output", help="The archive to write.", show_default="cost-lakehouse-MONTH.zip")
    ] = None,
    config: Config = None,
) -> None:
    """Write a month-close pack: a month's summaries, receipts, control totals and findings, with their SHA-256."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.pack import pack_month

        raise typer.Exit(pack_month(chosen, month, output))
