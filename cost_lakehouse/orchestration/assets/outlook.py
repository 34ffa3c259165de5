"""Forecast, anomalies and budgets as Dagster shows them: three assets beside the marts they are made of, and their checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg

from cost_lakehouse.lake.tables import ANOMALIES, BUDGETS, FORECAST
from cost_lakehouse.orchestration.alert_outlook import anomaly_text, budget_text
from cost_lakehouse.orchestration.assets.load_metadata import metadata_table, plain
from cost_lakehouse.orchestration.constants import TABLE_NAME
from cost_lakehouse.orchestration.decisions import partition_key
from cost_lakehouse.outlook.marts import ALL, Ahead, reportable

FORECAST_KEY, ANOMALIES_KEY, BUDGETS_KEY = (dg.AssetKey(name.split(".")) for name in (FORECAST, ANOMALIES, BUDGETS))
OUTLOOK_KEYS = frozenset((FORECAST_KEY, ANOMALIES_KEY, BUDGETS_KEY))
NOTHING_UNEXPECTED, BUDGETS_HOLD = "nothing_unexpected", "budgets_hold"
_LISTED = 50
_SAYS = {
    FORECAST_KEY: "What the month that is now comes to, by currency: all costs, and by service and account. Made of settled "
    "days alone, with a range and how far off the same forecast was before.",
    ANOMALIES_KEY: "Days in a row that cost what nobody expected, in the last 60 settled days, and what made them.",
    BUDGETS_KEY: "How each budget of `lakehouse.yaml` stands in the period that is now.",
}


def outlook_specs(months: dg.MonthlyPartitionsDefinition) -> list[dg.AssetSpec]:
    """The three assets: worked out after the marts are published, in the same run, always as a whole."""
    return [
        dg.AssetSpec(
            key,
            deps=[dg.AssetKey(["marts", "daily_costs"])],
            group_name="marts",
            kinds={"python", "iceberg"},
            owners=["team:finops"],
            description=f"{says}\n\nIt is of no month: each run that publishes months makes it anew.",
            partitions_def=months,
            metadata={TABLE_NAME: ".".join(key.path)},
        )
        for key, says in _SAYS.items()
    ]


def outlook_check_specs() -> list[dg.AssetCheckSpec]:
    """The checks' specs."""
    return [
        dg.AssetCheckSpec(
            NOTHING_UNEXPECTED,
            asset=ANOMALIES_KEY,
            description="No day of the last settled week cost what nobody expected. Warns.",
        ),
        dg.AssetCheckSpec(
            BUDGETS_HOLD,
            asset=BUDGETS_KEY,
            description="No budget is exceeded, or will be. Warns; fails where one of `severity: error` is exceeded.",
        ),
    ]


def outlook_events(ahead: Ahead, months: Sequence[date]) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """A materialization of each asset for these months, and its check."""
    facts = {
        FORECAST_KEY: forecast_metadata(ahead.forecast),
        ANOMALIES_KEY: anomaly_metadata(ahead.anomalies),
        BUDGETS_KEY: budget_metadata(ahead.budgets),
    }
    for key, metadata in facts.items():
        for month in months:
            yield dg.AssetMaterialization(asset_key=key, partition=partition_key(month), metadata=metadata)
    yield anomaly_check(ahead.anomalies)
    yield budget_check(ahead.budgets)


def forecast_metadata(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The whole's forecasts as numbers, which Dagster plots over time, and all of them as a table."""
    whole = [row for row in rows if row["dimension"] == ALL]
    numbers: dict[str, Any] = {
        f"forecast_{row['currency_code'] or 'none'}": float(row["forecast_cost"])
        for row in whole
        if row["forecast_cost"] is not None
    }
    names = ("dimension", "value", "currency_code", "settled_cost", "forecast_cost", "low", "high", "mean_error_percent")
    return {
        "dagster/row_count": len(rows),
        **numbers,
        **({"settled_until": whole[0]["settled_until"].isoformat()} if whole else {}),
        "forecasts": _table(names, rows),
    }


def anomaly_metadata(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many, the impact of recent ones by currency, and all as a table."""
    impacts: dict[str, Decimal] = defaultdict(Decimal)
    for row in reportable(rows):
        impacts[row["currency_code"] or "none"] += row["impact"]
    names = (
        "dimension",
        "value",
        "currency_code",
        "kind",
        "first_day",
        "last_day",
        "cost",
        "expected_cost",
        "impact",
        "is_open",
    )
    return {
        "dagster/row_count": len(rows),
        "recent": len(reportable(rows)),
        **{f"recent_impact_{currency}": float(impact) for currency, impact in impacts.items()},
        "anomalies": _table(names, rows),
    }


def budget_metadata(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is used of each in percent, and all as a table."""
    names = (
        "budget",
        "period_begin",
        "currency_code",
        "amount",
        "spent",
        "used_percent",
        "forecast_cost",
        "state",
        "exceeded_on",
    )
    return {
        "dagster/row_count": len(rows),
        **{f"used_percent {row['budget']}": float(row["used_percent"]) for row in rows},
        "budgets": _table(names, rows),
    }


def anomaly_check(rows: Sequence[Mapping[str, Any]]) -> dg.AssetCheckEvaluation:
    """Warns where the last settled week has one, each cause once."""
    recent = reportable(rows)
    return dg.AssetCheckEvaluation(
        asset_key=ANOMALIES_KEY,
        check_name=NOTHING_UNEXPECTED,
        passed=not recent,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(anomaly_text(row) for row in recent[:3]) or None,
        metadata={"anomalies": len(recent), "list": dg.MetadataValue.json([anomaly_text(row) for row in recent[:_LISTED]])},
    )


def budget_check(rows: Sequence[Mapping[str, Any]]) -> dg.AssetCheckEvaluation:
    """Warns where one will be exceeded; where one is, it is as bad as the worst of these says."""
    wrong = [row for row in rows if row["state"] in ("over", "will exceed")]
    is_error = any(row["state"] == "over" and row["severity"] == "error" for row in wrong)
    said = [f"{row['budget']} {budget_text(row)}" for row in wrong]
    return dg.AssetCheckEvaluation(
        asset_key=BUDGETS_KEY,
        check_name=BUDGETS_HOLD,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description="; ".join(said[:3]) or None,
        metadata={"budgets": len(rows), "exceeded": dg.MetadataValue.json(said)},
    )


def _table(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    shown: list[dict[str, str | int]] = [{name: _cell(row[name]) for name in names} for row in rows[:_LISTED]]
    return metadata_table(dict.fromkeys(names, str), shown)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else str(value)
