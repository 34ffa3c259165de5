"""``alerts``: what is wrong, and who was told."""

from __future__ import annotations

from typing import Annotated

import typer

from cost_lakehouse.cli.options import (
    AsJson,
    Config,
    checked,
    chosen_config,
)
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer(help="Show what is wrong and who was told; try the ways by which people are told.")


@app.callback(invoke_without_command=True)
def alerts(context: typer.Context, as_json: AsJson = False, config: Config = None) -> None:
    """Show what is wrong and who was told; try the ways by which people are told."""
    context.obj = chosen_config(context, config)
    if context.invoked_subcommand is not None:
        return
    with printed_errors():
        checked(context, context.obj)
        from cost_lakehouse.cli.commands.alerts import show_alerts

        raise typer.Exit(show_alerts(context.obj, as_json))


@app.command("test")
def alerts_test(context: typer.Context, config: Config = None) -> None:
    """Send a test message through every channel, and say of each whether it was taken."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.alerts import send_test

        raise typer.Exit(send_test(chosen))


@app.command("close")
def alerts_close(context: typer.Context, incident: Annotated[str, typer.Argument(metavar="ID")], config: Config = None) -> None:
    """End an alert that nothing else will end, such as that of a job which is never run again."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.alerts import close_alert

        raise typer.Exit(close_alert(chosen, incident))
