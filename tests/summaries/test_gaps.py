"""Days without rows: told where the weeks before speak for them, and nowhere else."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.gap_findings import findings_with_gaps, said
from cost_lakehouse.summaries.gaps import Gap, gaps_of
from tests.builders import Workshop

OCTOBER = date(2026, 10, 1)
SETTLED = date(2026, 11, 20)
S3, EC2 = ("1", "S3"), ("1", "EC2")


def days(first: date, last: date, *missing: int) -> set[date]:
    """Every day from first to last, but for those days of October."""
    every = {first + timedelta(days=number) for number in range((last - first).days + 1)}
    return every - {date(2026, 10, number) for number in missing}


SINCE_SEPTEMBER = date(2026, 9, 1), date(2026, 10, 31)
FULL = days(*SINCE_SEPTEMBER)


@pytest.mark.parametrize(
    ("of_ec2", "expected"),
    [
        pytest.param(FULL, [], id="none"),
        pytest.param(days(*SINCE_SEPTEMBER, 12, 13), [(12, 13, 28)], id="two-days"),
        pytest.param(days(*SINCE_SEPTEMBER, 12, 20), [(12, 12, 28)], id="the-second-pause-is-nothing-new"),
        pytest.param(days(*SINCE_SEPTEMBER, 12, 20, 21), [(12, 12, 28), (20, 21, 27)], id="a-longer-one-is"),
        pytest.param(days(*SINCE_SEPTEMBER, 31), [(31, 31, 28)], id="last-day"),
        pytest.param(days(date(2026, 9, 1), date(2026, 10, 24)), [(25, 31, 28)], id="stopped"),
        pytest.param({day for day in FULL if day.weekday() < 5}, [], id="working-days"),
        pytest.param({day for day in FULL if day.weekday() < 5} - {date(2026, 10, 12)}, [(10, 12, 20)], id="a-monday-too"),
        pytest.param({day for day in FULL if day.weekday() == 0}, [], id="weekly"),
        pytest.param(days(date(2026, 10, 10), date(2026, 10, 31), 20), [], id="few-days-of-history"),
        pytest.param({date(2026, 9, 1)}, [], id="a-fee"),
    ],
)
def test_a_gap_is_longer_than_any_pause_before(of_ec2: set[date], expected: list[tuple[int, int, int]]) -> None:
    found = gaps_of({S3: FULL, EC2: of_ec2}, OCTOBER, SETTLED)
    assert [(gap.key, gap.first.day, gap.last.day, gap.usual_days) for gap in found] == [(EC2, *gap) for gap in expected]


def test_days_that_are_not_settled_are_not_looked_at() -> None:
    of_source = {S3: days(date(2026, 9, 1), date(2026, 10, 19)), EC2: days(date(2026, 9, 1), date(2026, 10, 17))}
    assert gaps_of(of_source, OCTOBER, date(2026, 10, 18)) == []
    # The 18th is settled; S3 has it, EC2 has not.
    assert gaps_of(of_source, OCTOBER, date(2026, 10, 19)) == [Gap(EC2, date(2026, 10, 18), date(2026, 10, 18), 28, 28)]


def test_a_source_that_brings_nothing_is_one_gap_and_none_of_its_services() -> None:
    of_source = {S3: days(*SINCE_SEPTEMBER, 12, 13), EC2: days(*SINCE_SEPTEMBER, 12, 13, 14)}
    found = gaps_of(of_source, OCTOBER, SETTLED)
    # EC2's own is the 14th: what was there before counts the 26 days on which the source had rows at all.
    assert [(gap.key, gap.first.day, gap.last.day, gap.usual_days, gap.history_days) for gap in found] == [
        (None, 12, 13, 28, 28),
        (EC2, 14, 14, 26, 26),
    ]
    assert said(found[0]) == "the whole source: 2026-10-12 to 2026-10-13; rows on 28 of the 28 days before"
    assert said(found[1]) == "account 1, EC2: 2026-10-14; rows on 26 of the 26 days before"


def test_a_month_delivered_without_a_line_is_a_gap_of_its_source() -> None:
    assert gaps_of({S3: days(date(2026, 9, 1), date(2026, 9, 30))}, OCTOBER, SETTLED) == [
        Gap(None, date(2026, 10, 1), date(2026, 10, 31), 28, 28)
    ]
    assert gaps_of({}, OCTOBER, SETTLED) == []


def test_gaps_are_findings_of_the_month_beside_what_the_build_found(tmp_path: Path) -> None:
    lake = Workshop(tmp_path).lake
    with duckdb.connect() as scratch:
        scratch.execute("create schema marts")
        scratch.execute(
            "create table marts.daily_costs as select 'acme' as source, date_trunc('month', day)::date as billing_period, "
            "day::date as usage_date, '1' as account_id, service from "
            "(select unnest(generate_series(date '2026-09-01', date '2026-10-31', interval 1 day)) as day), "
            "(values ('S3'), ('EC2')) as services (service) where service = 'S3' or day <> date '2026-10-12'"
        )
        scratch.execute(
            "create table marts.bill_findings as select 'x' as bill_findings_id, 'acme' as source, "
            "date '2026-10-01' as billing_period, 'd1' as delivery_id, 'anomaly' as kind, 'odd' as reason, "
            "null::varchar as detail, 3 as line_item_count, "
            "1.5::decimal(38, 20) as amount"
        )
        months = {Slice("acme", date(2026, 9, 1)): ("d0", SETTLED), Slice("acme", OCTOBER): ("d1", SETTLED)}
        # September has no history of its own, and no gap.
        ((slice_, table),) = findings_with_gaps(lake, scratch, months).items()

    assert slice_ == Slice("acme", OCTOBER)
    kept, gap = table.to_pylist()
    assert (kept["reason"], kept["amount"]) == ("odd", Decimal("1.5"))
    assert len(gap.pop("bill_findings_id")) == 32
    assert gap == {
        "source": "acme",
        "billing_period": OCTOBER,
        "delivery_id": "d1",
        "kind": "anomaly",
        "reason": "days without rows",
        "detail": "account 1, EC2: 2026-10-12; rows on 28 of the 28 days before",
        "line_item_count": 0,
        "amount": Decimal(0),
    }
