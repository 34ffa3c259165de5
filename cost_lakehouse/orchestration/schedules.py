"""Work at fixed times: the polling schedule ``download``, for those who want loads at known hours (``DOWNLOAD_SCHEDULE``)."""

from __future__ import annotations

import time
from collections.abc import Callable

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.orchestration.constants import LOAD_JOB
from cost_lakehouse.orchestration.new_deliveries import SourcePolls, scan
from cost_lakehouse.orchestration.sensors.deliveries import TICK_SECONDS


def ensure_cron(cron: str, what: str, example: str) -> None:
    """Raise ConfigurationError where a text is no schedule; ``what`` says whose it is, ``example`` how one is written."""
    try:
        dg.ScheduleDefinition(name="validation", job_name="validation", cron_schedule=cron)
    except dg.DagsterInvalidDefinitionError:
        raise ConfigurationError(f"{what} is no cron text: {cron!r}.", f"Write five fields, such as {example}.") from None


def download_schedule(
    settings: Settings,
    months: dg.MonthlyPartitionsDefinition,
    clock: Callable[[], float] = time.monotonic,
) -> dg.ScheduleDefinition:
    """The schedule ``download``; its cron text comes from ``DOWNLOAD_SCHEDULE``.

    Raises ConfigurationError where that is no cron text.
    """
    cron = settings.download_schedule
    ensure_cron(cron, "The environment variable DOWNLOAD_SCHEDULE", "`0 */2 * * *` for every second hour")

    polls = SourcePolls()

    @dg.schedule(
        name="download",
        cron_schedule=cron,
        job_name=LOAD_JOB,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Looks for new deliveries at the times of DOWNLOAD_SCHEDULE, as the sensor does between them.",
    )
    def download(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        deadline = clock() + TICK_SECONDS
        names = [source.name for source in settings.sources if not source.paused]
        # A schedule has no cursor: begin with another source each hour, so that a slow one cannot starve the last ones.
        hours = int(context.scheduled_execution_time.timestamp() // 3600)
        begin = names[hours % len(names)] if names else ""
        try:
            found = scan(settings, context.instance, months, "schedule", begin, lambda: clock() >= deadline, context.log, polls)
        except LakeError as error:
            return dg.SkipReason(str(error))
        seen = "\n".join(found.lines) or "No sources to look at; add one to lakehouse.yaml."
        if not found.requests:
            return dg.SkipReason(seen)
        context.log.info(seen)
        return found.requests

    return download
