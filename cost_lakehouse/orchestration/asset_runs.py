"""A few assets put together for runs in this process, each a Dagster run of its own: what commands do without a server."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.constants import PROCESS_TAG
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.resources import lake_resources
from cost_lakehouse.orchestration.runner import QUIET, AssetOutcome, failure_of


class AssetRuns:
    """Assets and their jobs, put together once for any number of runs. Nothing of the bills is needed."""

    def __init__(
        self,
        settings: Settings,
        instance: dg.DagsterInstance,
        assets: Sequence[dg.AssetsDefinition],
        jobs: Sequence[dg.UnresolvedAssetJobDefinition],
    ) -> None:
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        self._instance = instance
        self._definitions = dg.Definitions(
            assets=assets, jobs=jobs, resources=lake_resources(settings), executor=dg.in_process_executor
        )

    def run(
        self, job: str, chosen: Sequence[dg.AssetKey], tags: Mapping[str, str], config: Mapping[str, Any] | None = None
    ) -> AssetOutcome:
        """Materialize these assets in one run; ``config`` is the run's. Silent: dbt's output goes through this stdout."""
        with redirect_stdout(io.StringIO()):
            result = self._definitions.resolve_job_def(job).execute_in_process(
                instance=self._instance,
                asset_selection=chosen,
                run_config={**QUIET, **(config or {})},
                tags={**tags, PROCESS_TAG: process_label(self._instance)},
                raise_on_error=False,
            )
        facts = {
            name: item.value
            for event in result.all_events
            if event.is_step_materialization
            for name, item in event.materialization.metadata.items()
        }
        return AssetOutcome(result.success, facts, *failure_of(result))
