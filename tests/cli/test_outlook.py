"""``forecast``, ``anomalies`` and ``budgets`` on the demo's lake: what is known is what the marts say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.demo import Told, command


def asked(*arguments: str) -> list[dict[str, Any]]:
    answer = command(*arguments, "--json")
    assert answer.exit_code == 0, answer.stderr
    rows: list[dict[str, Any]] = json.loads(answer.stdout)
    return rows


@pytest.fixture
def budgeted(demo: Told) -> Iterator[Path]:
    """The demo's configuration with three budgets, beside its own: what else it says is relative to its folder."""
    config = demo.folder / "budgets.yaml"
    budgets = (
        "budgets:\n"
        "- {name: small, amount: 100.50, currency: USD}\n"
        "- {name: large, amount: 1000000, currency: USD, period: year, where: ['service~ec2']}\n"
        "- {name: year, amount: 10, currency: EUR, period: year}\n"
    )
    config.write_text(f"{Path(demo.config).read_text(encoding='utf-8')}\n{budgets}", encoding="utf-8")
    yield config
    config.unlink()


def test_a_month_that_is_over_comes_to_what_its_days_cost(demo: Told) -> None:
    spent = demo.query(
        "select currency_code, sum(billed_cost) as cost from marts.daily_costs "
        "where usage_date between date '2026-10-01' and date '2026-10-31' group by 1"
    )

    found = asked("forecast", "--month", "2026-10", "--config", demo.config)

    assert {row["currency_code"]: row["settled_cost"] for row in found} == {row["currency_code"]: row["cost"] for row in spent}
    assert all(Decimal(row["forecast_cost"]) == round(Decimal(row["settled_cost"]), 2) for row in found)
    assert all(row["low"] == row["forecast_cost"] == row["high"] for row in found)


def test_the_next_month_is_forecast_with_a_range_and_the_usual_error(demo: Told) -> None:
    found = asked("forecast", "--config", demo.config)

    assert {(row["month"], row["settled_until"], row["settled_cost"]) for row in found} == {("2026-11", "2026-11-01", "0")}
    for row in found:
        assert Decimal(row["low"]) <= Decimal(row["forecast_cost"]) <= Decimal(row["high"])
        assert row["windows"] > 0
        assert Decimal(row["mean_error_percent"]) > 0


def test_services_forecast_one_by_one_have_the_settled_costs_of_all(demo: Told) -> None:
    whole = asked("forecast", "--month", "2026-10", "--config", demo.config)
    services = asked("forecast", "--month", "2026-10", "--by", "service", "--config", demo.config)

    for row in whole:
        parts = [Decimal(one["settled_cost"]) for one in services if one["currency_code"] == row["currency_code"]]
        assert sum(parts) == Decimal(row["settled_cost"])


def test_an_anomaly_costs_what_the_marts_say_and_names_its_parts(demo: Told) -> None:
    found = asked("anomalies", "--days", "60", "--by", "account", "--amount", "1", "--config", demo.config)

    assert found
    biggest = found[0]
    (spent,) = demo.query(
        f"select sum(unblended_cost) as cost from marts.aws_daily_summary where usage_account_id = '{biggest['account']}' and "
        f"currency_code = '{biggest['currency_code']}' and line_item_type not in ('Tax', 'Fee', 'RIFee', 'Credit', 'Refund', "
        "'SavingsPlanUpfrontFee', 'EdpDiscount', 'PrivateRateDiscount', 'RiVolumeDiscount', 'BundledDiscount') and "
        f"usage_date between date '{biggest['first_day']}' and date '{biggest['last_day']}'"
    )
    assert biggest["cost"] == spent["cost"]
    strayed = Decimal(biggest["cost"]) - Decimal(biggest["expected_cost"])
    assert abs(Decimal(biggest["impact"]) - strayed) < Decimal("0.02")  # both estimates are in cents
    assert biggest["contributors"]


def test_tables_say_until_when_days_are_settled(demo: Told) -> None:
    ahead = command("forecast", "--config", demo.config)
    strange = command("anomalies", "--amount", "1000000", "--config", demo.config)

    assert "2026-11: days before 2026-11-01 are settled" in ahead.stdout
    assert "0 found from 2026-10-02 on" in strange.stdout


def test_budgets_are_as_their_forecasts_say(budgeted: Path) -> None:
    config = str(budgeted)

    small, large, year = asked("budgets", "--config", config)

    assert (small["state"], small["amount"]) == ("will exceed", "100.5")
    assert small["exceeded_on"].startswith("2026-11-")
    assert (large["state"], large["exceeded_on"]) == ("under", None)
    assert (year["state"], year["period"]) == ("over", "2026-01-01/2027-01-01")
    assert command("budgets", "--config", config).exit_code == 0
    assert command("budgets", "--check", "--config", config).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("forecast", "--by", "service,account"), "names several dimensions"),
        (("forecast", "--month", "2031-01"), "lies too far ahead"),
        (("forecast", "--by", "colour"), "no dimension 'colour'"),
        (("anomalies", "--where", "service"), "is no condition"),
        (("budgets",), "names no budgets"),
    ],
    ids=["two", "far", "dimension", "condition", "none"],
)
def test_what_makes_no_sense_is_refused_with_a_fix(demo: Told, arguments: tuple[str, ...], said: str) -> None:
    refused = command(*arguments, "--config", demo.config)

    assert refused.exit_code == 2
    assert said in refused.stderr
    assert "Fix: " in refused.stderr


def test_conditions_that_leave_nothing_are_told(demo: Told) -> None:
    nothing = command("forecast", "--where", "service=Nope", "--config", demo.config)

    assert nothing.exit_code == 1
    assert "There is no usage since" in nothing.stderr
