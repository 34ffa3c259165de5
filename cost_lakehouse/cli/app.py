"""The command ``cost-lakehouse``: its commands lie in ``apps``, a module for each concern."""

from __future__ import annotations

from typing import Annotated

import typer

from cost_lakehouse.cli.apps import (
    alerts,
    ask,
    close,
    export,
    history,
    importing,
    invoices,
    lake,
    lakehouse,
    outlook,
    pipeline,
    policy,
    proof,
    serving,
    sharing,
)
from cost_lakehouse.cli.options import Config

app = typer.Typer(
    name="cost-lakehouse",
    help="The lakehouse for cloud bills: loads every delivery whole, summarises it, and proves the totals to the cent.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
app.add_typer(pipeline.app)
app.add_typer(lakehouse.app)
app.add_typer(ask.app)
app.add_typer(proof.app)
app.add_typer(lake.app, name="lake")
app.add_typer(alerts.app, name="alerts")
app.add_typer(export.app, name="export")
app.add_typer(importing.app, name="import")
app.add_typer(policy.app, name="policy")
app.add_typer(invoices.app, name="invoices")
app.add_typer(close.app)
app.add_typer(history.app)
app.add_typer(outlook.app)
app.add_typer(serving.app)
app.add_typer(sharing.app)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"cost-lakehouse {version('cost-lakehouse')}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    config: Config = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What every command knows."""
    context.obj = config
