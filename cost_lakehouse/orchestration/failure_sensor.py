"""Says in one line that a run failed, and why; whoever is to be told hangs on this sensor."""

from __future__ import annotations

import dagster as dg

from cost_lakehouse.orchestration.tags import MONTH_TAG, SOURCE_TAG


def failure_line(job: str, tags: dict[str, str], partition: str | None, message: str) -> str:
    """One line: what failed, for which source and month, and the first line of why."""
    what = " ".join(part for part in (tags.get(SOURCE_TAG, ""), tags.get(MONTH_TAG, partition or "")) if part)
    return f"{job} failed{f' for {what}' if what else ''}: {message.splitlines()[0] if message else 'no reason given'}"


def failure_sensor() -> dg.SensorDefinition:
    """The sensor ``run_failures``."""

    @dg.run_failure_sensor(
        name="run_failures",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs one clear line for every failed run.",
    )
    def run_failures(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        message = context.failure_event.message or ""
        for event in context.get_step_failure_events():
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                message = data.user_failure_data.description
            elif data.error:
                message = data.error.message
        context.log.error(failure_line(run.job_name, dict(run.tags), run.tags.get("dagster/partition"), message))

    return run_failures
