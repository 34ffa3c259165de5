"""What earlier runs in the Dagster instance tell the sensors: what was tried, and what is under way."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed
from cost_lakehouse.orchestration.constants import DELIVERY_TAG, FAILURE_TAG, LINE_ITEMS, LOAD_JOB, SOURCE_TAG

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_MAY_PASS = {DeliveryFailed.__name__, DeliveryChanged.__name__}


def ends_of_runs(instance: dg.DagsterInstance, tag: str, value: str) -> list[datetime | None]:
    """When each run with that tag ended (UTC, aware); None for one that is queued or going on.

    All of them: their number makes the next run key, and one that was used before would start nothing.
    """
    records = instance.get_run_records(dg.RunsFilter(tags={tag: value}))
    return [datetime.fromtimestamp(record.end_time, UTC) if record.end_time else _end_unknown(record) for record in records]


def could_not_be_read(instance: dg.DagsterInstance, delivery_key: str) -> bool:
    """Whether the newest run for a delivery failed to read it (truncated, unreachable), which may pass; not its numbers."""
    records = instance.get_run_records(dg.RunsFilter(tags={DELIVERY_TAG: delivery_key}), limit=1)
    return any(record.dagster_run.tags.get(FAILURE_TAG) in _MAY_PASS for record in records)


def loads_under_way(instance: dg.DagsterInstance) -> int:
    """How many queued or running runs load line items, however they were started."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    return sum(run.job_name == LOAD_JOB or any(key.path[0] == LINE_ITEMS for key in run.asset_selection or ()) for run in runs)


def under_way(instance: dg.DagsterInstance, job: str, source: str | None = None) -> bool:
    """Whether a run of that job, of that source or target where one is named, is queued or running."""
    tags = {SOURCE_TAG: source} if source else None
    return bool(instance.get_runs(dg.RunsFilter(job_name=job, statuses=_UNFINISHED, tags=tags), limit=1))


def failed_last(instance: dg.DagsterInstance, job: str, source: str) -> bool:
    """Whether that job's newest run for a source or target failed."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job, tags={SOURCE_TAG: source}), limit=1)
    return any(run.status is dg.DagsterRunStatus.FAILURE for run in runs)


def _end_unknown(record: dg.RunRecord) -> datetime | None:
    """A finished run without an end time (cancelled while queued) ended when it was last touched."""
    return record.update_timestamp.replace(tzinfo=UTC) if record.dagster_run.is_finished else None
