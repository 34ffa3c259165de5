"""What it will cost, and what it should not have: ``forecast``, ``anomalies``, ``budgets``."""

from __future__ import annotations

from typing import Annotated

import typer

from cost_lakehouse.cli.options import AsJson, Config, checked
from cost_lakehouse.cli.output import printed_errors

app = typer.Typer()

By = Annotated[str | None, typer.Option("--by", help="A dimension, such as service, account or tag:team.")]
Where = Annotated[list[str] | None, typer.Option("--where", help="Only these: service=AmazonEC2, or service~ec2 for a part.")]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help="Not these; written alike.")]
Basis = Annotated[str, typer.Option("--basis", help="billed, effective, list, net, amortized or blended.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="As it was known then: a date, a UTC time, or a delivery id.", metavar="MOMENT")
]


@app.command()
def forecast(
    context: typer.Context,
    month: Annotated[
        str | None, typer.Option("--month", help="The month to forecast, as YYYY-MM.", show_default="this month")
    ] = None,
    by: By = None,
    where: Where = None,
    exclude: Exclude = None,
    basis: Basis = "billed",
    as_of: AsOf = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Say what a month comes to, within which range, and how far such forecasts were off."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.outlook import Question, show_forecast

        asked = Question(by, tuple(where or ()), tuple(exclude or ()), basis, as_of)
        raise typer.Exit(show_forecast(chosen, asked, month, as_json))


@app.command()
def anomalies(
    context: typer.Context,
    days: Annotated[int, typer.Option("--days", help="How many settled days to look at.", min=1, max=120)] = 30,
    by: By = "service",
    where: Where = None,
    exclude: Exclude = None,
    basis: Basis = "billed",
    amount: Annotated[float, typer.Option("--amount", help="Least amount a day strays, in its currency.", min=0)] = 10,
    percent: Annotated[float, typer.Option("--percent", help="Least percentage a day strays.", min=0)] = 25,
    as_of: AsOf = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show settled days that cost what nobody expected, and what made them."""
    with printed_errors():
        chosen = checked(context, config)
        from decimal import Decimal

        from cost_lakehouse.cli.commands.outlook import Question, show_anomalies

        asked = Question(by, tuple(where or ()), tuple(exclude or ()), basis, as_of)
        limits = (Decimal(repr(amount)), Decimal(repr(percent)))
        raise typer.Exit(show_anomalies(chosen, asked, days, limits, as_json))


@app.command()
def budgets(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where one is over, or will be exceeded.")] = False,
    as_of: AsOf = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show how the budgets of lakehouse.yaml stand: under, will exceed on a day, or over."""
    with printed_errors():
        chosen = checked(context, config)
        from cost_lakehouse.cli.commands.outlook import show_budgets

        raise typer.Exit(show_budgets(chosen, check, as_of, as_json))
