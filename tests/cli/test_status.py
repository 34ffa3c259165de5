"""``status`` has a row for every configured source, and says of a month both what is held and what was refused since."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.last_polls import LastPoll, last_polls, plan_and_note, seen
from cost_lakehouse.loading.statuses import SourceStatus, source_statuses
from tests.builders import Workshop, line
from tests.demo import command

NOON = datetime(2026, 10, 6, 12, tzinfo=UTC)


def configure(folder: Path, *sources: str) -> None:
    text = "lake: {first_month: 2026-10}\nsources:\n" + "".join(f"- {source}\n" for source in sources)
    (folder / "lakehouse.yaml").write_text(text, encoding="utf-8")


def test_every_configured_source_has_a_row_before_anything_is_loaded(tmp_path: Path) -> None:
    for name in ("empty", "paused"):
        (tmp_path / name / "reports/cost-csv").mkdir(parents=True)
    configure(
        tmp_path,
        "{name: empty, kind: oci_cost_reports, location: empty/reports}",
        "{name: gone, kind: aws_cur, location: nowhere/cur/hourly}",
        "{name: idle, kind: aws_cur, location: idle, paused: true}",
    )
    assert [row["source_state"] for row in json.loads(command("status", "--json").stdout)] == ["waiting", "waiting", "paused"]
    command("discover")
    rows = {row["source"]: row for row in json.loads(command("status", "--json").stdout)}
    assert {name: row["source_state"] for name, row in rows.items()} == {
        "empty": "waiting",
        "gone": "failing",
        "idle": "paused",
    }
    assert "There is no folder" in rows["gone"]["source_error"]
    assert rows["empty"]["last_polled_at"]
    assert rows["idle"]["last_polled_at"] is None
    assert {row["month"] for row in rows.values()} == {None}
    shown = command("status").stdout
    assert all(name in shown for name in rows)
    assert "Nothing is loaded yet" in shown


def test_an_accepted_month_with_a_newer_refused_delivery_says_both(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write([line(UnblendedCost="1.25")])
    shop.load()
    (row,) = json.loads(command("status", "--json", "--config", str(shop.settings.file)).stdout)
    assert (row["state"], row["held_state"], row["newer_delivery"], row["source_state"]) == (ACCEPTED, ACCEPTED, None, "active")
    shop.write([line(UnblendedCost="1,25")])
    with pytest.raises(Exception, match="is not a number"):
        shop.load()
    (row,) = json.loads(command("status", "--json", "--config", str(shop.settings.file)).stdout)
    assert (row["state"], row["held_state"], row["newer_delivery"], row["source_state"]) == (
        REFUSED,
        ACCEPTED,
        REFUSED,
        "failing",
    )
    assert row["totals"] == {"USD": "1.25"}
    assert "is not a number" in row["source_error"]
    months = command("status", "--config", str(shop.settings.file)).stdout
    assert "accepted, not summarized  refused" in months


def test_a_source_is_what_its_last_look_and_its_last_load_say(tmp_path: Path) -> None:
    configure(tmp_path, "{name: a, kind: aws_cur, location: x/a}", "{name: b, kind: aws_cur, location: x/b}")
    settings = load_settings(tmp_path / "lakehouse.yaml")
    looks = {"a": LastPoll(NOON, newest=NOON - timedelta(days=1)), "b": LastPoll(NOON, problem="Access is denied.")}
    assert source_statuses(settings, looks, []) == [
        SourceStatus("a", "aws_cur", "active", NOON, NOON - timedelta(days=1), ""),
        SourceStatus("b", "aws_cur", "failing", NOON, None, "Access is denied."),
    ]


def test_a_look_is_kept_until_the_next_one(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write([line()])
    (source,) = shop.settings.sources
    planned = plan_and_note(shop.settings, source, holdings(Lake(shop.settings)))
    kept = last_polls(shop.settings)[source.name]
    assert kept == seen(planned, kept.at)
    assert kept.newest is not None
    assert planned[0].finding.billing_period == date(2026, 10, 1)
