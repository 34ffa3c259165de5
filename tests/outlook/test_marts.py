"""The marts of what lies ahead, of a small lake with one planted anomaly: numbers by hand, written once, told once.

Costs a second: one lake without a dbt build.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import dagster as dg
import pytest

from cost_lakehouse.alerts.incidents import fold
from cost_lakehouse.alerts.memory import Memory
from cost_lakehouse.alerts.messages import item_of
from cost_lakehouse.config.budgets import BudgetSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.tables import ANOMALIES, ANOMALY_COLUMNS, BUDGET_COLUMNS, BUDGETS, FORECAST, FORECAST_COLUMNS
from cost_lakehouse.orchestration.alert_outlook import outlook_seen
from cost_lakehouse.orchestration.assets.outlook import ANOMALIES_KEY, FORECAST_KEY, outlook_events
from cost_lakehouse.outlook.marts import Ahead, Rows, refresh_outlook, reportable, stored
from tests.ask.marts import Line
from tests.builders import Workshop
from tests.serve.conftest import small_lake

TODAY = date(2026, 10, 29)  # a Thursday: 27 October is the first day that is not settled
MOMENT = datetime(2026, 10, 29, 12, tzinfo=UTC)
SPIKE = date(2026, 10, 22)
BEGIN = date(2026, 7, 1)


def _lines() -> tuple[Line, ...]:
    """EC2 costs 10 a day, but 110 on one day; S3 costs 2; tax is 7 a month."""
    found = []
    for number in range((TODAY - BEGIN).days):
        day = BEGIN + timedelta(days=number)
        month = day.replace(day=1)
        found.append(Line(day, month, "1", "AmazonEC2", "USD", Decimal(110 if day == SPIKE else 10)))
        found.append(Line(day, month, "2", "AmazonS3", "USD", Decimal(2)))
        if day.day == 1:
            found.append(Line(day, month, "1", "Tax", "USD", Decimal(7), type="Tax"))
    return tuple(found)


def _budget(name: str, amount: str, **more: object) -> BudgetSettings:
    return BudgetSettings.model_validate({"name": name, "amount": amount, "currency": "USD", **more})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = small_lake(tmp_path_factory.mktemp("ahead"), _lines())
    budgets = (
        _budget("everything", "400", severity="error"),
        _budget("storage", "60.5", where=["service=AmazonS3"]),
        _budget("roomy", "9999", period="quarter"),
        _budget("nothing", "5", where=["service=AmazonNothing"]),
    )
    made.settings = made.settings.model_copy(update={"budgets": budgets})
    return made


@pytest.fixture(scope="module")
def ahead(lake: Lake) -> Ahead:
    made = refresh_outlook(lake, MOMENT)
    assert made is not None
    return made


def _by(rows: Rows, *names: str) -> dict[tuple[object, ...], dict[str, object]]:
    return {tuple(row[name] for name in names): row for row in rows}


def test_forecasts_are_the_whole_and_each_service_and_account(lake: Lake, ahead: Ahead) -> None:
    rows = _by(stored(lake, FORECAST, FORECAST_COLUMNS), "dimension", "value")
    assert {*rows} == {
        ("all", None),
        ("service", "AmazonEC2"),
        ("service", "AmazonS3"),
        ("service", "Tax"),
        ("account", "1"),
        ("account", "2"),
    }
    whole = rows["all", None]
    # 27 settled days of 12, the spike's 100 and the tax; four days of 12 are left.
    assert (whole["settled_until"], whole["settled_cost"]) == (date(2026, 10, 28), Decimal(27 * 12 + 100 + 7))
    assert whole["forecast_cost"] == Decimal(31 * 12 + 100 + 7)
    assert rows["service", "AmazonS3"]["forecast_cost"] == Decimal(62)
    assert (whole["billing_period"], whole["looked_on"], whole["decided_by"]) == (date(2026, 10, 1), TODAY, "acme")


def test_the_planted_day_is_found_in_the_whole_its_service_and_its_account_and_told_once(lake: Lake, ahead: Ahead) -> None:
    rows = stored(lake, ANOMALIES, ANOMALY_COLUMNS)
    assert {(row["dimension"], row["value"]) for row in rows} == {("all", None), ("service", "AmazonEC2"), ("account", "1")}
    (row,) = reportable(rows)
    assert (row["dimension"], row["first_day"], row["last_day"]) == ("service", SPIKE, SPIKE)
    assert (row["cost"], row["expected_cost"], row["impact"]) == (Decimal(110), Decimal(10), Decimal(100))
    assert json.loads(row["contributors"]) == [{"account": "1", "impact": "100.00"}]


def test_budgets_stand_as_their_forecasts_say(lake: Lake, ahead: Ahead) -> None:
    rows = _by(stored(lake, BUDGETS, BUDGET_COLUMNS), "budget")
    assert {name: row["state"] for (name,), row in rows.items()} == {
        "everything": "over",
        "storage": "will exceed",
        "roomy": "under",
        "nothing": "not known",
    }
    # 54 are spent on 27 October; each day adds 2, so that the 31st exceeds 60.5.
    assert (rows["storage",]["spent"], rows["storage",]["exceeded_on"]) == (Decimal(54), date(2026, 10, 31))
    assert (rows["everything",]["severity"], rows["roomy",]["period_begin"]) == ("error", date(2026, 10, 1))


def test_what_says_nothing_new_is_not_written_again_and_old_months_change_nothing(lake: Lake, ahead: Ahead) -> None:
    names = (FORECAST, ANOMALIES, BUDGETS)
    before = [lake.current(name).metadata.current_snapshot_id for name in names]
    assert refresh_outlook(lake, MOMENT, [date(2026, 10, 1)]) == ahead
    assert refresh_outlook(lake, MOMENT, [date(2024, 1, 1)]) is None
    assert [lake.current(name).metadata.current_snapshot_id for name in names] == before


def test_a_lake_without_summaries_has_nothing_ahead(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert refresh_outlook(Workshop(tmp_path_factory.mktemp("empty")).lake, MOMENT) is None


def test_an_anomaly_and_each_crossing_of_a_budget_are_one_alert(ahead: Ahead) -> None:
    memory = Memory(begun=MOMENT, runs_seen_until=MOMENT)
    for hours in range(3):
        fold(memory.incidents, outlook_seen(memory, ahead.anomalies, ahead.budgets, MOMENT + timedelta(hours=hours)))
    titles = {incident.kind.value: item_of(incident, "https://d").title for incident in memory.open}
    assert [(incident.what, incident.stage) for incident in memory.open] == [("anomaly", 1), ("everything", 1), ("storage", 1)]
    assert titles["anomaly"] == ("Unexpected cost: service AmazonEC2 cost 110 USD on 2026-10-22, where 10 was expected.")
    assert [incident.severity.value for incident in memory.open] == ["warning", "error", "warning"]
    # What was to be exceeded is: news. What holds again, or is over for long, has ended.
    crossed = [{**row, "state": "over"} if row["budget"] == "storage" else {**row, "state": "under"} for row in ahead.budgets]
    fold(memory.incidents, outlook_seen(memory, [], crossed, MOMENT + timedelta(days=1)))
    assert [(incident.what, incident.stage) for incident in memory.open] == [("storage", 2)]


def test_checks_warn_of_anomalies_and_fail_where_a_budget_that_must_hold_is_exceeded(ahead: Ahead) -> None:
    events = list(outlook_events(ahead, [date(2026, 10, 1)]))
    checks = {event.check_name: event for event in events if isinstance(event, dg.AssetCheckEvaluation)}
    made = {event.asset_key: event for event in events if isinstance(event, dg.AssetMaterialization)}
    assert {name: (check.passed, check.severity.value) for name, check in checks.items()} == {
        "nothing_unexpected": (False, "WARN"),
        "budgets_hold": (False, "ERROR"),
    }
    assert made[FORECAST_KEY].metadata["forecast_USD"].value == 479.0
    assert made[ANOMALIES_KEY].metadata["recent"].value == 1
    mild = [{**row, "severity": "warn"} for row in ahead.budgets]
    _, check = (event for event in outlook_events(Ahead([], [], mild), []) if isinstance(event, dg.AssetCheckEvaluation))
    assert check.severity is dg.AssetCheckSeverity.WARN
