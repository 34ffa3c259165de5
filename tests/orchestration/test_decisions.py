"""The plain decisions behind sensors, schedule and command."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from cost_lakehouse.loading.plan import Planned
from cost_lakehouse.orchestration.decisions import (
    attempt_for,
    delivery_key,
    month_range,
    months_between,
    next_month,
    next_offset,
    resume_order,
    retry_delay,
    seen_text,
    stale_digest,
)
from cost_lakehouse.sources.delivery import Finding, Status

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_a_delivery_nobody_tried_is_asked_for_at_once() -> None:
    assert attempt_for([], NOON).number == 1
    assert attempt_for([], NOON).wait == ""


def test_while_a_run_goes_on_nothing_more_is_asked_for() -> None:
    attempt = attempt_for([NOON - timedelta(hours=1), None], NOON)
    assert attempt.wait == "a run is under way"


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(1, 5), (2, 15), (3, 45), (4, 135), (5, 405), (6, 720), (50, 720)],
)
def test_the_pause_after_a_failure_triples_up_to_twelve_hours(failures: int, minutes: int) -> None:
    assert retry_delay(failures) == timedelta(minutes=minutes)


def test_a_failed_delivery_is_asked_for_again_under_the_next_number_once_its_pause_is_over() -> None:
    first, second = NOON - timedelta(minutes=40), NOON - timedelta(minutes=15)
    early = attempt_for([second, first], NOON - timedelta(seconds=1))
    assert early.wait == "failed 2 times, next attempt at 2026-03-02 12:00 UTC"
    due = attempt_for([second, first], NOON)
    assert (due.number, due.wait) == (3, "")


def test_a_circle_of_sources_resumes_where_the_last_tick_stopped() -> None:
    names = ["a", "b", "c", "d"]
    assert resume_order(names, "c") == ["c", "d", "a", "b"]
    assert resume_order(names, "") == names
    assert resume_order(names, "gone") == names
    assert next_offset(["c", "d", "a", "b"], 2) == "a"
    assert next_offset(names, 4) == ""


def test_months_run_over_the_end_of_a_year() -> None:
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    expected = [date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)]
    assert months_between(date(2026, 11, 1), date(2027, 1, 1)) == expected
    assert month_range(reversed(expected)) == ("2026-11-01", "2027-01-01")


def test_files_replaced_under_the_same_delivery_id_make_another_delivery() -> None:
    before = delivery_key("acme", "2026-01", "assembly-1", "a" * 64)
    after = delivery_key("acme", "2026-01", "assembly-1", "b" * 64)
    assert before == "acme|2026-01|assembly-1|aaaaaaaaaaaa"
    assert before != after


def test_the_same_stale_work_has_the_same_digest_in_any_order() -> None:
    one, two = ("a", date(2026, 1, 1), "x"), ("b", date(2026, 2, 1), "y")
    assert stale_digest([one, two]) == stale_digest([two, one])
    assert stale_digest([one]) != stale_digest([one, two])


def test_what_was_seen_is_told_a_line_a_source() -> None:
    waiting = Finding("b", date(2026, 2, 1), Status.WAITING, reason="no manifest yet")
    planned = [
        Planned(Finding("a", date(2026, 1, 1), Status.NEW), Status.CURRENT),
        Planned(waiting, Status.WAITING, waiting.reason),
        Planned(Finding("a", date(2026, 2, 1), Status.NEW), Status.NEW),
    ]
    assert seen_text(planned) == "a: 2026-02 new; 1 up to date\nb: 2026-02 waiting (no manifest yet)"
