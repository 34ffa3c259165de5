"""Options that several commands share, and the configuration that they choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration file; else $COST_LAKEHOUSE_CONFIG, else ./lakehouse.yaml."),
]
Source = Annotated[str | None, typer.Option("--source", help="Only this source.")]
Month = Annotated[str | None, typer.Option("--month", help="Only this billing month, as YYYY-MM.")]
ForeignFile = Annotated[Path, typer.Argument(help="The other tool's JSON; - reads it from stdin.", metavar="FILE")]
Write = Annotated[bool, typer.Option("--write", help="Add the sources to lakehouse.yaml too; its comments and order stay.")]
Exact = Annotated[bool, typer.Option("--exact", help="All digits of amounts on a terminal too, not cents.")]
AsJson = Annotated[bool, typer.Option("--json", help="A JSON array on stdout; amounts are text, so that nothing rounds them.")]


def checked(context: typer.Context, config: Path | None) -> Path | None:
    """The chosen configuration, once it is known to be right: that is told before what a command needs is imported.

    Raises ConfigurationError.
    """
    from cost_lakehouse.cli.choices import settings_of

    chosen = chosen_config(context, config)
    settings_of(chosen)
    return chosen


def check_choice(config: Path | None, source: str | None, kind: str | None, month: str | None) -> None:
    """The same of what is to be loaded. Raises ConfigurationError."""
    from cost_lakehouse.cli.choices import month_of, settings_of, sources_of

    settings = settings_of(config)
    month_of(month, settings)
    sources_of(settings, source, kind)


def chosen_config(context: typer.Context, config: Path | None) -> Path | None:
    """``--config`` after the command, else before it."""
    given: Path | None = context.obj
    return config or given
