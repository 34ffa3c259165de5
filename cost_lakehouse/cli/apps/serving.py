"""``serve``: the lake over HTTP; ``mcp``: the lake for agents."""

from __future__ import annotations

from typing import Annotated

import typer

from cost_lakehouse.cli.options import Config, checked
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer()


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option("--host", help="The address to bind; any but this machine's needs serve.token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")] = 8080,
    config: Config = None,
) -> None:
    """Serve the lake over HTTP, to read only: costs, bills, receipts, and the routes of other tools' clients."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.serve import serve_lake

        raise typer.Exit(serve_lake(chosen, host, port))


@app.command()
def mcp(context: typer.Context, config: Config = None) -> None:
    """Answer agents over stdin and stdout (Model Context Protocol), to read only; needs the extra `mcp`."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.mcp import serve_agents

        raise typer.Exit(serve_agents(chosen))
