"""Runs loads and summaries in this process, each as a Dagster run of its own: what the command does without a server."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assemble import build_definitions
from cost_lakehouse.orchestration.assets.line_items import ProgressFactory
from cost_lakehouse.orchestration.assets.mirrors import (
    MIRROR_JOB,
    MirrorProgress,
    mirror_assets,
    mirror_jobs,
    mirror_key,
    mirror_tags,
)
from cost_lakehouse.orchestration.constants import (
    DELIVERY_TAG,
    LOAD_JOB,
    PROCESS_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    SUMMARY_JOB,
    TRIGGER_TAG,
    line_items_key,
    line_items_op,
)
from cost_lakehouse.orchestration.decisions import delivery_key_of, month_range, partition_key
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.maintenance import MAINTENANCE_OP, maintenance_job
from cost_lakehouse.orchestration.new_deliveries import load_config, load_tags, partition_of
from cost_lakehouse.orchestration.partitions import billing_months
from cost_lakehouse.orchestration.run_history import ends_of_runs
from cost_lakehouse.orchestration.sensors.daily_costs import DAILY_COSTS, changes_of
from cost_lakehouse.sources.delivery import Delivery

# The terminal belongs to the command; everything is kept in the run's event log.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
COMMAND = "command"


@dataclass(frozen=True)
class RunOutcome:
    """How one run ended. ``facts`` are a month's (``YYYY-MM``) metadata as plain values, each month that it materialized."""

    ok: bool
    run_id: str
    facts: Mapping[str, Mapping[str, Any]]
    problem: str = ""
    fix: str = ""


@dataclass(frozen=True)
class AssetOutcome:
    """How a run of an asset that is no bill's ended; ``facts`` are what the asset says of itself."""

    ok: bool
    facts: Mapping[str, Any]
    problem: str = ""
    fix: str = ""


@dataclass(frozen=True)
class SummaryOutcome:
    """How the build of the summaries ended, and what it changed in ``marts.daily_costs``."""

    ok: bool
    run_id: str
    changes: Sequence[Mapping[str, Any]]
    checks_passed: int
    failed_checks: Sequence[str]
    warnings: Sequence[str]
    problem: str = ""


class InProcess:
    """The code location, assembled once for any number of runs."""

    def __init__(
        self, settings: Settings, instance: dg.DagsterInstance, progress: ProgressFactory, first_run_id: str | None = None
    ) -> None:
        """``first_run_id`` is the id of the first run of all; Dagster chooses the others."""
        for name in ("dagster", "trino"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._instance = instance
        self._next_run_id = first_run_id
        self._months = billing_months(settings)
        # The command does not wait before it tries again: whoever calls it sees the failure and decides.
        self._definitions = build_definitions(settings, load_retries=None, progress=progress, in_process=True)

    def load(self, delivery: Delivery, force: bool, refused: bool = False) -> RunOutcome:
        """Load one delivery, or what is new (or, with ``refused``, was refused before) of one kind of report."""
        month = delivery.billing_period
        if month is not None and not self._months.has_partition_key(partition_key(month)):
            return RunOutcome(False, "", {}, "This month has not begun.", "Check this machine's clock, or wait for the month.")
        attempt = len(ends_of_runs(self._instance, DELIVERY_TAG, delivery_key_of(delivery))) + 1
        op = line_items_op(delivery.source)
        result = self._execute(
            LOAD_JOB,
            config={"ops": {op: {"config": load_config(delivery, refused, force)}}},
            tags=load_tags(delivery, attempt, COMMAND, self._months),
            partition=partition_of(delivery),
            selection=[line_items_key(delivery.source)],
        )
        facts = {
            str(all_event.partition)[:7]: {name: fact.value for name, fact in all_event.materialization.metadata.items()}
            for all_event in result.all_events
            if all_event.is_step_materialization
        }
        problem, fix = failure_of(result)
        return RunOutcome(result.success, result.run_id, facts, problem, fix)

    def summarize(self, slices: Sequence[Slice], force: bool) -> SummaryOutcome:
        """Build the summaries of those slices in one run; with ``force`` also where they are not stale."""
        first, last = month_range(slice_.billing_period for slice_ in slices)
        result = self._execute(
            SUMMARY_JOB,
            config={"ops": {"summaries": {"config": {"force": force, "slices": [str(slice_) for slice_ in slices]}}}},
            tags={RANGE_START_TAG: first, RANGE_END_TAG: last, TRIGGER_TAG: COMMAND},
        )
        changes: list[Mapping[str, Any]] = []
        passed = 0
        failed: list[str] = []
        warned: list[str] = []
        for event in result.all_events:
            if event.is_step_materialization and event.asset_key == DAILY_COSTS:
                changes += changes_of(event.materialization)
            elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                check = event.asset_check_evaluation_data
                passed += check.passed
                if not check.passed:
                    told = warned if check.severity is dg.AssetCheckSeverity.WARN else failed
                    told.append(f"{check.asset_key.to_user_string()}: {check.check_name}")
        return SummaryOutcome(result.success, result.run_id, changes, passed, failed, warned, failure_of(result)[0])

    def _execute(
        self,
        job: str,
        config: Mapping[str, Any],
        tags: Mapping[str, str],
        partition: str | None = None,
        selection: Sequence[dg.AssetKey] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """One run, recorded in the instance, silent on the terminal (dbt's output goes through this process's stdout)."""
        run_id, self._next_run_id = self._next_run_id, None
        with redirect_stdout(io.StringIO()):
            return self._definitions.resolve_job_def(job).execute_in_process(
                instance=self._instance,
                partition_key=partition,
                asset_selection=selection,
                run_id=run_id,
                run_config={**QUIET, **config},
                tags={**tags, PROCESS_TAG: process_label(self._instance)},
                raise_on_error=False,
            )


def run_maintenance(
    settings: Settings, instance: dg.DagsterInstance, tables: Sequence[str], dry_run: bool
) -> tuple[list[dict[str, Any]], str, str]:
    """Maintain the lake: each table's report, and what failed and what to do about it. Needs no dbt project."""
    for name in ("dagster", "trino"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    result = maintenance_job(settings).execute_in_process(
        instance=instance,
        run_config={**QUIET, "ops": {MAINTENANCE_OP: {"config": {"dry_run": dry_run, "tables": list(tables)}}}},
        tags={TRIGGER_TAG: COMMAND, PROCESS_TAG: process_label(instance)},
        raise_on_error=False,
    )
    if result.success:
        return result.output_for_node(MAINTENANCE_OP)["tables"], "", ""
    failures = [all_event.step_failure_data.user_failure_data for all_event in result.all_events if all_event.is_step_failure]
    told: list[Any] = [
        failure.metadata["report"].value for failure in failures if failure is not None and "report" in failure.metadata
    ]
    return (told[0] if told else [], *failure_of(result))


def run_mirror_once(settings: Settings, instance: dg.DagsterInstance, name: str, progress: MirrorProgress) -> AssetOutcome:
    """Copy what is new of one mirror, as a run of its own; where it fails, ``facts`` are its counts as far as it came.

    Needs no dbt project.
    """
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    mirrors = mirror_assets(settings, progress)
    definitions = dg.Definitions(assets=mirrors, jobs=mirror_jobs(mirrors), executor=dg.in_process_executor)
    result = definitions.resolve_job_def(MIRROR_JOB).execute_in_process(
        instance=instance,
        asset_selection=[mirror_key(name)],
        run_config=QUIET,
        tags={**mirror_tags(name, COMMAND), PROCESS_TAG: process_label(instance)},
        raise_on_error=False,
    )
    facts: dict[str, Any] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            facts = {item: fact.value for item, fact in event.materialization.metadata.items()}
        elif event.is_step_failure and event.step_failure_data.user_failure_data is not None:
            facts = {item: fact.value for item, fact in event.step_failure_data.user_failure_data.metadata.items()}
    return AssetOutcome(result.success, facts, *failure_of(result))


def failure_of(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """What failed and what to do, of the last failed step; empty where nothing failed."""
    problem, fix = "", ""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            told = data.user_failure_data
            if told is None:
                error = data.error
                while error is not None and error.cause is not None:
                    error = error.cause
                problem, fix = (error.message.strip() if error else "The run failed."), ""
                continue
            facts = {name: item.value for name, item in told.metadata.items()}
            problem = str(facts.get("problem") or told.description or "The run failed.")
            fix = str(facts.get("what_to_do") or "")
    if not problem and not result.success:
        problem = "The run failed; its events in the Dagster UI say why."
    return problem, fix
