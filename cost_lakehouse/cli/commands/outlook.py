"""``cost-lakehouse forecast``, ``anomalies`` and ``budgets``: tables for people, JSON for programs. Estimates are in cents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from cost_lakehouse.ask.request import conditions_of
from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.output import EXIT_FAILED, amount_shown, plain_decimal, print_json, print_table, print_wrapped
from cost_lakehouse.cli.tables import Column, rounded
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.outlook.anomalies import Thresholds
from cost_lakehouse.outlook.history import Scope
from cost_lakehouse.outlook.looking import (
    Found,
    Outlook,
    PeriodBudget,
    explained_anomalies,
    explained_by,
    month_forecasts,
    period_budgets,
    today_of,
)
from cost_lakehouse.outlook.objects import anomaly_object, budget_object, forecast_object
from cost_lakehouse.proof.moments import meant_moment


@dataclass(frozen=True)
class Question:
    """The options as they were typed."""

    by: str | None
    where: tuple[str, ...]
    exclude: tuple[str, ...]
    basis: str
    as_of: str | None

    @property
    def scope(self) -> Scope:
        """Which costs are meant. Raises ConfigurationError where a condition is none."""
        return Scope(conditions_of(self.where), conditions_of(self.exclude), self.basis)

    @property
    def groups(self) -> tuple[str, ...]:
        """What is looked at one by one. Raises ConfigurationError where it is more than one dimension."""
        if self.by and "," in self.by:
            raise ConfigurationError(f"--by {self.by} names several dimensions.", "Name one, and others by --where.")
        return (self.by,) if self.by else ()


def show_forecast(config: Path | None, asked: Question, month: str | None, as_json: bool) -> int:
    """Print what each series comes to in a month; the exit code. Raises ConfigurationError, LakeError."""
    settings = settings_of(config)
    wanted = month_of(month, settings)
    lake, moment, today = _lake_at(config, asked.as_of)
    past, begin, found = month_forecasts(lake, asked.scope, asked.groups, wanted, today, moment)
    if as_json:
        print_json([forecast_object(one, asked.groups, past, begin) for one in found])
        return 0
    names = [*asked.groups, "currency", "settled", "forecast", "from", "to", "usual error"]
    rows = [
        [*_named(one.key.group, asked.groups), one.key.currency_code, rounded(one.spent), *_forecast_cells(one)]
        for one in found
    ]
    print_table([Column(name, "text" if name in (*asked.groups, "currency") else "number") for name in names], rows)
    print_wrapped(
        f"{begin:%Y-%m}: days before {past.settled_until} are settled ({past.decided_by} decides); the others are the median "
        "of their weekday in the last 8 weeks, at the level of the last 7 days. The range is that of 8 in 10 such forecasts "
        "of days that are known."
    )
    return 0


def show_anomalies(config: Path | None, asked: Question, days: int, limits: tuple[Decimal, Decimal], as_json: bool) -> int:
    """Print the anomalies of the last settled days; the exit code. Raises ConfigurationError, LakeError."""
    groups = asked.groups
    lake, moment, today = _lake_at(config, asked.as_of)
    thresholds = Thresholds(amount=limits[0], percent=limits[1])
    inner = explained_by(groups)
    past, begin, found = explained_anomalies(lake, asked.scope, groups, days, thresholds, today, moment)
    if as_json:
        print_json([anomaly_object(one, groups, inner) for one in found])
        return 0
    if found:
        names = ["kind", *groups, "currency", "first day", "last day", "cost", "expected", "impact", f"most by {inner}"]
        numbers = ("cost", "expected", "impact")
        print_table(
            [Column(name, "number" if name in numbers else "text", 1 if name.startswith("most by") else 0) for name in names],
            [_anomaly_row(one, groups) for one in found],
        )
    print_wrapped(
        f"{len(found)} found from {begin} on; days before {past.settled_until} are settled ({past.decided_by} decides). A day "
        f"is one where it strays from its baseline by more than {plain_decimal(thresholds.deviations)} times the usual, "
        f"{plain_decimal(thresholds.amount)} of its currency and {plain_decimal(thresholds.percent)} %."
    )
    return 0


def show_budgets(config: Path | None, check: bool, as_of: str | None, as_json: bool) -> int:
    """Print how each budget stands; the exit code. Raises ConfigurationError, LakeError."""
    if not settings_of(config).budgets:
        raise ConfigurationError(
            f"{settings_of(config).file} names no budgets.",
            "Add one, such as `budgets: [{name: all, amount: 5000, currency: USD}]`.",
        )
    lake, moment, today = _lake_at(config, as_of)
    found = period_budgets(lake, today, moment)
    if as_json:
        print_json([budget_object(one) for one in found])
    else:
        _print_budgets(found)
    is_bad = any(one.status.state in ("over", "will exceed") for one in found)
    return EXIT_FAILED if check and is_bad else 0


def _print_budgets(found: Sequence[PeriodBudget]) -> None:
    rows = [budget_object(one) for one in found]
    numbers = ("amount", "spent", "used", "forecast")
    columns = [Column(name.replace("_", " "), "number" if name in numbers else "text") for name in rows[0]]
    for row in rows:
        row["amount"], row["spent"] = amount_shown(row["amount"]), rounded(row["spent"])
    print_table(columns, [list(row.values()) for row in rows])


def _lake_at(config: Path | None, as_of: str | None) -> tuple[Lake, datetime | None, date]:
    """The lake, the moment that is asked for, and what today is then. Raises LakeError where it holds no bill."""
    lake = Lake(settings_of(config))
    moment = None if as_of is None else meant_moment(lake, as_of)
    return lake, moment, today_of(lake, moment)


def _named(group: Sequence[str | None], names: Sequence[str]) -> list[str]:
    return [f"No {name}" if value is None else value for value, name in zip(group, names, strict=True)]


def _forecast_cells(one: Outlook) -> list[str | None]:
    ahead = one.forecast
    if ahead is None:
        return ["not enough history", None, None, None]
    error = ahead.backtest.mean_percent
    return [
        rounded(ahead.total),
        None if ahead.low is None else rounded(ahead.low),
        None if ahead.high is None else rounded(ahead.high),
        None if error is None else f"{error:.1f} %",
    ]


def _anomaly_row(one: Found, groups: Sequence[str]) -> list[Any]:
    found = one.anomaly
    most = ", ".join(f"{name or 'none'} {rounded(amount)}" for name, amount in one.contributors)
    amounts = [rounded(found.cost), rounded(found.expected), rounded(found.impact)]
    return [found.kind, *_named(one.key.group, groups), one.key.currency_code, found.first_day, found.last_day, *amounts, most]
