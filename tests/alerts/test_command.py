"""``cost-lakehouse alerts`` and what ``run`` and ``maintain`` tell after their work, by real servers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sample_bills import Bill, BillDelivery, Fault, write_delivery
from tests.alerts.servers import Hook, Mailbox, http_server, smtp_server
from tests.demo import command
from tests.environment import OWN_VARIABLES

SEPTEMBER = date(2026, 9, 1)
BILL = Bill(months=(SEPTEMBER,), rows=200, seed=3)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands set variables; no test may see another's, or the developer's."""
    for name in OWN_VARIABLES:
        monkeypatch.setenv(name, "")
        del os.environ[name]
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with http_server() as server:
        yield server


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp_server() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, hook: Hook, mailbox: Mailbox) -> Path:
    """One source that has delivered nothing; alerts go out by e-mail and a webhook, not about lateness."""
    (tmp_path / "bills" / BILL.location).mkdir(parents=True)
    (tmp_path / "lakehouse.yaml").write_text(
        "lake: {first_month: 2026-09}\n"
        f"sources: [{{name: acme, kind: aws_cur, location: bills/{BILL.location}}}]\n"
        "alerts:\n"
        "  dagster_url: https://dagster.example.com\n"
        "  events: [run_failures, failed_checks]\n"
        f"  email: {{host: 127.0.0.1, port: {mailbox.port}, security: none, from: a@example.com, to: [b@example.com]}}\n"
        f"  webhooks: [{{name: ops, url: {hook.url}}}]\n",
        encoding="utf-8",
    )
    return tmp_path


def deliver(folder: Path, day: int, *faults: Fault) -> None:
    moment = datetime(2026, 11, day, 5, 30, tzinfo=UTC)
    write_delivery(folder / "bills", BILL, BillDelivery(month=SEPTEMBER, delivered_at=moment, faults=frozenset(faults)))


def test_a_test_message_goes_through_every_channel_and_each_result_is_printed(
    folder: Path, hook: Hook, mailbox: Mailbox
) -> None:
    done = command("alerts", "test")
    assert done.exit_code == 0, done.output
    assert f"sent    email: b@example.com by SMTP server 127.0.0.1:{mailbox.port}" in done.stdout
    assert "sent    ops: webhook (json)" in done.stdout
    assert len(mailbox.mails) == len(hook.posted) == 1

    hook.answers = [(404, {}, "no_team")]
    failed = command("alerts", "test")
    assert failed.exit_code == 1
    assert "sent    email" in failed.stdout
    assert "failed  ops" in failed.stdout
    assert "Webhook ops: the server answered 404: no_team." in failed.stderr
    assert "T0SECRET" not in failed.output


def test_without_a_channel_a_test_says_where_to_add_one(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.yaml").write_text("sources: []\n", encoding="utf-8")
    done = command("alerts", "test")
    assert done.exit_code == 2
    assert "there is no channel below `alerts`" in done.stderr
    listed = command("alerts")
    assert listed.exit_code == 0
    assert "Nothing was looked at yet" in listed.stdout


def test_a_run_without_any_daemon_tells_what_failed_once_and_what_works_again(
    folder: Path, hook: Hook, mailbox: Mailbox
) -> None:
    deliver(folder, 2, Fault.BAD_NUMBER)
    first = command("run", "--no-summarize")
    assert first.exit_code == 1
    assert "Sent through ops: Load of acme 2026-09 failed: " in first.stderr
    assert command("run", "--no-summarize").exit_code == 1
    assert len(mailbox.mails) == len(hook.posted) == 1
    (incident,) = hook.posted[0].body["incidents"]
    assert (incident["source"], incident["months"], incident["event"]) == ("acme", "2026-09", "failed")
    assert "https://dagster.example.com/runs/" in incident["url"]

    listed = command("alerts")
    assert listed.exit_code == 0, listed.output
    assert "Load of acme 2026-09 failed" in listed.stdout
    assert "email, ops" in listed.stdout
    (row,) = json.loads(command("alerts", "--json").stdout)
    assert (row["times"], row["told_through"]) == (2, ["email", "ops"])

    deliver(folder, 3)
    assert command("run", "--no-summarize").exit_code == 0
    assert [item.body["incidents"][0]["event"] for item in hook.posted] == ["failed", "recovered"]
    assert len(mailbox.mails) == 2
    assert json.loads(command("alerts", "--json").stdout) == []
    assert "Nothing is wrong." in command("alerts").stdout


def test_a_dead_channel_makes_the_run_fail_and_shows_in_alerts_and_doctor(folder: Path, hook: Hook, mailbox: Mailbox) -> None:
    deliver(folder, 2, Fault.BAD_NUMBER)
    hook.answers = [(403, {}, "revoked")] * 2
    done = command("run", "--no-summarize")
    assert done.exit_code == 1
    assert "Alerts cannot be sent through ops: Webhook ops: the server answered 403: revoked." in done.stderr
    assert len(mailbox.mails) == 1

    listed = command("alerts")
    assert listed.exit_code == 1
    assert "takes nothing since" in listed.stdout
    assert "answered 403" in listed.stderr
    doctor = command("doctor")
    assert doctor.exit_code == 1
    assert "failed alerts: ops: Webhook ops: the server answered 403: revoked." in doctor.stdout
    assert "T0SECRET" not in done.output + listed.output + doctor.output


def test_a_source_that_cannot_be_listed_fails_the_command_and_is_told(folder: Path, hook: Hook) -> None:
    (folder / "bills" / BILL.location).rmdir()
    for _ in range(2):
        assert command("run", "--no-summarize").exit_code == 1
    (posted,) = hook.posted
    assert posted.body["title"].startswith("cost-lakehouse run failed: There is no folder")
    (folder / "bills" / BILL.location).mkdir()
    assert command("run", "--no-summarize").exit_code == 0
    assert len(hook.posted) == 2


def test_an_alert_that_nothing_else_ends_is_closed_by_hand(folder: Path, hook: Hook) -> None:
    deliver(folder, 2, Fault.BAD_NUMBER)
    command("run", "--no-summarize")
    (row,) = json.loads(command("alerts", "--json").stdout)
    closed = command("alerts", "close", row["id"])
    assert closed.exit_code == 0, closed.output
    assert json.loads(command("alerts", "--json").stdout) == []
    assert command("alerts", "close", row["id"]).exit_code == 2


def test_json_of_a_command_stays_json(folder: Path) -> None:
    done = command("maintain", "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    assert isinstance(json.loads(done.stdout), list)
