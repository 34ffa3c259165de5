"""Puts the code location together; the UI, the command and the tests all get theirs here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.assets.accounts import account_assets, account_jobs, account_schedules
from cost_lakehouse.orchestration.assets.line_items import LOAD_RETRIES, LogProgress, ProgressFactory, line_item_assets
from cost_lakehouse.orchestration.assets.mirrors import mirror_assets, mirror_jobs, mirror_schedules
from cost_lakehouse.orchestration.assets.pushes import push_assets, push_jobs, push_schedules
from cost_lakehouse.orchestration.assets.reports import report_asset, report_jobs, report_schedules
from cost_lakehouse.orchestration.assets.summaries import summary_assets
from cost_lakehouse.orchestration.constants import LOAD_JOB, SUMMARY_JOB
from cost_lakehouse.orchestration.maintenance import maintenance_job, maintenance_schedules
from cost_lakehouse.orchestration.partitions import billing_months
from cost_lakehouse.orchestration.resources import lake_resources
from cost_lakehouse.orchestration.schedules import download_schedule
from cost_lakehouse.orchestration.sensors.alerts import alert_sensor
from cost_lakehouse.orchestration.sensors.daily_costs import daily_cost_sensor
from cost_lakehouse.orchestration.sensors.deliveries import delivery_sensor
from cost_lakehouse.orchestration.sensors.pushes import push_sensors
from cost_lakehouse.orchestration.sensors.summaries import summary_sensor
from cost_lakehouse.orchestration.shard_runs import shard_jobs, shard_sensors
from cost_lakehouse.summaries.dbt_project import parse_if_stale
from cost_lakehouse.summaries.marts import published_marts


def build_definitions(
    settings: Settings,
    *,
    load_retries: dg.RetryPolicy | None = LOAD_RETRIES,
    progress: ProgressFactory = LogProgress,
    in_process: bool = False,
) -> dg.Definitions:
    """Everything that Dagster runs for one configuration.

    ``load_retries`` and ``progress`` are what the command does in its own way: it does not wait, and it draws a bar; its runs
    are ``in_process``, where nobody launches others.
    Raises ConfigurationError where configuration or dbt project cannot be used.
    """
    # `BackfillPolicy` is told to be in beta at each use; our versions are pinned, and a user can do nothing about it.
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    # AWS's months load one a run, OCI's all in one. A backfill of both starts a run a month: of OCI the first loads everything.
    warnings.filterwarnings("ignore", f"Asset job {LOAD_JOB} materializes assets with varying BackfillPolicies")
    months = billing_months(settings)
    project = parse_if_stale(settings)
    marts = [mart.table for mart in published_marts(project.document, focus=settings.lake.focus == "table")]
    line_items = line_item_assets(settings, months, load_retries, progress, in_process=in_process)
    mirrors = mirror_assets(settings)
    summaries = summary_assets(settings, months, project)
    accounts = account_assets(settings)
    pushes = push_assets(settings)
    report = report_asset(settings, months)
    return dg.Definitions(
        assets=[*mirrors, *line_items, summaries, *accounts, *pushes, report],
        jobs=[
            *jobs(line_items, summaries),
            *mirror_jobs(mirrors),
            *account_jobs(accounts),
            *push_jobs(pushes),
            *report_jobs(report),
            maintenance_job(settings),
            *shard_jobs(settings),
        ],
        sensors=[
            delivery_sensor(settings, months),
            summary_sensor(settings, marts),
            daily_cost_sensor(),
            *push_sensors(settings),
            *shard_sensors(settings),
            alert_sensor(settings),
        ],
        schedules=[
            download_schedule(settings, months),
            *maintenance_schedules(settings),
            *mirror_schedules(settings),
            *account_schedules(settings),
            *push_schedules(settings),
            *report_schedules(settings),
        ],
        resources=lake_resources(settings),
        # One run is a month or one dbt build: a process a step would import everything again, and gain nothing.
        executor=dg.in_process_executor,
    )


def jobs(line_items: Sequence[dg.AssetsDefinition], summaries: dg.AssetsDefinition) -> list[dg.UnresolvedAssetJobDefinition]:
    """The two jobs: loading, and summarising what was loaded."""
    return [
        dg.define_asset_job(
            LOAD_JOB,
            selection=dg.AssetSelection.assets(*line_items),
            description=(
                "Loads one month of the chosen sources from what their providers delivered. "
                "What the lake holds already is left alone; `force: true` in the launchpad loads it again."
            ),
        ),
        dg.define_asset_job(
            SUMMARY_JOB,
            selection=dg.AssetSelection.assets(summaries),
            description=(
                "Builds, tests and publishes the summaries of every slice that is stale in the chosen months. "
                "What is up to date is left alone; `force: true` in the launchpad builds it again."
            ),
        ),
    ]
