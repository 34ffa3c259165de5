"""A lake's months shared out: by the rules of then and of now, again where something changed, and never less than the bill."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.allocation import share_out as module
from cost_lakehouse.allocation.allocate import allocate
from cost_lakehouse.allocation.share_out import refresh
from cost_lakehouse.ask.asking import answer
from cost_lakehouse.ask.ranges import bill_of
from cost_lakehouse.ask.request import Request, conditions_of
from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from tests.ask.marts import Line, marts_of_lines
from tests.builders import Workshop
from tests.demo import Told, command

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
RULES = """
versions:
  - valid_from: 2026-09
    rules: [{name: old, where: [account=1], to: web}]
  - valid_from: 2026-10
    rules: [{name: new, where: [account=1], to: ops}, {name: rest, split: {evenly: [web, data, ops]}}]
"""


def bill(month: date, account: str, cost: str) -> Line:
    return Line(month, month, account, "AmazonEC2", "USD", Decimal(cost))


LINES = (bill(SEPTEMBER, "1", "3"), bill(SEPTEMBER, "2", "1"), bill(OCTOBER, "1", "5"), bill(OCTOBER, "2", "1"))


def publish(lake: Lake, lines: tuple[Line, ...], delivery: str) -> None:
    """Make these the marts' rows."""
    with marts_of_lines(lines) as connection:
        connection.execute("update marts.aws_daily_summary set net_amortized_cost = 2 * unblended_cost")
        connection.execute("update marts.daily_costs set effective_cost = 2 * billed_cost")
        connection.execute(f"alter table marts.daily_costs add column delivery_id varchar default '{delivery}'")
        connection.execute(
            f"create table marts.bill_status as select distinct source, billing_period, '{delivery}' as delivery_id, "
            "'open' as state, timestamp '2026-11-01 00:00:00' as loaded_at from marts.daily_costs"
        )
        summaries = ("aws_daily_summary", "oci_daily_summary", "focus_daily_summary", "lakehouse_daily_summary")
        for mart in (*summaries, "daily_costs", "bill_status"):
            rows = connection.sql(f"select * from marts.{mart}").to_arrow_table()
            if lake.table_or_none(f"marts.{mart}") is None:
                lake.create_table(f"marts.{mart}", rows.schema)
            slices: dict[Slice, list[dict[str, Any]]] = {}
            for row in rows.to_pylist():
                slices.setdefault(Slice(row["source"], row["billing_period"]), []).append(row)
            replace_rows(lake, f"marts.{mart}", rows.schema, slices)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with two published months and rules of two versions."""
    shop = Workshop(tmp_path)
    shop.write([])
    (tmp_path / "allocations.yaml").write_text(RULES, encoding="utf-8")
    config = shop.lake.settings.file
    config.write_text(config.read_text(encoding="utf-8") + "\nallocations: allocations.yaml\n", encoding="utf-8")
    made = Lake(load_settings(config))
    publish(made, LINES, "d1")
    return made


def held(lake: Lake) -> dict[tuple[str, str, str], str]:
    """(month, team, rule) -> what is billed."""
    with connect(lake, ["marts.allocated_costs"]) as connection:
        rows = connection.execute(
            "select strftime(billing_period, '%m'), team, rule, sum(billed_cost) from marts.allocated_costs group by all"
        ).fetchall()
    return {(month, team, rule): f"{cost.normalize():f}" for month, team, rule, cost in rows}


THEN = {
    ("09", "Unallocated", "no rule"): "1",
    ("09", "web", "old"): "3",
    ("10", "data", "rest"): "0.33333333333333333333",
    ("10", "ops", "new"): "5",
    ("10", "ops", "rest"): "0.33333333333333333333",
    ("10", "web", "rest"): "0.33333333333333333334",
}


def test_months_are_shared_out_once_by_the_rules_of_their_time(lake: Lake) -> None:
    done = refresh(lake)
    assert [one.slice.billing_period for one in done] == [SEPTEMBER, OCTOBER]
    assert held(lake) == THEN
    assert refresh(lake) == []

    publish(lake, (*LINES[:3], bill(OCTOBER, "2", "7")), "d2")
    assert [one.slice.billing_period for one in refresh(lake)] == [SEPTEMBER, OCTOBER]
    assert held(lake)["10", "ops", "rest"] == "2.33333333333333333333"


def test_changed_rules_change_the_months_that_they_are_of(lake: Lake, tmp_path: Path) -> None:
    refresh(lake)
    (tmp_path / "allocations.yaml").write_text(RULES.replace("to: web", "to: shop"), encoding="utf-8")
    assert [one.slice.billing_period for one in refresh(lake)] == [SEPTEMBER]
    assert held(lake)["09", "shop", "old"] == "3"


def test_old_months_can_be_shared_out_by_the_rules_of_now_and_stay_so(lake: Lake) -> None:
    refresh(lake)
    config = str(lake.settings.file)
    assert command("allocate", "--month", "2026-09", "--rules", "now", "--config", config).exit_code == 0
    assert held(lake)["09", "ops", "new"] == "3"
    assert refresh(lake) == []
    shown = command("allocate", "--month", "2026-09", "--json", "--config", config)
    assert {row["team"]: row["cost"] for row in json.loads(shown.stdout)} == {"web": "3", "Unallocated": "1"}
    assert held(lake) == THEN


def test_a_preview_says_who_would_bear_more_and_writes_nothing(lake: Lake, tmp_path: Path) -> None:
    refresh(lake)
    other = tmp_path / "other.yaml"
    other.write_text(RULES.replace("to: ops", "to: web"), encoding="utf-8")
    shown = command("allocate", "--preview", str(other), "--month", "2026-10", "--json", "--config", str(lake.settings.file))
    rows = json.loads(shown.stdout)
    assert {row["team"]: Decimal(row["change"]) for row in rows} == {"ops": -5, "web": 5, "data": 0}
    assert held(lake) == THEN
    table = command("allocate", "--preview", str(other), "--config", str(lake.settings.file))
    assert "Nothing was written. 2 months, billed cost." in table.stdout


def test_nothing_is_written_where_parts_and_bill_differ(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    right = allocate

    def loses(*arguments: Any) -> list[Any]:
        first, *others = right(*arguments)
        return [
            replace(first, amounts=replace(first.amounts, billed_cost=first.amounts.billed_cost - Decimal("1E-20"))),
            *others,
        ]

    monkeypatch.setattr(module, "allocate", loses)
    with pytest.raises(LakeError, match=r"acme 2026-09, 2026-09-01 USD: 3\.9+ billed and 8\.0+ .*the bill says 4"):
        refresh(lake)
    assert held(lake) == {}


def test_a_question_by_team_is_answered_only_where_all_is_shared_out(lake: Lake) -> None:
    question = Request(bill_of(OCTOBER), groups=("team",))
    with pytest.raises(LakeError, match=r"is not shared out among teams .* Run `cost-lakehouse allocate`"):
        answer(lake, question)
    with pytest.raises(ConfigurationError, match="have no usage_type"):
        Request(bill_of(OCTOBER), groups=("team",), filters=conditions_of(["usage_type~x"]))
    with pytest.raises(ConfigurationError, match="are not told by the basis list. Use billed or effective"):
        Request(bill_of(OCTOBER), groups=("team",), basis="list")


def test_without_rules_nothing_is_done_and_teams_are_not_known(lake: Lake, tmp_path: Path) -> None:
    config = lake.settings.file
    config.write_text(config.read_text(encoding="utf-8").replace("allocations: allocations.yaml", ""), encoding="utf-8")
    without = Lake(load_settings(config))
    assert refresh(without) == []
    with pytest.raises(ConfigurationError, match="names no rules"):
        answer(without, Request(bill_of(OCTOBER), groups=("team",)))
    assert command("allocate", "--config", str(config)).exit_code == 2


def test_the_demo_s_costs_are_shared_out_to_the_last_digit_day_by_day(demo: Told) -> None:
    apart = demo.query("""
        with shared as (
            select source, usage_date, currency_code, account_id, service, sum(billed_cost) as billed,
                sum(effective_cost) as effective, sum(line_item_count) as lines
            from marts.allocated_costs group by all
        ), bill as (
            select source, usage_date, currency_code, account_id, service, sum(billed_cost) as billed,
                sum(effective_cost) as effective, sum(line_item_count) as lines
            from marts.daily_costs group by all
        )
        (from bill except from shared) union all (from shared except from bill)
    """)
    assert apart == []
    by_rule = demo.query("select rule, count(distinct team) as teams from marts.allocated_costs group by 1 order by 1")
    assert {row["rule"] for row in by_rule} == {"databases", "no rule", "own tag", "storage", "tax goes with costs"}
    answered = command("costs", "--month", "2026-10", "--by", "team", "--top", "3", "--format", "json", "--config", demo.config)
    whole = command("costs", "--month", "2026-10", "--format", "json", "--config", demo.config)

    def sums(text: str) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for row in json.loads(text):
            found[row["currency_code"]] = found.get(row["currency_code"], Decimal(0)) + Decimal(row["cost"])
        return found

    assert sums(answered.stdout) == sums(whole.stdout)
    lines = [sum(row["line_item_count"] for row in json.loads(one.stdout)) for one in (answered, whole)]
    assert lines[0] == lines[1]
