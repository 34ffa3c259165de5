"""Asks for the summaries of every (source, month) whose line items are newer than its marts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.orchestration.constants import (
    ATTEMPT_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    STALE_TAG,
    SUMMARY_JOB,
    TRIGGER_TAG,
)
from cost_lakehouse.orchestration.decisions import attempt_for, month_range, stale_digest
from cost_lakehouse.orchestration.run_history import ends_of_runs, loads_under_way, under_way
from cost_lakehouse.summaries.stale import StaleSlice, stale_slices

INTERVAL_SECONDS = 10
# Loads that go on are waited for, so that one dbt build serves them all; a load that hangs must not hold back the rest.
LONGEST_WAIT = timedelta(minutes=20)


def summary_tags(stale: list[StaleSlice], attempt: int, trigger: str) -> dict[str, str]:
    """The tags of a run that builds those slices: the range spans their months, only theirs are rebuilt."""
    first, last = month_range(stale_slice.billing_period for stale_slice in stale)
    return {
        RANGE_START_TAG: first,
        RANGE_END_TAG: last,
        STALE_TAG: digest_of(stale),
        ATTEMPT_TAG: str(attempt),
        TRIGGER_TAG: trigger,
    }


def digest_of(stale: list[StaleSlice]) -> str:
    """A digest of what is stale."""
    return stale_digest((entry.source, entry.billing_period, f"{entry.delivery_id} {entry.marker}".strip()) for entry in stale)


def waited_long(cursor: str | None, now: datetime) -> tuple[bool, str]:
    """Whether stale summaries waited for loads long enough, and the cursor that remembers since when."""
    since = datetime.fromisoformat(json.loads(cursor)["waiting_since"]) if cursor else now
    return now - since >= LONGEST_WAIT, json.dumps({"waiting_since": since.isoformat()})


def summary_sensor(settings: Settings, marts: Sequence[str] = ()) -> dg.SensorDefinition:
    """The sensor ``summaries_due``; ``marts`` are the tables to publish.

    Its cursor says since when stale summaries wait for loads to end.
    """

    @dg.sensor(
        name="summaries_due",
        job_name=SUMMARY_JOB,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests one build of all summaries whose line items changed since they were published.",
    )
    def summaries_due(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        try:
            stale = stale_slices(Lake(settings), marts=marts)
        except LakeError as error:
            return dg.SensorResult(skip_reason=str(error), cursor=context.cursor)
        if not stale:
            return dg.SensorResult(skip_reason="Every summary is up to date with its line items.", cursor="")
        what = ", ".join(f"{stale_slice.source} {stale_slice.billing_period:%Y-%m}" for stale_slice in stale)
        if under_way(context.instance, SUMMARY_JOB):
            return dg.SensorResult(skip_reason=f"Due: {what}. A build is under way.", cursor=context.cursor)
        loads = loads_under_way(context.instance)
        enough, cursor = waited_long(context.cursor, now)
        if loads and not enough:
            return dg.SensorResult(skip_reason=f"Due: {what}. Waiting for {loads} loads to end.", cursor=cursor)
        attempt = attempt_for(ends_of_runs(context.instance, STALE_TAG, digest_of(stale)), now)
        if attempt.wait:
            return dg.SensorResult(skip_reason=f"Due: {what}: {attempt.wait}.", cursor=context.cursor)
        context.log.info(f"Due: {what}")
        request = dg.RunRequest(
            run_key=f"summaries|{digest_of(stale)}|{attempt.number}",
            job_name=SUMMARY_JOB,
            tags=summary_tags(stale, attempt.number, "sensor"),
        )
        return dg.SensorResult(run_requests=[request], cursor="")

    return summaries_due
