"""``allocate``: who bears what a bill comes to; ``clusters``: what ran on its nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cost_lakehouse.cli.options import AsJson, Config, Month, Source, checked
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer()


@app.command()
def allocate(
    context: typer.Context,
    source: Source = None,
    month: Month = None,
    rules: Annotated[str, typer.Option("--rules", help="then: of each month; now: the newest, for old months too.")] = "then",
    basis: Annotated[str, typer.Option("--basis", help="What is shown: billed or effective.")] = "billed",
    preview: Annotated[
        Path | None, typer.Option("--preview", help="Another file of rules: show what it would change, and write nothing.")
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Share the published costs out among teams by the rules of `allocations:`, exactly; new months are by themselves."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.allocate import allocate_costs

        raise typer.Exit(allocate_costs(chosen, source, month, rules, basis, preview, as_json))


@app.command()
def clusters(
    context: typer.Context,
    source: Source = None,
    month: Month = None,
    days: Annotated[
        int, typer.Option("--days", min=0, max=100, help="So many closed days are fetched where they are missing.")
    ] = 30,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Split nodes' and volumes' costs among namespaces by what clusters say; published months are by themselves."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.clusters import split_clusters

        raise typer.Exit(split_clusters(chosen, source, month, days, as_json))
