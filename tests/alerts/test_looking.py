"""Looks at a real Dagster instance: what failed is told once, and so is its end."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from socket import gethostname

import dagster as dg
import pytest

from cost_lakehouse.alerts.incidents import Kind
from cost_lakehouse.lake.locks import FileLocks
from cost_lakehouse.orchestration import alerting
from cost_lakehouse.orchestration.alert_memory import remember
from cost_lakehouse.orchestration.alert_sensor import AlertsNotSent, alert_sensor
from cost_lakehouse.orchestration.alerting import close
from cost_lakehouse.orchestration.tags import MONTH_TAG, PROCESS_TAG, SOURCE_TAG, SUMMARY_JOB
from tests.alerts.builders import NOON, Listener
from tests.alerts.conftest import QUIET, Office, load_job
from tests.alerts.servers import http_server

FAILED = "Load of acme 2026-10 failed: hourly-cur-1.csv.gz is cut off."


def test_a_run_that_fails_twice_is_told_once_and_its_recovery_once(office: Office) -> None:
    office.look()
    office.load("hourly-cur-1.csv.gz is cut off.")
    office.look()
    second = office.load("hourly-cur-1.csv.gz is cut off.")
    office.look()
    office.look()
    assert office.listener.titles == [FAILED]
    (incident,) = office.memory.open
    assert (incident.times, incident.run_id) == (2, second.run_id)

    office.load()
    office.look()
    office.look()
    assert [each.split(",")[0] for each in office.listener.titles[1:]] == ["Recovered: Load of acme 2026-10"]
    assert office.memory.incidents == []


def test_a_failure_says_where_since_when_why_what_to_do_and_which_run(office: Office) -> None:
    office.look()
    run_id = office.load("hourly-cur-1.csv.gz is cut off.").run_id
    office.look()
    facts = dict(office.listener.heard[0].items[0].facts())
    assert facts["Where"] == "acme 2026-10"
    assert facts["What"] == "Load"
    assert facts["Fix"] == "Wait for the next delivery."
    assert facts["Run"] == run_id


def test_the_success_of_another_month_ends_nothing(office: Office) -> None:
    office.look()
    office.load("cut off")
    office.load(month="2026-09")
    office.look()
    assert len(office.memory.open) == 1


def test_an_unforeseen_error_is_told_with_its_own_words(office: Office) -> None:
    office.look()
    office.load(error="a defect")
    office.look()
    assert office.listener.titles == ["Load of acme 2026-10 failed: ValueError: a defect"]


def test_what_failed_before_the_first_look_is_nobodys_news(office: Office) -> None:
    office.load("long ago")
    office.look()
    office.look()
    assert office.listener.heard == []


def test_an_old_run_that_is_tagged_anew_is_no_new_failure(office: Office) -> None:
    office.look()
    old = office.load("long ago")
    office.look()
    office.load()
    office.look()
    office.shift = timedelta(hours=1)
    office.load(month="2026-09")
    memory = office.memory
    memory.runs_seen, memory.runs_seen_until = {}, memory.runs_seen_until + timedelta(hours=1)
    remember(office.instance, memory)
    office.instance.add_run_tags(old.run_id, {"looked_at": "yes"})
    heard = len(office.listener.heard)
    office.look()
    assert len(office.listener.heard) == heard


def test_one_of_two_channels_is_dead(office: Office) -> None:
    dead = Listener("dead", dead=True)
    office.look(dead, office.listener)
    office.load("hourly-cur-1.csv.gz is cut off.")
    for _ in range(2):
        told, _ = office.look(dead, office.listener)
        assert [each.channel for each in told.unsent] == ["dead"]
    assert office.listener.titles == [FAILED]

    office.shift = timedelta(minutes=11)
    office.look(dead, office.listener)
    assert office.listener.titles[1:] == ["Alerts cannot be sent through dead: Nobody answers."]

    dead.dead = False
    office.look(dead, office.listener)
    office.look(dead, office.listener)
    assert dead.titles == [FAILED]
    assert office.listener.titles[2].startswith("Recovered: alerts go out through dead again")
    assert [each.kind for each in office.memory.incidents] == [Kind.RUN]


def test_a_kill_after_sending_repeats_the_message_and_a_kill_before_loses_nothing(office: Office) -> None:
    class Killed(Listener):
        def send(self, message: object) -> str:
            super().send(message)  # type: ignore[arg-type]
            raise KeyboardInterrupt

    office.look()
    office.load("hourly-cur-1.csv.gz is cut off.")
    killed = Killed("listener")
    with pytest.raises(KeyboardInterrupt):
        office.look(killed)
    office.look()
    office.look()
    assert [each.id for each in killed.heard] == [each.id for each in office.listener.heard]
    assert office.listener.titles == [FAILED]


def test_a_run_whose_process_was_killed_is_told(office: Office) -> None:
    finished = subprocess.Popen([sys.executable, "-c", "pass"])
    finished.wait()
    office.look()
    office.instance.create_run_for_job(
        load_job,
        tags={SOURCE_TAG: "acme", MONTH_TAG: "2026-10", PROCESS_TAG: f"{gethostname()}|{finished.pid}|1"},
        status=dg.DagsterRunStatus.STARTED,
    )
    office.look()
    (title,) = office.listener.titles
    assert title.startswith("Load of acme 2026-10 failed: The process of this run ended without a word")


def test_a_run_that_went_well_with_a_failed_check_is_told_until_the_check_passes(office: Office) -> None:
    def run(passes: bool, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR) -> None:
        @dg.asset_check(asset=dg.AssetKey(["marts", "daily_costs"]), name="adds_up")
        def adds_up() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=passes, severity=severity, metadata={"differences": 3})

        @dg.asset(key=["marts", "daily_costs"])
        def daily_costs() -> None:
            """Nothing."""

        result = dg.materialize([daily_costs, adds_up], instance=office.instance, run_config=QUIET)
        assert result.success

    office.look()
    run(passes=False, severity=dg.AssetCheckSeverity.WARN)
    office.look()
    assert office.listener.heard == []
    for passes in (False, False, True, True):
        run(passes)
        office.look()
    first, second = office.listener.titles
    assert first == "Check marts/daily_costs: adds_up failed: differences 3"
    assert second.startswith("Recovered: check marts/daily_costs: adds_up, after")


def test_a_failed_build_is_told_for_each_source_that_was_not_published_with_its_failed_checks(office: Office) -> None:
    failing = ["acme, globex"]

    @dg.op(name="summaries")
    def summaries() -> None:
        if failing:
            failed = {"acme": ["equals_the_raw_bill: Got 2 results"], "globex": ["the same"]}
            raise dg.Failure("Not published", metadata={"failed": {k: v for k, v in failed.items() if k in failing[0]}})

    @dg.job(name=SUMMARY_JOB)
    def build() -> None:
        summaries()

    def run(first: str, last: str) -> None:
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        build.execute_in_process(instance=office.instance, tags=tags, run_config=QUIET, raise_on_error=False)

    office.look()
    run("2026-09-01", "2026-10-01")
    office.look()
    (message,) = office.listener.heard
    assert [each.title for each in message.items] == [
        "Build of the summaries of acme 2026-09 to 2026-10 failed: equals_the_raw_bill: Got 2 results",
        "Build of the summaries of globex 2026-09 to 2026-10 failed: the same",
    ]
    failing[0] = "globex"
    run("2026-09-01", "2026-10-01")
    office.look()
    assert [each.source for each in office.memory.open] == ["globex"]
    failing.clear()
    run("2026-10-01", "2026-10-01")
    office.look()
    assert [each.source for each in office.memory.open] == ["globex"]
    run("2026-08-01", "2026-10-01")
    office.look()
    assert office.memory.open == []
    assert len(office.listener.heard) == 3


def test_a_source_that_is_removed_ends_its_incidents(office: Office) -> None:
    office.look()
    office.load("cut off")
    office.look()
    office.config.write_text("sources: [{name: globex, kind: aws_cur, location: bills/globex}]\n", encoding="utf-8")
    office.look()
    assert "It is not configured any more." in office.listener.heard[1].text
    assert office.memory.incidents == []


def test_events_that_nobody_wants_are_not_told(office: Office) -> None:
    office.config.write_text(f"{office.config.read_text()}alerts: {{events: [failed_checks]}}\n", encoding="utf-8")
    office.look()
    office.load("cut off")
    office.shift = timedelta(days=30)
    office.look()
    assert office.listener.heard == []


def test_what_nothing_else_will_end_is_closed_by_hand(office: Office) -> None:
    office.look()
    office.load("cut off")
    office.look()
    (incident,) = office.memory.open
    assert close(office.settings, office.instance, "unknown", NOON) is None
    assert close(office.settings, office.instance, incident.id, incident.last) is not None
    office.look()
    assert "It was closed by hand." in office.listener.heard[1].text


def test_two_processes_do_not_look_at_once(office: Office) -> None:
    sensor = alert_sensor(office.settings)
    with FileLocks(office.settings.dagster_home / "locks").hold("alerts", "", 0), pytest.MonkeyPatch.context() as patch:
        patch.setattr(alerting, "WAIT_SECONDS", 0.0)
        result = sensor(dg.build_sensor_context(instance=office.instance))
    assert isinstance(result, dg.SkipReason)
    assert "being worked on by another process" in (result.skip_message or "")


def test_the_sensor_tells_through_what_is_configured_and_fails_where_it_cannot(office: Office) -> None:
    with http_server() as hook:
        office.config.write_text(
            f"{office.config.read_text()}alerts: {{webhooks: [{{url: {hook.url}, name: ops}}]}}\n", encoding="utf-8"
        )
        sensor = alert_sensor(office.settings)

        def tick() -> object:
            return sensor(dg.build_sensor_context(instance=office.instance))

        tick()
        office.load("hourly-cur-1.csv.gz is cut off.")
        hook.answers = [(404, {}, "no_team")]
        with pytest.raises(AlertsNotSent, match="through ops: Webhook ops: the server answered 404: no_team"):
            tick()
        result = tick()
        assert isinstance(result, dg.SkipReason)
        assert result.skip_message == f"Told through ops: {FAILED}"
        assert [each.body["title"] for each in hook.posted] == [FAILED, FAILED]
