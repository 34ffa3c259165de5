"""The commands and their options; each hands over to its own module, imported only then, so that ``--help`` is quick."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from cost_lakehouse.cli.interrupts import interruptible
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer(
    name="cost-lakehouse",
    help="The lakehouse for cloud bills: loads every delivery whole, summarises it, and proves the totals to the cent.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)

policy_app = typer.Typer(help="Print the rights a process needs, and no more, for AWS's IAM.", no_args_is_help=True)
app.add_typer(policy_app, name="policy")

import_app = typer.Typer(help="Turn other tools' configurations into sources of lakehouse.yaml.", no_args_is_help=True)
app.add_typer(import_app, name="import")

alerts_app = typer.Typer(help="Show what is wrong and who was told; try the ways by which people are told.")
app.add_typer(alerts_app, name="alerts")

lake_app = typer.Typer(
    help="Which lake catalog and warehouse belong to; take a warehouse over, move a lake.", no_args_is_help=True
)
app.add_typer(lake_app, name="lake")

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


class Format(StrEnum):
    """How ``query`` prints."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class PolicyPart(StrEnum):
    """One of a source's policies."""

    READER = "reader"
    TRUST = "trust"
    CALLER = "caller"
    BUCKET = "bucket"


class QueryCommand(TyperCommand):
    """Takes SQL that begins with a comment (``-- daily``) for what it is, and not for an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """A blank before it changes nothing for SQL. No option has a blank in its name."""
        return super().parse_args(ctx, [f" {argument}" if _SQL_COMMENT.match(argument) else argument for argument in args])


_SQL_COMMENT = re.compile(r"--(?:[^=]*\s|.*\n)", re.DOTALL)


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
        chosen = _checked(context, config)
        _check_choice(chosen, source, None, month)
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
    config: Config = None,
) -> None:
    """Load what is new, build the summaries and run the checks; recorded in Dagster like any run."""
    with printed_errors():
        with interruptible() as interruption:
            chosen = _checked(context, config)
            _check_choice(chosen, source, kind, month)
            from cost_lakehouse.cli.commands.alerts import with_alerts
            from cost_lakehouse.cli.commands.run import run_once

            work = partial(run_once, chosen, source, kind, month, summarize, force, exact, interruption)
            code = with_alerts(chosen, "run", work)
        raise typer.Exit(code)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def dbt(context: typer.Context, config: Config = None) -> None:
    """Run any dbt command on your lake, with your own models too: build, test, show, compile … Nothing is published."""
    with printed_errors():
        chosen = _checked(context, config)
        from cost_lakehouse.cli.commands.dbt import run_dbt_command

        raise typer.Exit(run_dbt_command(chosen, context.args))


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
            chosen = _checked(context, config)
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
        chosen = _checked(context, config)
        from cost_lakehouse.cli.commands.accounts import read_account_names
        from cost_lakehouse.cli.commands.alerts import with_alerts

        raise typer.Exit(with_alerts(chosen, "accounts", lambda: read_account_names(chosen, name)))


@app.command()
def status(context: typer.Context, as_json: AsJson = False, exact: Exact = False, config: Config = None) -> None:
    """Show what the lake holds for each source and month, and what went wrong last."""
    with printed_errors():
        chosen = _checked(context, config)
        from cost_lakehouse.cli.commands.status import show_status

        raise typer.Exit(show_status(chosen, as_json, exact))


@app.command(cls=QueryCommand)
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT; tables are raw.* and marts.*.", metavar="SQL")],
    output: Annotated[
        Format, typer.Option("--format", help="csv has a header line and null is empty; json gives decimals as text.")
    ] = Format.TABLE,
    config: Config = None,
) -> None:
    """Ask the lake in SQL; stdout carries the result alone."""
    with printed_errors():
        chosen = _checked(context, config)
        from cost_lakehouse.cli.commands.query import run_query

        raise typer.Exit(run_query(chosen, sql, output.value))


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
        chosen = _checked(context, config)
        from cost_lakehouse.cli.commands.alerts import with_alerts
        from cost_lakehouse.cli.commands.maintain import maintain_lake

        raise typer.Exit(with_alerts(chosen, "maintain", lambda: maintain_lake(chosen, table or [], dry_run, as_json)))


@app.command()
def doctor(context: typer.Context, config: Config = None) -> None:
    """Check configuration, credentials, buckets and engine; each failure with its cause and fix."""
    with printed_errors():
        chosen = _checked(context, config)
        from cost_lakehouse.cli.doctor.examine import examine

        raise typer.Exit(examine(chosen))


@lake_app.command("show")
def lake_show(context: typer.Context, as_json: AsJson = False, config: Config = None) -> None:
    """Show the lake's id and format, its catalog and warehouse; fails where the two do not belong together."""
    from cost_lakehouse.cli.commands.lake import show_lake

    with printed_errors():
        raise typer.Exit(show_lake(_chosen(context, config), as_json))


@lake_app.command("adopt")
def lake_adopt(context: typer.Context, config: Config = None) -> None:
    """Make the catalog the one of the warehouse: rebuild it from the files there, or bring it up to date with them."""
    from cost_lakehouse.cli.commands.lake import adopt_warehouse

    with printed_errors():
        raise typer.Exit(adopt_warehouse(_chosen(context, config)))


@lake_app.command("move")
def lake_move(context: typer.Context, config: Config = None) -> None:
    """Make the files that were copied or moved to lake.warehouse a lake of its own; the old place is not touched."""
    from cost_lakehouse.cli.commands.lake import move_lake

    with printed_errors():
        raise typer.Exit(move_lake(_chosen(context, config)))


@alerts_app.callback(invoke_without_command=True)
def alerts(context: typer.Context, as_json: AsJson = False, config: Config = None) -> None:
    """Show what is wrong and who was told; try the ways by which people are told."""
    context.obj = _chosen(context, config)
    if context.invoked_subcommand is not None:
        return
    with printed_errors():
        _checked(context, context.obj)
        from cost_lakehouse.cli.commands.alerts import show_alerts

        raise typer.Exit(show_alerts(context.obj, as_json))


@alerts_app.command("test")
def alerts_test(context: typer.Context, config: Config = None) -> None:
    """Send a test message through every channel, and say of each whether it was taken."""
    with printed_errors():
        chosen = _checked(context, config)
        from cost_lakehouse.cli.commands.alerts import send_test

        raise typer.Exit(send_test(chosen))


@alerts_app.command("close")
def alerts_close(context: typer.Context, incident: Annotated[str, typer.Argument(metavar="ID")], config: Config = None) -> None:
    """End an alert that nothing else will end, such as that of a job which is never run again."""
    with printed_errors():
        chosen = _checked(context, config)
        from cost_lakehouse.cli.commands.alerts import close_alert

        raise typer.Exit(close_alert(chosen, incident))


@import_app.command("kubecost")
def import_kubecost(context: typer.Context, file: ForeignFile, write: Write = False, config: Config = None) -> None:
    """Print the sources of Kubecost's or OpenCost's cloud-integration.json as YAML; keys in it are not copied."""
    with printed_errors():
        chosen = _chosen(context, config)
        from cost_lakehouse.cli.commands.import_sources import import_sources

        raise typer.Exit(import_sources("kubecost", file, chosen, write))


@import_app.command("koku")
def import_koku(context: typer.Context, file: ForeignFile, write: Write = False, config: Config = None) -> None:
    """Print the sources of a source payload of Koku as YAML; the reports in its bucket are found."""
    with printed_errors():
        chosen = _chosen(context, config)
        from cost_lakehouse.cli.commands.import_sources import import_sources

        raise typer.Exit(import_sources("koku", file, chosen, write))


@policy_app.command("store")
def policy_store(context: typer.Context, config: Config = None) -> None:
    """Print the policy of the process that writes the configured store, as JSON: its prefix only."""
    with printed_errors():
        chosen = _checked(context, config)
        from cost_lakehouse.cli.commands.policy import print_store_policy

        raise typer.Exit(print_store_policy(chosen))


@policy_app.command("aws")
def policy_aws(
    context: typer.Context,
    source: Source = None,
    part: Annotated[PolicyPart | None, typer.Option("--part", help="Only this policy of the source, as AWS takes it.")] = None,
    principal: Annotated[
        list[str] | None, typer.Option("--principal", help="ARN of a role or user that loads; may be given several times.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", help="The account that the bill is of, where it is not the role's.")
    ] = None,
    kms_key: Annotated[str | None, typer.Option("--kms-key", help="ARN of the bucket's KMS key.")] = None,
    table_location: Annotated[
        str | None, typer.Option("--table-location", help="Where an Athena table's files lie: s3://bucket/prefix.")
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option("--address", help="Only from this address, such as a proxy's: 203.0.113.7/32.")
    ] = None,
    organizations: Annotated[
        bool, typer.Option("--organizations", help="Account names and units from AWS Organizations too.")
    ] = False,
    reports: Annotated[bool, typer.Option("--reports", help="Finding reports by cur:DescribeReportDefinitions too.")] = False,
    config: Config = None,
) -> None:
    """Print, for the configured sources at AWS, who needs which rights, as JSON: reader, trust, caller, bucket."""
    from cost_lakehouse.cli.commands.policy_aws import Wanted, print_aws_policies

    wanted = Wanted(tuple(principal or ()), account, kms_key, table_location, tuple(address or ()), organizations, reports)
    with printed_errors():
        raise typer.Exit(print_aws_policies(_chosen(context, config), source, part.value if part else None, wanted))


def _checked(context: typer.Context, config: Path | None) -> Path | None:
    """The chosen configuration, once it is known to be right: that is told before what a command needs is imported.

    Raises ConfigurationError.
    """
    from cost_lakehouse.cli.choices import settings_of

    chosen = _chosen(context, config)
    settings_of(chosen)
    return chosen


def _check_choice(config: Path | None, source: str | None, kind: str | None, month: str | None) -> None:
    """The same of what is to be loaded. Raises ConfigurationError."""
    from cost_lakehouse.cli.choices import month_of, settings_of, sources_of

    settings = settings_of(config)
    month_of(month, settings)
    sources_of(settings, source, kind)


def _chosen(context: typer.Context, config: Path | None) -> Path | None:
    """``--config`` after the command, else before it."""
    given: Path | None = context.obj
    return config or given
