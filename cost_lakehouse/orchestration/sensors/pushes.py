"""Asks for a push to every target that lacks a published month; a failed one comes again with growing pauses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.config.push import POSTGRES
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assets.pushes import push_key, push_tags
from cost_lakehouse.orchestration.constants import ATTEMPT_TAG, PUSH_JOB, STALE_TAG, SUMMARY_JOB
from cost_lakehouse.orchestration.decisions import attempt_for
from cost_lakehouse.orchestration.run_history import ends_of_runs, under_way
from cost_lakehouse.publish.backbone.push import pushes_due

INTERVAL_SECONDS = 30


def push_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor ``pushes_due``; none where nothing follows runs."""
    targets = [target for target in settings.push if target.follows_runs]
    database = settings.publish.postgres
    if not targets and database is None:
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
        requests, lines, now = [], [], datetime.now(UTC)
        try:
            lake = Lake(settings)
            due_at = {target.name: pushes_due(lake, target) for target in targets}
            if database is not None:
                from cost_lakehouse.publish.postgres.publisher import months_due

                due_at[POSTGRES] = months_due(lake, database, now.date())
            for name, months in due_at.items():
                if not months:
                    lines.append(f"{name}: has every month.")
                    continue
                digest = _digest(name, months)
                attempt = attempt_for(ends_of_runs(context.instance, STALE_TAG, digest), now)
                lines.append(f"{name}: {len(months)} months are due{f': {attempt.wait}' if attempt.wait else ''}.")
                if not attempt.wait:
                    tags = {**push_tags(name, "sensor"), STALE_TAG: digest, ATTEMPT_TAG: str(attempt.number)}
                    run_key = f"push|{digest}|{attempt.number}"
                    requests.append(dg.RunRequest(run_key=run_key, asset_selection=[push_key(name)], tags=tags))
        except CostLakehouseError as error:
            return dg.SensorResult(skip_reason=str(error))
        if not requests:
            return dg.SensorResult(skip_reason="\n".join(lines))
        return dg.SensorResult(run_requests=requests)

    return [due]


def _digest(target: str, months: Mapping[Slice, str]) -> str:
    said = [target, sorted((str(slice_), mark) for slice_, mark in months.items())]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]
