"""The Dagster instance that the command and ``dagster dev`` share."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.constants import PROCESS_TAG
from cost_lakehouse.orchestration.instance import INSTANCE_RULES, command_instance, end_dead_runs, process_label

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COST_LAKEHOUSE_CONFIG", str(tmp_path / "lakehouse.yaml"))
    return Settings(base=tmp_path, file=tmp_path / "lakehouse.yaml")


def test_a_run_of_the_command_is_seen_by_dagster_dev_without_a_dagster_home(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @dg.job
    def nothing() -> None:
        pass

    with command_instance(settings) as instance:
        run_id = nothing.execute_in_process(instance=instance).run_id
    monkeypatch.setenv("DAGSTER_HOME", "")
    # `dagster dev` without DAGSTER_HOME: a temporary folder, configured by the dagster.yaml of the current folder.
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(temporary), config_dir=str(ROOT))) as seen_by_dev:
        assert [get_run.run_id for get_run in seen_by_dev.get_runs()] == [run_id]


def test_the_two_dagster_configurations_are_the_same() -> None:
    of_the_project = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert of_the_project == yaml.safe_load(INSTANCE_RULES)


def test_a_users_changes_to_the_instance_are_kept(settings: Settings) -> None:
    settings.dagster_home.mkdir()
    theirs = settings.dagster_home / "dagster.yaml"
    theirs.write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    with command_instance(settings):
        pass
    assert theirs.read_text(encoding="utf-8") == "telemetry: {enabled: false}\n"


def test_a_run_whose_process_was_killed_is_ended_and_its_pool_is_free_again(settings: Settings) -> None:
    finished = subprocess.Popen([sys.executable, "-c", "pass"])
    finished.wait()

    @dg.job
    def nothing() -> None:
        pass

    with command_instance(settings) as instance:
        killed, living = (
            instance.create_run_for_job(nothing, tags={PROCESS_TAG: label}, status=dg.DagsterRunStatus.STARTED)
            for label in (f"{socket.gethostname()}|{finished.pid}|1", process_label())
        )
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("line_items__acme")
        assert storage.claim_concurrency_slot("line_items__acme", killed.run_id, "load").is_claimed
        assert not storage.claim_concurrency_slot("line_items__acme", living.run_id, "load").is_claimed

        assert end_dead_runs(instance) == [killed.run_id]

        assert storage.claim_concurrency_slot("line_items__acme", living.run_id, "load").is_claimed
        ended, going = instance.get_run_by_id(killed.run_id), instance.get_run_by_id(living.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.FAILURE
        assert going is not None
        assert going.status is dg.DagsterRunStatus.STARTED
