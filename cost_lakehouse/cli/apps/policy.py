"""``policy``: the rights that a process needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cost_lakehouse.cli.options import (
    Config,
    Source,
    checked,
    chosen_config,
)
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer(help="Print the rights a process needs, and no more.", no_args_is_help=True)


class PolicyPart(StrEnum):
    """One of a source's policies."""

    READER = "reader"
    TRUST = "trust"
    CALLER = "caller"
    BUCKET = "bucket"


@app.command("store")
def policy_store(context: typer.Context, config: Config = None) -> None:
    """Print the policy of the process that writes the configured store, as JSON: its prefix only."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.policy import print_store_policy

        raise typer.Exit(print_store_policy(chosen))


@app.command("postgres")
def policy_postgres(
    context: typer.Context,
    reader: Annotated[str, typer.Option("--reader", help="The role that reads the tables.")] = "cost_reader",
    config: Config = None,
) -> None:
    """Print the rights of who publishes to PostgreSQL and of who reads there, as SQL for the database's owner."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.policy import print_postgres_policy

        raise typer.Exit(print_postgres_policy(chosen, reader))


@app.command("aws")
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
    invoices: Annotated[
        bool, typer.Option("--invoices", help="Fetching invoices by invoicing:ListInvoiceSummaries too.")
    ] = False,
    config: Config = None,
) -> None:
    """Print, for the configured sources at AWS, who needs which rights, as JSON: reader, trust, caller, bucket."""
    from cost_lakehouse.cli.commands.policy_aws import Wanted, print_aws_policies

    wanted = Wanted(
        tuple(principal or ()), account, kms_key, table_location, tuple(address or ()), organizations, reports, invoices
    )
    with printed_errors():
        raise typer.Exit(print_aws_policies(chosen_config(context, config), source, part.value if part else None, wanted))
