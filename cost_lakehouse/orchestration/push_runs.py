"""Pushes in this process, each target in a Dagster run of its own: what the command does without a server."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.assets.pushes import push_assets, push_jobs, push_key, push_op, push_tags
from cost_lakehouse.orchestration.constants import PROCESS_TAG, PUSH_JOB
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.runner import COMMAND, QUIET, failure_of


@dataclass(frozen=True)
class PushOutcome:
    """How one push ended; ``facts`` are what its asset says of itself, none where it failed."""

    ok: bool
    facts: Mapping[str, Any]
    problem: str = ""
    fix: str = ""


class PushRuns:
    """The push targets, put together once for any number of runs. Nothing of the bills is needed."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        self._instance = instance
        assets = push_assets(settings)
        self._definitions = dg.Definitions(assets=assets, jobs=push_jobs(assets), executor=dg.in_process_executor)

    def push(self, name: str, again: bool = False) -> PushOutcome:
        """Send what changed to one target; with ``again`` everything."""
        with redirect_stdout(io.StringIO()):  # dbt's, where FOCUS rows are made
            result = self._definitions.resolve_job_def(PUSH_JOB).execute_in_process(
                instance=self._instance,
                asset_selection=[push_key(name)],
                run_config={**QUIET, "ops": {push_op(name): {"config": {"again": again}}}},
                tags={**push_tags(name, COMMAND), PROCESS_TAG: process_label(self._instance)},
                raise_on_error=False,
            )
        facts = {
            fact: item.value
            for event in result.all_events
            if event.is_step_materialization
            for fact, item in event.materialization.metadata.items()
        }
        return PushOutcome(result.success, facts, *failure_of(result))
