"""Watches the manifests of every source, open and closed months alike, and asks for a load of what is new."""

from __future__ import annotations

import time
from collections.abc import Callable

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.orchestration.constants import LOAD_JOB
from cost_lakehouse.orchestration.instance import end_dead_runs
from cost_lakehouse.orchestration.new_deliveries import SourcePolls, scan
from cost_lakehouse.orchestration.pace import Pace

# Dagster ends a tick after 60 seconds, losing everything it found; the rest of the sources follow in the next tick.
TICK_SECONDS = 40.0
_NO_SOURCES = "No sources to look at; add one to lakehouse.yaml."


def delivery_sensor(
    settings: Settings,
    months: dg.MonthlyPartitionsDefinition,
    clock: Callable[[], float] = time.monotonic,
) -> dg.SensorDefinition:
    """The sensor ``deliveries``. Its cursor is the source to begin with; what is new is decided from the lake's receipts."""

    polls = SourcePolls()
    pace = Pace(settings)

    @dg.sensor(
        name="deliveries",
        job_name=LOAD_JOB,
        minimum_interval_seconds=settings.polling.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Lists the manifests of all sources and requests a load for each (source, month) whose newest complete delivery "
            "the lake does not hold. Failed loads are asked for again with growing pauses."
        ),
    )
    def deliveries(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = clock()
        deadline = now + TICK_SECONDS
        for run_id in end_dead_runs(context.instance):
            context.log.warning(f"Run {run_id} was killed; it is marked as failed.")
        cursor = context.cursor or ""
        try:
            found = scan(
                settings, context.instance, months, "sensor", cursor, lambda: clock() >= deadline, context.log, polls, pace, now
            )
        except LakeError as error:
            return dg.SensorResult(skip_reason=str(error), cursor=cursor)
        if found.resume_at:
            found.lines.append(f"The next tick begins with {found.resume_at}.")
        seen = "\n".join(found.lines) or ("No source is due." if settings.sources else _NO_SOURCES)
        if not found.requests:
            return dg.SensorResult(skip_reason=seen, cursor=found.resume_at)
        context.log.info(seen)
        return dg.SensorResult(run_requests=found.requests, cursor=found.resume_at)

    return deliveries
