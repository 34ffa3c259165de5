"""``import``: other tools' configurations as sources."""

from __future__ import annotations

import typer

from cost_lakehouse.cli.options import (
    Config,
    ForeignFile,
    Write,
    chosen_config,
)
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer(help="Turn other tools' configurations into sources of lakehouse.yaml.", no_args_is_help=True)


@app.command("kubecost")
def import_kubecost(context: typer.Context, file: ForeignFile, write: Write = False, config: Config = None) -> None:
    """Print the sources of Kubecost's or OpenCost's cloud-integration.json as YAML; keys in it are not copied."""
    with printed_errors():
        chosen = chosen_config(context, config)
        from cost_lakehouse.cli.commands.import_sources import import_sources

        raise typer.Exit(import_sources("kubecost", file, chosen, write))


@app.command("koku")
def import_koku(context: typer.Context, file: ForeignFile, write: Write = False, config: Config = None) -> None:
    """Print the sources of a source payload of Koku as YAML; the reports in its bucket are found."""
    with printed_errors():
        chosen = chosen_config(context, config)
        from cost_lakehouse.cli.commands.import_sources import import_sources

        raise typer.Exit(import_sources("koku", file, chosen, write))
