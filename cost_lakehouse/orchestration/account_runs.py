"""Reads organisations and builds the account names in this process, each as a Dagster run of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.assets.accounts import (
    ACCOUNT_NAMES_KEY,
    account_assets,
    account_jobs,
    account_tags,
    organization_key,
)
from cost_lakehouse.orchestration.constants import ACCOUNTS_JOB, PROCESS_TAG, TRIGGER_TAG
from cost_lakehouse.orchestration.instance import process_label
from cost_lakehouse.orchestration.runner import COMMAND, QUIET, failure_of


@dataclass(frozen=True)
class AccountsOutcome:
    """How one run ended; ``facts`` are what its asset says of itself, none where it failed."""

    ok: bool
    facts: Mapping[str, Any]
    problem: str = ""
    fix: str = ""


class AccountRuns:
    """The assets of account names, put together once for any number of runs. Nothing of the bills is needed."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        self._instance = instance
        assets = account_assets(settings)
        self._definitions = dg.Definitions(assets=assets, jobs=account_jobs(assets), executor=dg.in_process_executor)

    def read(self, name: str) -> AccountsOutcome:
        """Read the accounts of one organisation."""
        return self._run([organization_key(name)], account_tags(name, COMMAND))

    def build_names(self) -> AccountsOutcome:
        """Make the names of what is on record."""
        return self._run([ACCOUNT_NAMES_KEY], {TRIGGER_TAG: COMMAND})

    def _run(self, chosen: Sequence[dg.AssetKey], tags: Mapping[str, str]) -> AccountsOutcome:
        result = self._definitions.resolve_job_def(ACCOUNTS_JOB).execute_in_process(
            instance=self._instance,
            asset_selection=chosen,
            run_config=QUIET,
            tags={**tags, PROCESS_TAG: process_label(self._instance)},
            raise_on_error=False,
        )
        facts = {
            name: item.value
            for event in result.all_events
            if event.is_step_materialization
            for name, item in event.materialization.metadata.items()
        }
        return AccountsOutcome(result.success, facts, *failure_of(result))
