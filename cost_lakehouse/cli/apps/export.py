"""``export``: what the lake holds as files for others."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cost_lakehouse.cli.options import Config, Source, check_choice, checked
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer(help="Write what the lake holds as files that others read.", no_args_is_help=True)


class Form(StrEnum):
    """Kinds of files."""

    PARQUET = "parquet"
    CSV = "csv"


@app.callback()
def export(context: typer.Context) -> None:
    """Write what the lake holds as files that others read."""


@app.command("focus")
def export_focus(
    context: typer.Context,
    month: Annotated[str, typer.Option("--month", help="The billing month, as YYYY-MM.")],
    to: Annotated[str, typer.Option("--to", help="A folder, or s3://bucket/prefix.", metavar="PLACE")],
    source: Source = None,
    form: Annotated[Form, typer.Option("--format", help="Kind of files; csv is packed with gzip.")] = Form.PARQUET,
    config: Config = None,
) -> None:
    """Write a month as FOCUS 1.2: files and, last, a manifest. What is there already of the same load is left as it is."""
    with printed_errors():
        chosen = checked(context, config)
        check_choice(chosen, source, None, month)
        from cost_lakehouse.cli.commands.export import write_focus

        raise typer.Exit(write_focus(chosen, month, source, to, form.value))
