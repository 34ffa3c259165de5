"""The job ``maintain_lake`` and its schedule: maintenance as a run like any other, with what it did on record."""

# No `from __future__ import annotations` here: Dagster reads the annotations of an op's config as types.

from collections.abc import Iterable
from typing import Any

import dagster as dg
from pydantic import Field

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.maintenance.report import Files, Report, TableReport
from cost_lakehouse.orchestration.assets.load_metadata import metadata_table
from cost_lakehouse.orchestration.constants import MAINTENANCE_JOB, MAINTENANCE_POOL, PROCESS_TAG, TRIGGER_TAG
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.resources import lake_resources
from cost_lakehouse.orchestration.schedules import ensure_cron

MAINTENANCE_OP = "maintenance"


class MaintenanceConfig(dg.Config):
    """What one run is to do."""

    dry_run: bool = False  # decide and report, change nothing
    tables: list[str] = Field(default_factory=list)  # only these, such as raw.receipts; empty: all


def maintenance_job(settings: Settings) -> dg.JobDefinition:
    """The job; its pool keeps a second run of it waiting."""

    @dg.op(
        name=MAINTENANCE_OP,
        pool=MAINTENANCE_POOL,
        description="Expires snapshots, merges small files and removes what nothing refers to, table by table.",
        out=dg.Out(dict[str, Any]),
    )
    def maintenance(context: dg.OpExecutionContext, config: MaintenanceConfig, lake: dg.ResourceParam[Lake]) -> dict[str, Any]:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_label(context.instance)})
        try:
            report = maintain(
                lake,
                config.tables,
                dry_run=config.dry_run,
                on_report=lambda table: context.log.info(summary_line(table)),
            )
        except CostLakehouseError as error:
            raise dg.Failure(
                error.problem, metadata={"problem": error.problem, "what_to_do": error.fix}, allow_retries=False
            ) from None
        context.add_output_metadata(report_metadata(report))
        if not report.ok:
            raise _failure(report)
        return {
            "dry_run": report.dry_run,
            "engine": report.engine,
            "tables": [entry.facts() for entry in report.tables],
        }

    @dg.job(
        name=MAINTENANCE_JOB,
        description="Keeps the lake small and quick. What is kept is said by `lake.maintenance`.",
        resource_defs=lake_resources(settings),
        executor_def=dg.in_process_executor,
    )
    def maintain_lake() -> None:
        maintenance()

    return maintain_lake


def maintenance_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedule ``maintenance``; none where it is off.

    Raises ConfigurationError where ``lake.maintenance.schedule`` is no cron text.
    """
    cron = settings.lake.maintenance.schedule
    if cron is None:
        return []
    ensure_cron(cron, "lake.maintenance.schedule", "`30 3 * * *` for every night at 03:30 UTC, or `off`")
    return [
        dg.ScheduleDefinition(
            name="maintenance",
            cron_schedule=cron,
            job_name=MAINTENANCE_JOB,
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            tags={TRIGGER_TAG: "schedule"},
            description="Maintains the lake at the times of lake.maintenance.schedule.",
        )
    ]


def summary_line(table: TableReport) -> str:
    """What was done with a table, on one line."""
    if table.failed:
        return f"{table.table}: failed: {table.failed}"
    done = [
        f"{table.expired} of {table.snapshots} snapshots expired",
        f"{table.merged.count} files of {table.slices_merged} slices merged into {table.merged_into.count}",
        f"{_told(table.removed_expired)} of expired snapshots and {_told(table.removed_orphans)} of nobody removed",
    ]
    return "; ".join([f"{table.table}: {', '.join(done)}", *table.skipped])


def report_metadata(report: Report) -> dict[str, Any]:
    """What the run shows: a table of the tables, and totals that Dagster can draw."""
    numbers = ("expired", "kept", "merged", "removed", "bytes removed", "files left")
    columns: dict[str, type] = {"table": str, **dict.fromkeys(numbers, int), "remarks": str}
    rows: list[dict[str, str | int]] = []
    for table in report.tables:
        removed = table.removed_expired + table.removed_orphans
        rows.append(
            {
                "table": table.table,
                "expired": table.expired,
                "kept": table.snapshots - table.expired,
                "merged": table.merged.count,
                "removed": removed.count,
                "bytes removed": removed.bytes,
                "files left": table.after.count,
                "remarks": "; ".join([*([f"failed: {table.failed}"] if table.failed else []), *table.skipped]),
            }
        )
    return {
        "dry_run": report.dry_run,
        "engine": report.engine,
        "tables": metadata_table(columns, rows),
        "report": dg.MetadataValue.json([entry.facts() for entry in report.tables]),
        "snapshots_expired": sum(entry.expired for entry in report.tables),
        "files_merged": _sum(entry.merged for entry in report.tables).count,
        "files_removed": _sum(entry.removed_expired + entry.removed_orphans for entry in report.tables).count,
        "bytes_removed": _sum(entry.removed_expired + entry.removed_orphans for entry in report.tables).bytes,
        "files_left": _sum(entry.after for entry in report.tables).count,
        "bytes_left": _sum(entry.after for entry in report.tables).bytes,
    }


def _sum(files: Iterable[Files]) -> Files:
    total = Files()
    for candidate in files:
        total += candidate
    return total


def _told(files: Files) -> str:
    return f"{files.count} files ({files.bytes:,} bytes)"


def _failure(report: Report) -> dg.Failure:
    failed = [entry for entry in report.tables if entry.failed]
    problem = "; ".join(f"{item.table}: {item.failed}" for item in failed)
    fix = " ".join(dict.fromkeys(item.fix for item in failed if item.fix))
    metadata = {"problem": problem, "what_to_do": fix, **report_metadata(report)}
    return dg.Failure(f"Not maintained: {problem} {fix}".strip(), metadata=metadata, allow_retries=False)
