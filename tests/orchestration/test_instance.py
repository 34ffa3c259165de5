"""The Dagster instance that the command and ``dagster dev`` share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.ref import InstanceRef

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.constants import PROCESS_TAG
from cost_lakehouse.orchestration.dagster_internals import InstanceConcurrencyContext
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


def test_a_run_that_waits_for_a_pool_sleeps_until_it_asks_again(settings: Settings) -> None:
    @dg.job
    def nothing() -> None:
        pass

    with command_instance(settings) as instance:
        runs = [instance.create_run_for_job(nothing) for _ in range(2)]
        with (
            InstanceConcurrencyContext(instance, runs[0]) as first,
            InstanceConcurrencyContext(instance, runs[1]) as second,
        ):
            assert first.claim("summaries", "summaries")
            assert not second.claim("summaries", "summaries")
            assert 0.5 < second.interval_to_next_pending_claim_check() <= 15
            first.free_step("summaries")


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


def killed_process() -> str:
    """The label of a process that opened this configuration's records, said who it is, and was killed."""
    speak = (
        "import signal, os\n"
        "from cost_lakehouse.orchestration.instance import command_instance, process_label\n"
        "from cost_lakehouse.config import load_settings\n"
        "with command_instance(load_settings()) as instance:\n"
        "    print(process_label(instance), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", speak], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.strip()


def test_a_run_whose_process_was_killed_is_ended_and_its_pool_is_free_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.job
    def nothing() -> None:
        pass

    settings.file.write_text("lake: {}\n", encoding="utf-8")
    label_of_killed = killed_process()
    # What tells the dead is a lock: not the machine's name, which a container has a new one of each time, nor a number.
    monkeypatch.setattr("socket.gethostname", lambda: "another-container")
    with command_instance(settings) as instance:
        killed, living, unlocked = (
            instance.create_run_for_job(nothing, tags={PROCESS_TAG: label}, status=dg.DagsterRunStatus.STARTED)
            for label in (label_of_killed, process_label(instance), f"{os.uname().nodename}|{os.getpid()}|of-another-time")
        )
        assert len(list((settings.dagster_home / "processes").iterdir())) == 2
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("line_items__acme")
        assert storage.claim_concurrency_slot("line_items__acme", killed.run_id, "load").is_claimed
        assert not storage.claim_concurrency_slot("line_items__acme", living.run_id, "load").is_claimed

        assert set(end_dead_runs(instance)) == {killed.run_id, unlocked.run_id}

        assert storage.claim_concurrency_slot("line_items__acme", living.run_id, "load").is_claimed
        ended, going = instance.get_run_by_id(killed.run_id), instance.get_run_by_id(living.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.FAILURE
        assert going is not None
        assert going.status is dg.DagsterRunStatus.STARTED
        assert len(list((settings.dagster_home / "processes").iterdir())) == 1
    assert list((settings.dagster_home / "processes").iterdir()) == []


def test_the_retry_of_a_killed_run_is_not_taken_for_dead_before_its_process_says_who_it_is(settings: Settings) -> None:
    @dg.job
    def nothing() -> None:
        pass

    settings.file.write_text("lake: {}\n", encoding="utf-8")
    started = dg.DagsterRunStatus.STARTED
    with command_instance(settings) as instance:
        killed = instance.create_run_for_job(nothing, tags={PROCESS_TAG: killed_process()}, status=started)
        assert end_dead_runs(instance) == [killed.run_id]
        # Dagster copies the tags of a run to its retry, and those to the next one.
        retry = killed
        for _ in range(2):
            retry = instance.create_run_for_job(
                nothing, tags=killed.tags, status=started, parent_run_id=retry.run_id, root_run_id=killed.run_id
            )
        assert end_dead_runs(instance) == []

        instance.add_run_tags(retry.run_id, {PROCESS_TAG: killed_process()})
        assert end_dead_runs(instance) == [retry.run_id]
