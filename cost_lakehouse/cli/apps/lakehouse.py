"""What shows the lakehouse and keeps it well: ``status``, ``query``, ``dbt``, ``maintain``, ``doctor``."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from cost_lakehouse.cli.options import (
    AsJson,
    Config,
    Exact,
    checked,
)
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer()


class Format(StrEnum):
    """How ``query`` prints."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class QueryCommand(TyperCommand):
    """Takes SQL that begins with a comment (``-- daily``) for what it is, and not for an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """A blank before it changes nothing for SQL. No option has a blank in its name."""
        return super().parse_args(ctx, [f" {argument}" if _SQL_COMMENT.match(argument) else argument for argument in args])


_SQL_COMMENT = re.compile(r"--(?:[^=]*\s|.*\n)", re.DOTALL)


@app.command()
def status(context: typer.Context, as_json: AsJson = False, exact: Exact = False, config: Config = None) -> None:
    """Show what the lake holds for each source and month, and what went wrong last."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.status import show_status

        raise typer.Exit(show_status(chosen, as_json, exact))


@app.command(cls=QueryCommand)
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT; tables are raw.* and marts.*.", metavar="SQL")],
    output: Annotated[
        Format, typer.Option("--format", help="csv has a header line and null is empty; json gives decimals as text.")
    ] = Format.TABLE,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", help="As the tables were: a date, UTC time, delivery id, SOURCE/ID, invoiced.", metavar="MOMENT"
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--output", help="Write a .csv, .json, .parquet or .xlsx file instead.", metavar="FILE")
    ] = None,
    config: Config = None,
) -> None:
    """Ask the lake in SQL; stdout carries the result alone."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.query import run_query

        raise typer.Exit(run_query(chosen, sql, output.value, as_of, file))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def dbt(context: typer.Context, config: Config = None) -> None:
    """Run any dbt command on your lake, with your own models too: build, test, show, compile … Nothing is published."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.dbt import run_dbt_command

        raise typer.Exit(run_dbt_command(chosen, context.args))


@app.command()
def maintain(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    table: Annotated[list[str] | None, typer.Option("--table", help="Only this table; may be given several times.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Expire old snapshots, merge small files and remove what nothing refers to; what proves a bill stays."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.alerts import with_alerts
        from cost_lakehouse.cli.commands.maintain import maintain_lake

        raise typer.Exit(with_alerts(chosen, "maintain", lambda: maintain_lake(chosen, table or [], dry_run, as_json)))


@app.command()
def doctor(context: typer.Context, config: Config = None) -> None:
    """Check configuration, credentials, buckets and engine; each failure with its cause and fix."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.doctor.examine import examine

        raise typer.Exit(examine(chosen))
