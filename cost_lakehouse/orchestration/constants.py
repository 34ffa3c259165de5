"""Names that more than one module of the orchestration, or a script beside it, relies on: run tags, keys, jobs, pools."""

from __future__ import annotations

from datetime import datetime

import dagster as dg

# What people look for in the list of runs.
SOURCE_TAG = "cost_lakehouse/source"
MONTH_TAG = "cost_lakehouse/month"
REPORT_TAG = "cost_lakehouse/report"  # of files that add up: the kind of report
# What only the machinery reads: of tags that begin with `.dagster/`, Dagster's UI shows none.
DELIVERY_TAG = ".dagster/cost_lakehouse.delivery"  # decisions.delivery_key: source, month, delivery id, fingerprint
STALE_TAG = ".dagster/cost_lakehouse.stale"  # decisions.stale_digest
ATTEMPT_TAG = ".dagster/cost_lakehouse.attempt"
TRIGGER_TAG = ".dagster/cost_lakehouse.trigger"  # sensor, schedule, command; absent where a run was started by hand
FAILURE_TAG = ".dagster/cost_lakehouse.failure"  # the kind of error that ended a load
SHARD_TAG = ".dagster/cost_lakehouse.shard"  # the task of a worker, by its name in the warehouse
PROCESS_TAG = ".dagster/cost_lakehouse.process"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

LINE_ITEMS = "line_items"
TABLE_NAME = "dagster/table_name"  # metadata: the table that an asset is stored in, as people query it
LOAD_JOB = "load_line_items"
SUMMARY_JOB = "build_summaries"
MAINTENANCE_JOB = "maintain_lake"
ACCOUNTS_JOB = "read_account_names"
PUSH_JOB = "push_months"
REPORT_JOB = "write_report"
SHARD_JOB = "read_shards"
SUMMARIES_POOL = "summaries"
MAINTENANCE_POOL = "maintenance"


def line_items_key(source: str) -> dg.AssetKey:
    """The asset of one source's line items."""
    return dg.AssetKey([LINE_ITEMS, source])


def line_items_op(source: str) -> str:
    """A valid op and pool name for a source; source names have no underscore, so two never meet."""
    return f"{LINE_ITEMS}__{source.replace('-', '_')}"


def utc_iso(moment: datetime) -> str:
    """A UTC moment as text for people and JSON: ``2026-01-31T04:05:06Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
