"""Deliveries that stop coming, on real bills: told with the likely cause, and when they come again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from cost_lakehouse.alerts.incidents import Kind
from cost_lakehouse.errors import LakeError
from cost_lakehouse.orchestration.instance import command_instance
from tests.alerts.conftest import Office
from tests.orchestration.conftest import OCTOBER, SEPTEMBER, Lakehouse
from tests.orchestration.conftest import lakehouse as lakehouse
from tests.orchestration.test_loading import Loading

# The sample bill is delivered on the 2nd of November 2026 at 05:30 UTC.
DELIVERED = datetime(2026, 11, 2, 5, 30, tzinfo=UTC)


@pytest.fixture
def watched(lakehouse: Lakehouse) -> Iterator[Office]:
    """An office that looks at those two sources' deliveries alone."""
    lakehouse.configure("acme", extra="alerts: {events: [late_deliveries]}\n")
    with command_instance(lakehouse.settings) as instance:
        yield Office(lakehouse.root, instance)


def at(office: Office, moment: datetime) -> None:
    """Take the next looks from that moment on."""
    office.shift = moment - datetime.now(UTC)


def load(lakehouse: Lakehouse, instance: dg.DagsterInstance) -> None:
    """Load what is new."""
    loading = Loading(lakehouse, instance)
    assert all(item.success for item in loading.run(loading.tick().run_requests or []))


def test_deliveries_that_stop_are_told_once_with_their_likely_cause_and_so_is_that_they_come_again(
    lakehouse: Lakehouse, watched: Office
) -> None:
    lakehouse.deliver("acme", SEPTEMBER, 2)
    load(lakehouse, watched.instance)
    at(watched, DELIVERED + timedelta(hours=35))
    watched.look()
    assert watched.listener.heard == []

    for hours in (37, 38, 200):
        at(watched, DELIVERED + timedelta(hours=hours))
        watched.look()
    (message,) = watched.listener.heard
    assert message.title == "acme: no delivery for 1 day 13 hours, since 2026-11-02 05:30 UTC (1 day 12 hours are allowed)"
    (item,) = message.items
    assert (item.event, item.since) == ("late", DELIVERED)
    assert "bills/acme-billing/cur/hourly-cur can be listed, but nothing newer is there." in item.problem
    assert "Billing, Data Exports" in item.fix

    lakehouse.deliver("acme", OCTOBER, 10)
    load(lakehouse, watched.instance)
    at(watched, DELIVERED + timedelta(hours=201))
    watched.look()
    assert watched.listener.titles[1:] == ["Recovered: acme delivers again"]
    assert "A delivery of 2026-11-10 05:30 UTC is there." in watched.listener.heard[1].text


def test_a_source_that_cannot_be_listed_any_more_is_late_for_that_reason(lakehouse: Lakehouse, watched: Office) -> None:
    lakehouse.deliver("acme", SEPTEMBER, 2)
    load(lakehouse, watched.instance)
    shutil.rmtree(lakehouse.root / "bills")
    at(watched, DELIVERED + timedelta(hours=40))
    watched.look()
    (item,) = watched.listener.heard[0].items
    assert "There is no folder" in item.problem
    assert item.fix


def test_deliveries_that_come_but_cannot_be_loaded_are_not_late(lakehouse: Lakehouse, watched: Office) -> None:
    lakehouse.deliver("acme", SEPTEMBER, 2)
    load(lakehouse, watched.instance)
    lakehouse.deliver("acme", OCTOBER, 4)
    at(watched, DELIVERED + timedelta(hours=40))
    watched.look()
    assert watched.listener.heard == []


def test_a_new_source_has_time_for_its_first_delivery(lakehouse: Lakehouse, watched: Office) -> None:
    begun = datetime.now(UTC)
    for hours in (0, 47):
        at(watched, begun + timedelta(hours=hours))
        watched.look()
    assert watched.listener.heard == []
    at(watched, begun + timedelta(hours=49))
    watched.look()
    (title,) = watched.listener.titles
    assert title == "acme: nothing was ever delivered, 2 days 1 hour after the source was configured"


def test_a_paused_source_is_never_late_and_pausing_it_ends_lateness(lakehouse: Lakehouse, watched: Office) -> None:
    at(watched, datetime.now(UTC))
    watched.look()
    at(watched, datetime.now(UTC) + timedelta(hours=60))
    watched.look()
    assert len(watched.listener.heard) == 1
    text = lakehouse.config.read_text(encoding="utf-8")
    lakehouse.config.write_text(text.replace("kind: aws_cur", "kind: aws_cur, paused: true"), encoding="utf-8")
    at(watched, datetime.now(UTC) + timedelta(hours=70))
    watched.look()
    assert "The source is paused." in watched.listener.heard[1].text
    assert watched.memory.incidents == []


def test_a_lake_that_cannot_be_read_for_long_is_told_and_a_short_while_is_not(
    watched: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = datetime.now(UTC)

    def gone(lake: object) -> None:
        raise LakeError("The catalog does not answer.", "Start it.")

    with monkeypatch.context() as patch:
        patch.setattr("cost_lakehouse.orchestration.alert_deliveries.receipts", gone)
        for minutes in (0, 9, 11, 12):
            at(watched, begun + timedelta(minutes=minutes))
            watched.look()
            assert len(watched.memory.open) == (1 if minutes > 9 else 0)
    assert watched.listener.titles == ["The lake cannot be read: The catalog does not answer."]
    assert watched.memory.open[0].kind is Kind.LAKE
    watched.look()
    assert watched.listener.titles[1].startswith("Recovered: the lake can be read again")
