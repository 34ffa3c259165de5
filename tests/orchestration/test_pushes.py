"""The sensor ``pushes_due`` with real runs in a Dagster instance: what it asks for, when, and what ends an alert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.utils import make_new_run_id

from cost_lakehouse.config import load_settings
from cost_lakehouse.orchestration.assets.pushes import PUSH, push_assets, push_jobs
from cost_lakehouse.orchestration.constants import PUSH_JOB, SOURCE_TAG, SUMMARY_JOB
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.orchestration.resources import lake_resources
from cost_lakehouse.orchestration.sensors.pushes import push_sensors
from tests.alerts.conftest import QUIET
from tests.publish.backbone.lakes import NOVEMBER, OCTOBER, PushingLake

TARGETS: list[dict[str, Any]] = [
    {"name": "pane", "to": "pane", "writer": "acme-eu"},
    {"name": "acme-books", "to": "books"},
    {"name": "nightly", "to": "nightly", "schedule": "0 6 * * *"},
    {"name": "off", "to": "off", "paused": True},
]


class Office:
    """A lake that pushes, and its Dagster instance."""

    def __init__(self, made: PushingLake, instance: dg.DagsterInstance) -> None:
        self.made = made
        self.instance = instance
        self.settings = load_settings(made.config)

    def tick(self) -> tuple[Sequence[dg.RunRequest], str]:
        """What the sensor asks for, and what it says where it asks for nothing."""
        (sensor,) = push_sensors(self.settings)
        with dg.build_sensor_context(instance=self.instance) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        said = result.skip_reason
        return result.run_requests or [], (said.skip_message if isinstance(said, dg.SkipReason) else said) or ""

    def asked(self) -> list[str]:
        """The targets of a tick's requests."""
        return [request.tags[SOURCE_TAG] for request in self.tick()[0]]

    def run(self, request: dg.RunRequest) -> bool:
        """Do what was asked for, as the daemon would; whether it went well."""
        assets = push_assets(self.settings)
        definitions = dg.Definitions(
            assets=assets,
            jobs=push_jobs(assets),
            resources=lake_resources(self.settings),
            executor=dg.in_process_executor,
        )
        result = definitions.resolve_job_def(PUSH_JOB).execute_in_process(
            instance=self.instance,
            asset_selection=request.asset_selection,
            tags=request.tags,
            run_config=QUIET,
            raise_on_error=False,
        )
        return result.success


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    for name in ("DAGSTER_HOME", "COST_LAKEHOUSE_DAGSTER_DB"):
        monkeypatch.setenv(name, "")
    made = PushingLake(tmp_path, TARGETS)
    monkeypatch.setenv("COST_LAKEHOUSE_CONFIG", str(made.config))
    with command_instance(load_settings(made.config)) as instance:
        yield Office(made, instance)


def test_each_target_that_follows_runs_is_asked_for_once_and_not_again_without_news(office: Office) -> None:
    office.made.publish(OCTOBER, ["1"])

    requests, _ = office.tick()

    assert [request.asset_selection for request in requests] == [
        [dg.AssetKey([PUSH, "pane"])],
        [dg.AssetKey([PUSH, "acme-books"])],
    ]
    # What was not begun yet is asked for under the same key, of which Dagster makes one run.
    assert [request.run_key for request in office.tick()[0]] == [request.run_key for request in requests]
    assert all(office.run(request) for request in requests)
    assert office.tick() == ([], "pane: has every month.\nacme-books: has every month.")


def test_a_changed_month_is_asked_for_under_another_key(office: Office) -> None:
    office.made.publish(OCTOBER, ["1"])
    before, _ = office.tick()
    for request in before:
        office.run(request)
    office.made.publish(NOVEMBER, ["2"])

    after, _ = office.tick()

    assert not {request.run_key for request in after} & {request.run_key for request in before}
    assert [request.tags[SOURCE_TAG] for request in after] == ["pane", "acme-books"]


def test_nothing_is_asked_for_while_a_push_there_is_under_way_though_other_months_are_due(office: Office) -> None:
    office.made.publish(OCTOBER, ["1"])
    (request, _), _ = office.tick()
    office.instance.add_run(
        dg.DagsterRun(job_name=PUSH_JOB, run_id=make_new_run_id(), tags=request.tags, status=dg.DagsterRunStatus.STARTED)
    )
    office.made.publish(NOVEMBER, ["2"])

    assert office.asked() == ["acme-books"]


def test_nothing_is_asked_for_while_summaries_are_built(office: Office) -> None:
    office.made.publish(OCTOBER, ["1"])
    office.instance.add_run(dg.DagsterRun(job_name=SUMMARY_JOB, run_id=make_new_run_id(), status=dg.DagsterRunStatus.STARTED))

    assert office.tick() == ([], "A build of summaries is under way; what it publishes goes along.")


def test_a_target_that_failed_comes_again_after_a_pause_and_the_other_has_its_months(office: Office) -> None:
    office.made.publish(OCTOBER, ["1"])
    (office.made.config.parent / "pane").write_text("a file where a folder belongs")

    outcomes = [office.run(request) for request in office.tick()[0]]

    assert outcomes == [False, True]
    requests, says = office.tick()
    assert requests == []
    assert says.startswith("pane: 1 months are due: failed once, next attempt at ")


def test_a_target_that_failed_and_lacks_nothing_now_is_asked_once_more_so_that_its_alert_ends(office: Office) -> None:
    office.made.publish(OCTOBER, ["1"])
    for request in office.tick()[0]:
        office.run(request)
    place = office.made.config.parent / "pane" / "acme-eu" / "manifest.json"
    content = place.read_bytes()
    place.write_bytes(b"torn")
    broken = dg.RunRequest(asset_selection=[dg.AssetKey([PUSH, "pane"])], tags={SOURCE_TAG: "pane"})
    assert not office.run(broken)
    (request,), _ = office.tick()
    assert request.tags[SOURCE_TAG] == "pane"
    # Not at every tick, where it fails again.
    assert not office.run(request)
    requests, says = office.tick()
    assert (requests, says.partition(", next")[0]) == ([], "pane: 0 months are due: failed once")
    place.write_bytes(content)

    assert office.run(request)

    assert office.tick() == ([], "pane: has every month.\nacme-books: has every month.")


def test_without_a_target_that_follows_runs_there_is_no_sensor(tmp_path: Path) -> None:
    assert push_sensors(load_settings(PushingLake(tmp_path, TARGETS[2:]).config)) == []
