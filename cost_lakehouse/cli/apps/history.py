"""A bill in time: ``history``, ``diff``."""

from __future__ import annotations

from typing import Annotated

import typer

from cost_lakehouse.cli.apps.lakehouse import Format
from cost_lakehouse.cli.options import AsJson, Config, checked
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer()


@app.command()
def history(
    context: typer.Context,
    source: Annotated[str, typer.Option("--source", help="The source.")],
    month: Annotated[str, typer.Option("--month", help="The billing month, as YYYY-MM.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show every delivery of a month, accepted or refused, and what each changed."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.history import show_history

        raise typer.Exit(show_history(chosen, source, month, as_json))


@app.command()
def diff(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="The source.", metavar="SOURCE")],
    month: Annotated[str, typer.Argument(help="The billing month, as YYYY-MM.", metavar="MONTH")],
    since: Annotated[str | None, typer.Option("--since", help="From what was known then: a date or a UTC time.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="From this delivery; else the one before the last.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="To this delivery; else the last.")] = None,
    by: Annotated[str, typer.Option("--by", help="Some of day, account, service, type.")] = "service,account",
    lines: Annotated[
        bool, typer.Option("--lines", help="Down to the lines of the bill, where the rows of both are still there.")
    ] = False,
    output: Annotated[
        Format, typer.Option("--format", help="csv and json are exact, and have the same columns.")
    ] = Format.TABLE,
    config: Config = None,
) -> None:
    """Show what came, went and changed from one delivery to another, biggest first."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.diff import show_difference

        raise typer.Exit(show_difference(chosen, source, month, (since, first, last), by, lines, output.value))
