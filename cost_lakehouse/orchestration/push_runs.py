"""Pushes in this process, each target in a Dagster run of its own."""

from __future__ import annotations

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.asset_runs import AssetRuns
from cost_lakehouse.orchestration.assets.pushes import push_assets, push_jobs, push_key, push_op, push_tags
from cost_lakehouse.orchestration.constants import PUSH_JOB
from cost_lakehouse.orchestration.runner import COMMAND, AssetOutcome


class PushRuns:
    """The push targets."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        assets = push_assets(settings)
        self._runs = AssetRuns(settings, instance, assets, push_jobs(assets))

    def push(self, name: str, again: bool = False) -> AssetOutcome:
        """Send what changed to one target; with ``again`` everything. ``facts`` are empty where it failed."""
        config = {"ops": {push_op(name): {"config": {"again": again}}}}
        return self._runs.run(PUSH_JOB, [push_key(name)], push_tags(name, COMMAND), config)
