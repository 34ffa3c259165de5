"""What the marts of anomalies and budgets say as troubles: each anomaly once, each budget as it comes to be exceeded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cost_lakehouse.alerts.incidents import Kind, Months, Recovery, Severity, Trouble
from cost_lakehouse.alerts.memory import Memory
from cost_lakehouse.audit.receipts import plain
from cost_lakehouse.outlook.marts import reportable

ANOMALY = "anomaly"
_EXCEEDED = ("over", "will exceed")
_SETTLED = {
    Kind.ANOMALY: "It is over for a week, or a delivery changed its days.",
    Kind.BUDGET: "It holds again, or its period is over.",
}


def outlook_seen(
    memory: Memory, anomalies: Sequence[Mapping[str, Any]], budgets: Sequence[Mapping[str, Any]], now: datetime
) -> list[Trouble | Recovery]:
    """A trouble for each recent anomaly and each budget that is or will be exceeded; and what ended. Pure."""
    troubles = [_of_anomaly(row, now) for row in reportable(anomalies)]
    troubles += [_of_budget(row, now) for row in budgets if row["state"] in _EXCEEDED]
    return [*memory.settled(_SETTLED, troubles, now), *troubles]


def anomaly_label(row: Mapping[str, Any]) -> str:
    """Whose costs they are."""
    if row["dimension"] == "all":
        return "all costs"
    return f"{row['dimension']} {row['value'] or '(none)'}"


def anomaly_text(row: Mapping[str, Any]) -> str:
    """An anomaly in one line: whose, which days, what it cost and what was expected."""
    first, last = row["first_day"], row["last_day"]
    days = f"on {first}" if first == last else f"from {first} to {last}"
    cost = f"{_amount(row['cost'])} {row['currency_code'] or ''}".strip()
    return f"{anomaly_label(row)} cost {cost} {days}, where {_amount(row['expected_cost'])} was expected"


def budget_text(row: Mapping[str, Any]) -> str:
    """How a budget stands, in one line."""
    currency = row["currency_code"]
    spent = f"{_amount(row['spent'])} of {_amount(row['amount'])} {currency} ({_amount(row['used_percent'])} %) is spent"
    period = f"the {row['period']} from {row['period_begin']}"
    if row["state"] == "over":
        return f"over: {spent} in {period}"
    when = f" on {row['exceeded_on']}" if row["exceeded_on"] else ""
    return f"will be exceeded{when}: {spent} in {period}, which comes to {_amount(row['forecast_cost'])}"


def _of_anomaly(row: Mapping[str, Any], now: datetime) -> Trouble:
    parts = json.loads(row["contributors"])
    details = tuple(f"{name} {part[name] or '(none)'}: {part['impact']}" for part in parts for name in part if name != "impact")
    return Trouble(
        kind=Kind.ANOMALY,
        what=ANOMALY,
        at=now,
        problem=f"{anomaly_text(row)}.",
        fix="`cost-lakehouse anomalies --by service` has the parts; `cost-lakehouse explain` the lines behind a day.",
        part=f"{anomaly_label(row)} in {row['currency_code'] or 'no currency'} since {row['first_day']}",
        months=Months.one(f"{row['first_day']:%Y-%m}"),
        severity=Severity.WARNING,
        details=details,
    )


def _of_budget(row: Mapping[str, Any], now: datetime) -> Trouble:
    is_error = row["state"] == "over" and row["severity"] == "error"
    return Trouble(
        kind=Kind.BUDGET,
        what=row["budget"],
        at=now,
        problem=f"{budget_text(row)}.",
        fix="`cost-lakehouse budgets` shows each; `cost-lakehouse costs --compare previous` what grew.",
        cause=row["state"],
        part=f"{row['period']} from {row['period_begin']}",
        severity=Severity.ERROR if is_error else Severity.WARNING,
    )


def _amount(amount: Any) -> str:
    return plain(round(amount, 2))
