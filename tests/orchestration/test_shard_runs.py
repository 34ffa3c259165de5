"""Workers of a large load as Dagster runs: asked for by a sensor, done again when they fail, committed by the load alone."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading import shard_worker
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.read import load_files
from cost_lakehouse.loading.shards import Task
from cost_lakehouse.loading.share import ProcessWorkers, Sharing
from cost_lakehouse.orchestration import shard_runs
from cost_lakehouse.orchestration.shard_runs import RunWorkers, shard_jobs, shard_sensors, sharing
from cost_lakehouse.sources.registry import open_source
from tests.builders import Workshop, line

RUNS = {"workers": {"count": 2, "launch": "runs", "min_gb": 0}}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path, lake=RUNS)
    made.write([line(UnblendedCost="1")], [line(UnblendedCost="2")], [line(UnblendedCost="4")])
    return made


class WithDaemon(RunWorkers):
    """Between two looks the daemon ticks: the sensor asks, and what it asks for runs to its end."""

    look_seconds = 0.0

    def __init__(self, workshop: Workshop, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        (self.sensor,), (self.job,) = shard_sensors(workshop.settings), shard_jobs(workshop.settings)
        self.daemon = instance
        self.runs: dict[str, bool] = {}  # task -> whether its run succeeded

    def is_gone(self, task: Task) -> bool:
        result = self.sensor(dg.build_sensor_context(instance=self.daemon))
        assert isinstance(result, dg.SensorResult)
        for request in result.run_requests or []:
            if request.run_key is not None and request.run_key not in self.runs:
                done = self.job.execute_in_process(
                    request.run_config, instance=self.daemon, tags=request.tags, raise_on_error=False
                )
                self.runs[request.run_key] = done.success
        return super().is_gone(task)


def load(workshop: Workshop, workers: RunWorkers) -> None:
    opened = open_source(workshop.settings, workshop.settings.source("acme"))
    shared = sharing(workshop.settings, dg.DagsterInstance.ephemeral())
    assert isinstance(shared.workers, RunWorkers)
    load_delivery(workshop.lake, opened, workshop.delivery(), workers=Sharing(workshop.settings.lake.workers, workers))


def cost(workshop: Workshop) -> Decimal:
    with connect(workshop.lake) as connection:
        ((total,),) = connection.execute("select sum(line_item_unblended_cost) from raw.aws_cur").fetchall()
    return Decimal(total)


def test_a_run_reads_each_part_and_the_load_commits_all(workshop: Workshop) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        workers = WithDaemon(workshop, instance)
        load(workshop, workers)

        assert [name.rsplit("/", 1)[-1] for name in workers.runs] == ["00001", "00002"]
        assert set(workers.runs.values()) == {True}
        result = workers.sensor(dg.build_sensor_context(instance=instance))
        assert isinstance(result, dg.SensorResult)
        assert isinstance(result.skip_reason, dg.SkipReason)
        assert result.skip_reason.skip_message == "No load waits for workers."
    assert cost(workshop) == 7


def test_a_run_that_dies_is_followed_by_another(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def dies_first(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 1:
            raise MemoryError
        return load_files(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shard_worker, "load_files", dies_first)
    with dg.DagsterInstance.ephemeral() as instance:
        workers = WithDaemon(workshop, instance)
        load(workshop, workers)

    assert {name.rsplit("/", 1)[-1]: is_done for name, is_done in workers.runs.items()} == {
        "00001": False,
        "00002": True,
        "00003": True,
    }
    assert cost(workshop) == 7


def test_a_part_that_no_run_takes_up_is_asked_for_again(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        workers = RunWorkers(instance)
        (task, _) = sharing(workshop.settings, instance).tasks(
            "aws_cur", workshop.delivery(), workshop.delivery().objects, "load-0123456789abcdef"
        )
        workers.start(task)
        assert not workers.is_gone(task)
        monkeypatch.setattr(shard_runs, "START_SECONDS", 0.0)
        assert workers.is_gone(task)


def test_where_nobody_launches_runs_processes_read(workshop: Workshop, tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(sharing(workshop.settings, instance, in_process=True).workers, ProcessWorkers)
    (tmp_path / "plain").mkdir()
    plain = Workshop(tmp_path / "plain", lake={})
    assert (shard_jobs(plain.settings), shard_sensors(plain.settings)) == ([], [])
