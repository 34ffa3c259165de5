"""Looks at a real Dagster instance: what failed is told once, and so is its end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData, TickData, TickStatus
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo

from cost_lakehouse.alerts.dispatch import Dispatched
from cost_lakehouse.alerts.incidents import Kind
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.locks import FileLocks
from cost_lakehouse.orchestration import alerting
from cost_lakehouse.orchestration.alert_memory import AlertingElsewhere, alone
from cost_lakehouse.orchestration.alerting import close
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.orchestration.sensors.alerts import AlertsNotSent, alert_sensor, summary
from tests.alerts.builders import NOON, Listener, incidents, trouble
from tests.alerts.conftest import Office
from tests.alerts.servers import http_server
from tests.services.postgres import PostgresServer

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
    assert [title.split(",")[0] for title in office.listener.titles[1:]] == ["Recovered: Load of acme 2026-10"]
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


def test_what_failed_before_the_first_look_is_nobodys_news(office: Office) -> None:
    office.load("long ago")
    office.look()
    office.look()
    assert office.listener.heard == []


def test_a_tick_says_that_alerts_without_a_channel_reach_nobody(tmp_path: Path) -> None:
    config = tmp_path / "lakehouse.yaml"
    config.write_text(
        "sources: [{name: acme, kind: aws_cur, location: bills}]\nalerts: {lateness: {sources: {acme: off}}}\n",
        encoding="utf-8",
    )
    said = summary(load_settings(config), Dispatched([], []), incidents(trouble()))
    assert said == "1 new problem; nobody is told: `alerts` of lakehouse.yaml has no channel."


def test_one_of_two_channels_is_dead(office: Office) -> None:
    dead = Listener("dead", dead=True)
    office.look(dead, office.listener)
    office.load("hourly-cur-1.csv.gz is cut off.")
    for _ in range(2):
        told, _ = office.look(dead, office.listener)
        assert [item.channel for item in told.unsent] == ["dead"]
    assert office.listener.titles == [FAILED]

    office.shift = timedelta(minutes=11)
    office.look(dead, office.listener)
    assert office.listener.titles[1:] == ["Alerts cannot be sent through dead: Nobody answers."]

    dead.dead = False
    office.look(dead, office.listener)
    office.look(dead, office.listener)
    assert dead.titles == [FAILED]
    assert office.listener.titles[2].startswith("Recovered: alerts go out through dead again")
    assert [incident.kind for incident in office.memory.incidents] == [Kind.RUN]


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
    assert [item.id for item in killed.heard] == [item.id for item in office.listener.heard]
    assert office.listener.titles == [FAILED]


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


def test_a_sensor_that_fails_three_times_is_told_until_a_tick_goes_well(office: Office) -> None:
    code = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="cost_lakehouse.definitions"), location_name="here")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(code, "all"), "deliveries")
    office.instance.add_instigator_state(
        InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, SensorInstigatorData())
    )

    def tick(status: TickStatus, number: int) -> None:
        error = SerializableErrorInfo("KeyError: 'a defect'", [], "KeyError") if status is TickStatus.FAILURE else None
        office.instance.create_tick(
            TickData(
                instigator_origin_id=origin.get_id(),
                instigator_name="deliveries",
                instigator_type=InstigatorType.SENSOR,
                status=status,
                timestamp=NOON.timestamp() + number,
                error=error,
                selector_id=origin.get_selector().get_id(),
            )
        )

    for number in range(2):
        tick(TickStatus.FAILURE, number)
        office.look()
    assert office.listener.heard == []
    for number in range(2, 5):
        tick(TickStatus.FAILURE, number)
        office.look()
    tick(TickStatus.SKIPPED, 6)
    office.look()
    first, second = office.listener.titles
    assert first == "deliveries fails again and again: KeyError: 'a defect'"
    assert office.listener.heard[0].items[0].since == NOON
    assert second.startswith("Recovered: deliveries, after")


def test_what_is_remembered_in_postgresql_is_shared_and_locked(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres_server.make_database()
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COST_LAKEHOUSE_DAGSTER_DB", postgres_server.url(name))
    (tmp_path / "lakehouse.yaml").write_text("sources: [{name: acme, kind: aws_cur, location: bills}]\n", encoding="utf-8")
    settings = load_settings(tmp_path / "lakehouse.yaml")
    listener = Listener()
    with command_instance(settings) as one:
        Office(tmp_path, one, listener=listener).look()
        Office(tmp_path, one).load("hourly-cur-1.csv.gz is cut off.")
        with alone(settings, one, 0), pytest.raises(AlertingElsewhere), alone(settings, one, 0):
            pass
        Office(tmp_path, one, listener=listener).look()
    with command_instance(settings) as another:
        Office(tmp_path, another, listener=listener).look()
        assert [item.what for item in Office(tmp_path, another).memory.open] == ["load_line_items"]
    assert listener.titles == [FAILED]
    postgres_server.drop_database(name)


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
        assert result.skip_message == f"Sent through ops: {FAILED}"
        assert [item.body["title"] for item in hook.posted] == [FAILED, FAILED]
