"""``close``: closes a month, accepts what came after, or reopens it."""

from __future__ import annotations

from typing import Annotated

import typer

from cost_lakehouse.cli.interrupts import interruptible
from cost_lakehouse.cli.options import Config, check_choice, checked
from cost_lakehouse.cli.output import printed_errors
from cost_lakehouse.errors import ConfigurationError

app = typer.Typer()


@app.command()
def close(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="The source whose bill it is.", metavar="SOURCE")],
    month: Annotated[str, typer.Argument(help="The billing month, as YYYY-MM.", metavar="MONTH")],
    note: Annotated[str | None, typer.Option("--note", help="Why; kept in the log.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Book the delivery that came after the month was closed.")] = False,
    reopen: Annotated[bool, typer.Option("--reopen", help="Let later deliveries in again.")] = False,
    without_invoice: Annotated[
        bool, typer.Option("--without-invoice", help="Close it though an invoice is not on record.")
    ] = False,
    despite_difference: Annotated[
        bool, typer.Option("--despite-difference", help="Close it though an invoice differs; takes a --note.")
    ] = False,
    config: Config = None,
) -> None:
    """Close a month: its marts stay as they are until a later delivery is accepted. Its invoices must agree with the bill."""
    with printed_errors():
        with interruptible() as interruption:
            chosen = checked(context, config)
            check_choice(chosen, source, None, month)
            if accept and reopen:
                raise ConfigurationError("--accept and --reopen cannot both be meant.", "Leave one of them out.")
            if despite_difference and not note:
                raise ConfigurationError("--despite-difference takes a --note.", "Say why: --note 'rounded by the reseller'.")
            from cost_lakehouse.cli.commands.close import close_one
            from cost_lakehouse.summaries.closings import ACCEPTED, CLOSED, REOPENED

            action = ACCEPTED if accept else REOPENED if reopen else CLOSED
            code = close_one(chosen, source, month, action, note, without_invoice, despite_difference, interruption)
        raise typer.Exit(code)
