"""Asks for a push to every target that lacks a published month; a failed one comes again with growing pauses."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.orchestration.assets.pushes import push_key, push_tags
from cost_lakehouse.orchestration.constants import ATTEMPT_TAG, PUSH_JOB, STALE_TAG, SUMMARY_JOB
from cost_lakehouse.orchestration.decisions import attempt_for
from cost_lakehouse.orchestration.run_history import ends_of_runs, failed_last, under_way
from cost_lakehouse.publish.due import TargetDue, targets_due

INTERVAL_SECONDS = 30


def push_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor ``pushes_due``; none where nothing follows runs."""
    if settings.publish.postgres is None and not any(target.follows_runs for target in settings.push):
        return []

    @dg.sensor(
        name="pushes_due",
        job_name=PUSH_JOB,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests a push to every target that lacks a published month.",
    )
    def due(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if under_way(context.instance, SUMMARY_JOB):
            return dg.SensorResult(skip_reason="A build of summaries is under way; what it publishes goes along.")
        now = datetime.now(UTC)
        try:
            targets = targets_due(Lake(settings), now.date())
        except CostLakehouseError as error:
            return dg.SensorResult(skip_reason=str(error))
        asked = [_asked(context.instance, target, now) for target in targets]
        requests = [answer for answer in asked if isinstance(answer, dg.RunRequest)]
        if not requests:
            return dg.SensorResult(skip_reason="\n".join(map(str, asked)))
        return dg.SensorResult(run_requests=requests)

    return [due]


def _asked(instance: dg.DagsterInstance, target: TargetDue, now: datetime) -> dg.RunRequest | str:
    """The push that is to be made now, or why none is."""
    # A long push puts months on the ledger as it goes: what is due meanwhile is its own work.
    if under_way(instance, PUSH_JOB, target.name):
        return f"{target.name}: a push is under way."
    # It could not be asked, or failed, and lacks nothing now: one run that finds so ends the alert.
    if not target.months and not failed_last(instance, PUSH_JOB, target.name):
        return f"{target.name}: has every month."
    attempt = attempt_for(ends_of_runs(instance, STALE_TAG, target.digest), now)
    if attempt.wait:
        why = f" ({target.unasked})" if target.unasked else ""
        return f"{target.name}: {len(target.months)} months are due{why}: {attempt.wait}."
    tags = {**push_tags(target.name, "sensor"), STALE_TAG: target.digest, ATTEMPT_TAG: str(attempt.number)}
    run_key = f"push|{target.digest}|{attempt.number}"
    return dg.RunRequest(run_key=run_key, asset_selection=[push_key(target.name)], tags=tags)
