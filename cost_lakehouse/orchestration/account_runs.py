"""Reads organisations and builds the account names in this process, each as a Dagster run of its own."""

from __future__ import annotations

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.asset_runs import AssetRuns
from cost_lakehouse.orchestration.assets.accounts import (
    ACCOUNT_NAMES_KEY,
    account_assets,
    account_jobs,
    account_tags,
    organization_key,
)
from cost_lakehouse.orchestration.constants import ACCOUNTS_JOB, TRIGGER_TAG
from cost_lakehouse.orchestration.runner import COMMAND, AssetOutcome


class AccountRuns:
    """The assets of account names. ``facts`` of an outcome are empty where it failed."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        assets = account_assets(settings)
        self._runs = AssetRuns(settings, instance, assets, account_jobs(assets))

    def read(self, name: str) -> AssetOutcome:
        """Read the accounts of one organisation."""
        return self._runs.run(ACCOUNTS_JOB, [organization_key(name)], account_tags(name, COMMAND))

    def build_names(self) -> AssetOutcome:
        """Make the names of what is on record."""
        return self._runs.run(ACCOUNTS_JOB, [ACCOUNT_NAMES_KEY], {TRIGGER_TAG: COMMAND})
