"""``invoices``: what was invoiced, beside the bill; ``import`` and ``fetch`` put invoices on record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cost_lakehouse.cli.options import AsJson, Config, Month, Source, check_choice, checked, chosen_config
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer(help="Show every invoice beside the bill's lines that name it; put invoices on record.")


@app.callback(invoke_without_command=True)
def invoices(
    context: typer.Context, source: Source = None, month: Month = None, as_json: AsJson = False, config: Config = None
) -> None:
    """Show every invoice beside the bill's lines that name it: agrees, differs, no invoice, no rows."""
    context.obj = chosen_config(context, config)
    if context.invoked_subcommand is not None:
        return
    with printed_errors():
        chosen = checked(context, context.obj)
        check_choice(chosen, source, None, month)
        from cost_lakehouse.cli.commands.invoices import show_invoices

        raise typer.Exit(show_invoices(chosen, source, month, as_json))


@app.command("import")
def invoices_import(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV or JSON; see docs/close-a-month.md.", metavar="FILE")],
    source: Annotated[
        str | None, typer.Option("--source", help="Whose bill the invoices are of, where no column says it.")
    ] = None,
    config: Config = None,
) -> None:
    """Record the invoices of a file; a row that is no invoice refuses it whole. The same invoices again change nothing."""
    with printed_errors():
        chosen = checked(context, config)
        check_choice(chosen, source, None, None)
        from cost_lakehouse.cli.commands.invoices import import_invoices

        raise typer.Exit(import_invoices(chosen, file, source))


@app.command("fetch")
def invoices_fetch(context: typer.Context, source: Source = None, month: Month = None, config: Config = None) -> None:
    """Ask AWS and Oracle for the invoices of the payers and months that the lake holds, and record them."""
    with printed_errors():
        chosen = checked(context, config)
        check_choice(chosen, source, None, month)
        from cost_lakehouse.cli.commands.invoices import fetch_all

        raise typer.Exit(fetch_all(chosen, source, month))
