"""Workers of a large load as Dagster runs: wherever the instance's launcher starts runs, on Kubernetes a job each."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an op's config as types.

import time

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.shard_worker import TASK, NotWanted, work
from cost_lakehouse.loading.shards import Task, work_folder
from cost_lakehouse.loading.share import ProcessWorkers, Sharing, Workers
from cost_lakehouse.orchestration.constants import PROCESS_TAG, SHARD_JOB, SHARD_TAG, SOURCE_TAG
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.resources import lake_resources
from cost_lakehouse.sources.registry import kind_of

INTERVAL_SECONDS = 10
_OP = "read_shard"
# First of all, as the load that waits holds a place of its own; and once, as that load asks for the next attempt itself.
_TAGS = {"dagster/priority": "10", "dagster/max_retries": "0"}
# A run may wait for a place; then its task counts as not begun, and is asked for again.
START_SECONDS = 1800.0


class ShardConfig(dg.Config):
    """Which task a run does: its name in the warehouse."""

    task: str


def sharing(settings: Settings, instance: dg.DagsterInstance, *, in_process: bool = False) -> Sharing:
    """Who reads large deliveries: runs, where they are configured and somebody launches them, else processes."""
    workers = settings.lake.workers
    as_runs = workers.launch == "runs" and not in_process
    return Sharing(workers, RunWorkers(instance) if as_runs else ProcessWorkers(settings))


class RunWorkers(Workers):
    """A run for each task, which the sensor ``shards_waiting`` asks for."""

    look_seconds = 2.0

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._asked: dict[str, float] = {}  # by the task's name, when it was put there

    def start(self, task: Task) -> None:
        """It lies in the warehouse, where the sensor finds it."""
        self._asked[task.name] = time.monotonic()

    def is_gone(self, task: Task) -> bool:
        """Whether its run has ended, or none has begun for too long."""
        runs = self._instance.get_runs(dg.RunsFilter(tags={SHARD_TAG: task.name}))
        if not runs:
            return time.monotonic() - self._asked[task.name] > START_SECONDS
        return all(run.is_finished for run in runs)

    def stop(self) -> None:
        """A run whose task is gone ends by itself."""


def shard_jobs(settings: Settings) -> list[dg.JobDefinition]:
    """The job ``read_shards``; none where loads share nothing out among runs."""
    if settings.lake.workers.launch != "runs":
        return []

    @dg.op(name=_OP, description="Reads some files of a large delivery and writes their rows aside; the load commits them.")
    def read_shard(context: dg.OpExecutionContext, config: ShardConfig, lake: dg.ResourceParam[Lake]) -> None:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        try:
            work(settings, lake, config.task)
        except NotWanted:
            context.log.info("The load that this was for has ended.")

    @dg.job(
        name=SHARD_JOB,
        description="Reads a part of a delivery that is too large for one machine: `lake.workers`.",
        resource_defs=lake_resources(settings),
        executor_def=dg.in_process_executor,
    )
    def read_shards() -> None:
        read_shard()

    return [read_shards]


def shard_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor ``shards_waiting``; none where loads share nothing out among runs."""
    if settings.lake.workers.launch != "runs":
        return []
    kinds = {source.name: kind_of(source) for source in settings.sources}
    folders = [work_folder(table, name) for name, kind in kinds.items() if kind.is_shared_out for table in kind.tables]

    @dg.sensor(
        name="shards_waiting",
        job_name=SHARD_JOB,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests a run for every part of a large delivery that a load waits for.",
    )
    def waiting() -> dg.SensorResult:
        warehouse = Lake(settings).warehouse
        try:
            found = [entry.location for folder in folders for entry in warehouse.list(folder)]
        except CostLakehouseError as error:
            return dg.SensorResult(skip_reason=str(error))
        tasks = [location for location in found if location.endswith(TASK)]
        names = [location.removeprefix(f"{warehouse.location}/").removesuffix(TASK) for location in tasks]
        if not names:
            return dg.SensorResult(skip_reason="No load waits for workers.")
        return dg.SensorResult(run_requests=[_request(name) for name in names])

    return [waiting]


def _request(name: str) -> dg.RunRequest:
    source = name.split("/")[-3].removeprefix("source=")
    return dg.RunRequest(
        run_key=name,
        run_config={"ops": {_OP: {"config": {"task": name}}}},
        tags={SHARD_TAG: name, SOURCE_TAG: source, **_TAGS},
    )
