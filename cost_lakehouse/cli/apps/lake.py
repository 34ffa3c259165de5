"""``lake``: which lake catalog and warehouse belong to."""

from __future__ import annotations

import typer

from cost_lakehouse.cli.options import (
    AsJson,
    Config,
    chosen_config,
)
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer(help="Which lake catalog and warehouse belong to; take a warehouse over, move a lake.", no_args_is_help=True)


@app.command("show")
def lake_show(context: typer.Context, as_json: AsJson = False, config: Config = None) -> None:
    """Show the lake's id and format, its catalog and warehouse; fails where the two do not belong together."""
    from cost_lakehouse.cli.commands.lake import show_lake

    with printed_errors():
        raise typer.Exit(show_lake(chosen_config(context, config), as_json))


@app.command("adopt")
def lake_adopt(context: typer.Context, config: Config = None) -> None:
    """Make the catalog the one of the warehouse: rebuild it from the files there, or bring it up to date with them."""
    from cost_lakehouse.cli.commands.lake import adopt_warehouse

    with printed_errors():
        raise typer.Exit(adopt_warehouse(chosen_config(context, config)))


@app.command("move")
def lake_move(context: typer.Context, config: Config = None) -> None:
    """Make the files that were copied or moved to lake.warehouse a lake of its own; the old place is not touched."""
    from cost_lakehouse.cli.commands.lake import move_lake

    with printed_errors():
        raise typer.Exit(move_lake(chosen_config(context, config)))
