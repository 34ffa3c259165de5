"""One asset a push target, and one for PostgreSQL: the months there, with the job and schedules that bring what changed."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an asset's config as types.

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from cost_lakehouse.config import Settings
from cost_lakehouse.config.publish import PostgresSettings
from cost_lakehouse.config.push import POSTGRES, PushSettings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.orchestration.assets.load_metadata import metadata_table
from cost_lakehouse.orchestration.constants import FAILURE_TAG, PROCESS_TAG, PUSH_JOB, SOURCE_TAG, TRIGGER_TAG
from cost_lakehouse.orchestration.failures import lasting_failure
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.schedules import ensure_cron
from cost_lakehouse.publish.backbone.push import PushReport, push

PUSH = "push"
_LISTED = 200


class PushConfig(dg.Config):
    """What one push is to send beyond what changed."""

    again: bool = Field(default=False, description="Send every published month, also those that the target has.")


def push_key(name: str) -> dg.AssetKey:
    """The asset of one target."""
    return dg.AssetKey([PUSH, name])


def push_op(name: str) -> str:
    """A valid op, pool and schedule name for a target; target names have no underscore, so two never meet."""
    return f"{PUSH}__{name.replace('-', '_')}"


def push_names(settings: Settings) -> list[str]:
    """Every target, paused ones too, and PostgreSQL where it is configured."""
    names = [target.name for target in settings.push]
    return names if settings.publish.postgres is None else [*names, POSTGRES]


def push_tags(name: str, trigger: str) -> dict[str, str]:
    """The tags of a run for one target: alerts tell by them which one failed, or works again."""
    return {SOURCE_TAG: name, TRIGGER_TAG: trigger}


def push_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """An asset for every push target, paused ones too, and for PostgreSQL where it is configured."""
    targets = [_push_asset(settings, target) for target in settings.push]
    return targets if settings.publish.postgres is None else [*targets, _postgres_asset(settings, settings.publish.postgres)]


def _postgres_asset(settings: Settings, database: PostgresSettings) -> dg.AssetsDefinition:
    @dg.asset(
        key=push_key(POSTGRES),
        group_name=PUSH,
        deps=[dg.AssetKey(["marts", "bill_status"])],
        kinds={"postgres", "table"},
        owners=["team:finops"],
        description=(
            f"Published months as tables ({', '.join(database.tables)}) at `{database.place}`. A run replaces what "
            "changed, each month in one transaction."
        ),
        metadata={"place": database.place},
        pool=push_op(POSTGRES),
    )
    def published(
        context: dg.AssetExecutionContext, config: PushConfig, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult[None]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        try:
            from cost_lakehouse.publish.postgres.publisher import publish_to_postgres

            report = publish_to_postgres(lake, database, again=config.again)
        except CostLakehouseError as error:
            raise _failure(context, POSTGRES, error) from None
        facts = {
            "dagster/uri": dg.MetadataValue.text(report.place),
            "months": dg.MetadataValue.int(len(report.slices)),
            "unchanged": dg.MetadataValue.int(report.unchanged),
            "removed": dg.MetadataValue.int(report.removed),
            "dagster/row_count": dg.MetadataValue.int(report.rows),
        }
        return dg.MaterializeResult(metadata=facts, data_version=dg.DataVersion(report.version))

    return published


def _failure(context: dg.AssetExecutionContext, name: str, error: CostLakehouseError) -> dg.Failure:
    """The next run sends what this one did not."""
    context.instance.add_run_tags(context.run.run_id, {FAILURE_TAG: type(error).__name__})
    return lasting_failure(error, name)


def _push_asset(settings: Settings, target: PushSettings) -> dg.AssetsDefinition:
    @dg.asset(
        key=push_key(target.name),
        group_name=PUSH,
        deps=[dg.AssetKey(["marts", "bill_status"])],
        kinds={"http" if target.is_http else "s3" if target.is_s3 else "file", target.format},
        owners=["team:finops"],
        description=(
            f"Published months ({', '.join(target.what)}) as files at `{target.place}`. A run sends the months that changed; "
            "each counts there once its manifest is written."
        ),
        metadata={"place": target.place},
        pool=push_op(target.name),
    )
    def pushed(
        context: dg.AssetExecutionContext, config: PushConfig, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult[None]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        try:
            report = push(lake, settings.push_target(target.name), again=config.again)
        except CostLakehouseError as error:
            raise _failure(context, target.name, error) from None
        return dg.MaterializeResult(metadata=_metadata(report), data_version=dg.DataVersion(report.version))

    return pushed


def _metadata(report: PushReport) -> dict[str, dg.MetadataValue]:
    months = [
        {"source": month.source, "month": f"{month.month:%Y-%m}", "id": month.id, "delivery_id": month.delivery_id}
        for month in report.months[:_LISTED]
    ]
    return {
        "dagster/uri": dg.MetadataValue.text(report.place),
        "months": dg.MetadataValue.int(len(report.months)),
        "unchanged": dg.MetadataValue.int(report.unchanged),
        "files": dg.MetadataValue.int(report.files),
        "dagster/row_count": dg.MetadataValue.int(report.rows),
        "bytes": dg.MetadataValue.int(report.bytes),
        **({"sent": metadata_table(dict.fromkeys(("source", "month", "id", "delivery_id"), str), months)} if months else {}),
    }


def push_jobs(pushes: Sequence[dg.AssetsDefinition]) -> "list[dg.UnresolvedAssetJobDefinition]":
    """The job that pushes; none where there is no target."""
    if not pushes:
        return []
    return [
        dg.define_asset_job(
            PUSH_JOB,
            selection=dg.AssetSelection.assets(*pushes),
            description="Sends published months that changed to the push targets and to PostgreSQL.",
        )
    ]


def push_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """A schedule for each target that has one and is not paused. Raises ConfigurationError where it is no cron text."""
    made = []
    for target in settings.push:
        if target.schedule is None or target.paused:
            continue
        ensure_cron(target.schedule, f"The schedule of push target {target.name!r}", "`0 6 * * *` for every day at 06:00 UTC")
        made.append(_schedule(target, target.schedule))
    return made


def _schedule(target: PushSettings, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=push_op(target.name),
        cron_schedule=cron,
        job_name=PUSH_JOB,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Sends what changed to {target.place}.",
    )
    def send_months(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(asset_selection=[push_key(target.name)], tags=push_tags(target.name, "schedule"))

    return send_months
