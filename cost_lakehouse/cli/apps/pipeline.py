"""What brings bills in, summarises and sends them: ``demo``, ``discover``, ``run``, ``mirror``, ``accounts``, ``push``."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cost_lakehouse.cli.interrupts import interruptible
from cost_lakehouse.cli.options import (
    AsJson,
    Config,
    Exact,
    Month,
    Source,
    check_choice,
    checked,
)
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer()


@app.command()
def demo(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--dir", help="Where the demo lives; made anew each time.")] = Path("demo"),
    today: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="The day on which the story is told, of the two months before.", show_default="now"
        ),
    ] = None,
    exact: Exact = False,
    config: Config = None,
) -> None:
    """Make sample bills, run the whole pipeline on them, and print what happened as a story."""
    with printed_errors():
        with interruptible() as interruption:
            from cost_lakehouse.cli.commands.demo import run_demo

            code = run_demo(folder, today and today.date(), exact, interruption)
        raise typer.Exit(code)


@app.command()
def discover(
    context: typer.Context, source: Source = None, month: Month = None, as_json: AsJson = False, config: Config = None
) -> None:
    """Show the deliveries that are there, and which are new."""
    with printed_errors():
        chosen = checked(context, config)
        check_choice(chosen, source, None, month)
        from cost_lakehouse.cli.commands.discover import show_deliveries

        raise typer.Exit(show_deliveries(chosen, source, month, as_json))


@app.command()
def run(
    context: typer.Context,
    source: Source = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only sources of this kind, such as aws_cur.")] = None,
    month: Month = None,
    summarize: Annotated[bool, typer.Option("--summarize/--no-summarize", help="Build the summaries after loading.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Load and summarise again what the lake already holds.")] = False,
    exact: Exact = False,
    run_id: Annotated[str | None, typer.Option("--run-id", hidden=True)] = None,  # the first run's, for `serve`
    config: Config = None,
) -> None:
    """Load what is new, build the summaries and run the checks; recorded in Dagster like any run."""
    with printed_errors():
        with interruptible() as interruption:
            chosen = checked(context, config)
            check_choice(chosen, source, kind, month)
            from cost_lakehouse.cli.commands.alerts import with_alerts
            from cost_lakehouse.cli.commands.run import run_once

            work = partial(run_once, chosen, source, kind, month, summarize, force, exact, interruption, run_id)
            code = with_alerts(chosen, "run", work)
        raise typer.Exit(code)


@app.command()
def mirror(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="Only this mirror.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be copied, and copy nothing.")] = False,
    config: Config = None,
) -> None:
    """Copy Oracle's reports to where the mirrors keep them: what is new or differs; recorded in Dagster like any run."""
    with printed_errors():
        with interruptible() as interruption:
            chosen = checked(context, config)
            from cost_lakehouse.cli.commands.alerts import with_alerts
            from cost_lakehouse.cli.commands.mirror import mirror_reports

            code = with_alerts(chosen, "mirror", lambda: mirror_reports(chosen, name, dry_run, interruption))
        raise typer.Exit(code)


@app.command()
def accounts(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="Only this organisation.")] = None,
    config: Config = None,
) -> None:
    """Read account names, units and tags out of AWS Organizations, and bring marts.aws_accounts up to date."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.accounts import read_account_names
        from cost_lakehouse.cli.commands.alerts import with_alerts

        raise typer.Exit(with_alerts(chosen, "accounts", lambda: read_account_names(chosen, name)))


@app.command()
def push(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="Only this target.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Send every published month, also those that are there.")] = False,
    config: Config = None,
) -> None:
    """Send the published months that changed to the push targets; recorded in Dagster like any run."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.alerts import with_alerts
        from cost_lakehouse.cli.commands.push import push_months

        raise typer.Exit(with_alerts(chosen, "push", lambda: push_months(chosen, name, again)))
