"""What is odd about bills is told once, and ends when it is so no more: late corrections, and days without rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from cost_lakehouse.alerts.incidents import Kind, fold
from cost_lakehouse.alerts.memory import Memory
from cost_lakehouse.alerts.messages import item_of
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.alert_deliveries import bills_seen
from cost_lakehouse.proof.late_corrections import LateCorrection
from tests.alerts.builders import NOON, after

OCTOBER = Slice("acme", date(2026, 10, 1))
CORRECTION = LateCorrection(
    source="acme",
    billing_period=OCTOBER.billing_period,
    delivery_id="second",
    loaded_at=NOON.replace(tzinfo=None),
    state_before="locked",
    closed_at=(NOON - timedelta(days=9)).replace(tzinfo=None),
    invoice_ids="INV-1",
    found_at=NOON.replace(tzinfo=None),
    is_pending=True,
    changes={("1", "USD"): Decimal("-0.50"), ("2", "USD"): Decimal(2), ("2", "EUR"): Decimal("0.1")},
)
GAPS = {OCTOBER: ["account 1, AmazonS3: 2026-10-12; rows on 28 of the 28 days before", "account 2, AmazonS3: 2026-10-13"]}


def test_a_late_correction_says_invoice_amounts_accounts_and_since_when_and_ends_when_it_is_accepted() -> None:
    memory = Memory(begun=NOON, runs_seen_until=NOON)
    fold(memory.incidents, bills_seen(memory, [CORRECTION], {}, NOON))
    fold(memory.incidents, bills_seen(memory, [CORRECTION], {}, after(minutes=15)))

    (incident,) = memory.incidents
    item = item_of(incident, "https://dagster.example.com")
    assert item.title == (
        "Late correction of acme 2026-10: closed since 2026-10-24 12:00 UTC, invoice INV-1: delivery second changes it by "
        "+0.1 EUR, +1.5 USD. It is..."
    )
    assert item.details == ("account 2: +2 USD", "account 1: -0.5 USD", "account 2: +0.1 EUR")
    assert item.fix.startswith("Look at it, then `cost-lakehouse close acme 2026-10 --accept")
    assert (item.since, item.times, item.url) == (NOON, 1, "https://dagster.example.com/assets/line_items/acme")

    # Another delivery is news of the same incident; nothing that waits ends it.
    fold(memory.incidents, bills_seen(memory, [replace(CORRECTION, delivery_id="third")], {}, after(minutes=30)))
    assert [(entry.stage, entry.ended) for entry in memory.incidents] == [(2, None)]
    fold(memory.incidents, bills_seen(memory, [], {}, after(minutes=45)))
    assert memory.open == []
    ended = item_of(memory.incidents[0], None)
    assert ended.title == "Settled: the late correction of acme 2026-10"
    assert ended.problem.startswith(
        "It was accepted, or the month was closed or reopened since, or it is old. It was: acme 2026-10"
    )


def test_days_without_rows_are_a_warning_a_month_until_they_are_delivered() -> None:
    memory = Memory(begun=NOON, runs_seen_until=NOON)
    fold(memory.incidents, bills_seen(memory, [], GAPS, NOON))
    (incident,) = memory.open
    item = item_of(incident, None)
    assert (incident.kind, item.severity, item.details) == (Kind.GAP, "warning", tuple(GAPS[OCTOBER]))
    assert item.problem == "account 1, AmazonS3: 2026-10-12; rows on 28 of the 28 days before, and 1 more."
    assert item.title.startswith("Days without rows of acme 2026-10: account 1, AmazonS3: 2026-10-12")
    fold(memory.incidents, bills_seen(memory, [], {}, after(days=1)))
    assert memory.open == []
