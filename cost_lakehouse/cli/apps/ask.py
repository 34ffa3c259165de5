"""Costs without SQL: ``costs``, ``report``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cost_lakehouse.cli.options import Config, checked
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer()


class Format(StrEnum):
    """How ``costs`` answers; the last two into a file only."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    XLSX = "xlsx"


@app.command()
def costs(
    context: typer.Context,
    month: Annotated[
        str | None, typer.Option("--month", help="The bills of this month, as YYYY-MM.", show_default="the newest bill")
    ] = None,
    last: Annotated[str | None, typer.Option("--last", help="The last days of usage, today among them, such as 30d.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="Usage from this day on, as YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Usage before this day.", show_default="up to today")] = None,
    by: Annotated[str, typer.Option("--by", help="Up to 4 dimensions, such as service,account,tag:team.")] = "",
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Only these: service=AmazonEC2,AmazonS3, or service~ec2 for a part.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", help="Not these; written alike.")] = None,
    top: Annotated[int | None, typer.Option("--top", help="So many groups, and all others in one row.")] = None,
    order: Annotated[str, typer.Option("--order", help="-cost, cost, -change, change or name.")] = "-cost",
    compare: Annotated[
        str | None, typer.Option("--compare", help="With the previous range, or a month or year before.")
    ] = None,
    basis: Annotated[
        str,
        typer.Option(
            "--basis",
            help="billed, effective, list, net, amortized or blended; or usage, in its units.",
            show_default="billed; of clusters effective",
        ),
    ] = "",
    daily: Annotated[bool, typer.Option("--daily", help="Each day by itself.")] = False,
    monthly: Annotated[bool, typer.Option("--monthly", help="Each month by itself.")] = False,
    quarterly: Annotated[bool, typer.Option("--quarterly", help="Each quarter by itself.")] = False,
    currency: Annotated[
        str | None,
        typer.Option("--currency", help="In this one: converted where currency_rates is set, else only what is billed in it."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="As it was known then: a date, a UTC time, a delivery id, invoiced.", metavar="MOMENT"),
    ] = None,
    output: Annotated[
        Format | None, typer.Option("--format", help="All but table are exact.", show_default="table, or as the file is named")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--output", help="Write a .csv, .json, .parquet or .xlsx file.", metavar="FILE")
    ] = None,
    config: Config = None,
) -> None:
    """Show what it cost, by whatever you ask; rows always add up to the total."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.costs import Question, show_costs

        asked = Question(
            month=month,
            last=last,
            begin=begin,
            end=end,
            by=by,
            where=tuple(where or ()),
            exclude=tuple(exclude or ()),
            top=top,
            order=order,
            compare=compare,
            basis=basis,
            granularity={"day": daily, "month": monthly, "quarter": quarterly},
            currency=currency,
            as_of=as_of,
        )
        raise typer.Exit(show_costs(chosen, asked, output.value if output else None, file))


@app.command()
def report(
    context: typer.Context,
    month: Annotated[
        str | None, typer.Option("--month", help="The bills of this month, as YYYY-MM.", show_default="the newest bill")
    ] = None,
    basis: Annotated[str, typer.Option("--basis", help="billed, effective, list, net, amortized or blended.")] = "billed",
    file: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="The HTML file to write, FILE.pdf where chromium is there, or `mail`: to those who get alerts.",
            metavar="FILE",
            show_default="costs-MONTH.html",
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Write a month's costs as one HTML file: bills and their states, days, services, accounts, regions, what moved."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.report import write_report

        raise typer.Exit(write_report(chosen, month, basis, file))
