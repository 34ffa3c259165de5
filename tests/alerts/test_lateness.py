"""Lateness against a source's own rhythm, on histories made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cost_lakehouse.alerts.lateness import Arrival, duration_text, punctuality, usual_pause
from cost_lakehouse.config.alerts import LatenessSettings

START = datetime(2026, 10, 1, 4, 0, tzinfo=UTC)
USUAL = LatenessSettings()


def deliveries(*hours: float) -> list[Arrival]:
    """Deliveries with these pauses between them, the first at the start; each loaded a quarter of an hour later."""
    moments = [START]
    for pause in hours:
        moments.append(moments[-1] + timedelta(hours=pause))
    return [Arrival(moment, moment + timedelta(minutes=15)) for moment in moments]


def late_after(history: Sequence[Arrival], settings: LatenessSettings = USUAL, kind: str = "aws_cur") -> float:
    """How many hours after its last delivery a source that is asked about every half hour is late."""
    standing = punctuality(history, START, "acme", kind, settings)
    assert standing is not None
    last = max((arrival.delivered_at for arrival in history), default=START)
    return next(hours / 2 for hours in range(10_000) if standing.late_by(last + timedelta(hours=hours / 2)) is not None)


def test_aws_with_three_deliveries_a_day_is_late_after_a_day_and_a_half() -> None:
    assert late_after(deliveries(*[8.0] * 30)) == 36.5


def test_oracle_with_a_delivery_every_six_hours_is_late_after_eighteen() -> None:
    assert late_after(deliveries(*[6.0] * 30), kind="oci_cost_reports") == 18.5


def test_a_source_that_delivers_once_a_day_has_two_days() -> None:
    assert late_after(deliveries(*[24.0] * 30)) == 48.5


def test_a_source_that_rests_at_weekends_is_not_late_on_sunday() -> None:
    weekdays = [24.0, 24.0, 24.0, 24.0, 72.0] * 6
    assert late_after(deliveries(*weekdays)) > 72


def test_one_long_outage_does_not_become_the_rhythm() -> None:
    assert late_after(deliveries(*[8.0] * 20, 240.0, *[8.0] * 8)) == 36.5


def test_only_the_newest_pauses_count() -> None:
    assert late_after(deliveries(*[96.0] * 100, *[8.0] * 30)) == 36.5


def test_the_months_of_a_first_load_are_no_rhythm() -> None:
    first_load = START + timedelta(days=400)
    history = [Arrival(START + timedelta(days=30 * month), first_load) for month in range(13)]
    assert usual_pause(history) is None
    assert late_after(history) == 36.5


def test_a_few_deliveries_are_no_rhythm_yet() -> None:
    assert usual_pause(deliveries(100.0, 100.0)) is None
    assert usual_pause(deliveries(*[100.0] * 5)) == timedelta(hours=100)


def test_a_source_never_waits_longer_than_two_weeks_by_itself() -> None:
    assert late_after(deliveries(*[24.0 * 30] * 12)) == 24 * 14 + 0.5


def test_a_new_source_has_two_days_for_its_first_delivery() -> None:
    assert late_after([]) == 48.5
    assert late_after([], LatenessSettings(first_delivery_hours=6)) == 6.5


def test_the_configuration_decides_where_it_says_so() -> None:
    history = deliveries(*[8.0] * 30)
    assert late_after(history, LatenessSettings(minimum_hours=10)) == 16.5
    assert late_after(history, LatenessSettings(minimum_hours=10, factor=1)) == 10.5
    assert late_after(history, LatenessSettings(sources={"acme": 5})) == 5.5
    assert late_after([], LatenessSettings(sources={"acme": 5})) == 5.5


def test_a_source_can_be_left_out() -> None:
    assert punctuality(deliveries(8.0), START, "acme", "aws_cur", LatenessSettings(sources={"acme": None})) is None


def test_order_and_repeats_in_the_history_do_not_matter() -> None:
    history = deliveries(*[8.0] * 30)
    assert late_after([*reversed(history), *history]) == 36.5


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=2, hours=3, minutes=20), "2 days 3 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=1, minutes=5), "1 hour 5 minutes"),
        (timedelta(seconds=20), "no time"),
    ],
)
def test_lengths_are_told_for_people(length: timedelta, text: str) -> None:
    assert duration_text(length) == text
