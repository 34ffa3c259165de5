"""The loading half of the code location for tests: ticks of the sensor, and the runs that they ask for."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.orchestration.assets.line_items import line_item_assets
from cost_lakehouse.orchestration.constants import LOAD_JOB, line_items_key
from cost_lakehouse.orchestration.partitions import billing_months
from cost_lakehouse.orchestration.resources import lake_resources
from cost_lakehouse.orchestration.sensors.deliveries import delivery_sensor

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Loading:
    """The loading half of the code location, driven as the daemon drives it."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, source: str) -> None:
        months = billing_months(settings)
        assets = line_item_assets(settings, months, retry_policy=None)
        self.key = line_items_key(source)
        self.now = 0.0
        self.sensor = delivery_sensor(settings, months, clock=lambda: self.now)
        job = dg.define_asset_job(LOAD_JOB, selection=dg.AssetSelection.assets(*assets))
        self.defs = dg.Definitions(assets=assets, jobs=[job], sensors=[self.sensor], resources=lake_resources(settings))
        self.instance = instance

    def tick(self) -> list[dg.RunRequest]:
        """One tick of the sensor, an hour after the last; its requests."""
        self.now += 3600
        result = self.sensor(dg.build_sensor_context(instance=self.instance, definitions=self.defs))
        assert isinstance(result, dg.SensorResult)
        return list(result.run_requests or [])

    def run(self, requests: Sequence[dg.RunRequest]) -> list[dg.ExecuteInProcessResult]:
        """Run what was asked for, as the daemon would."""
        return [self.execute(dict(run_request.tags), dict(run_request.run_config)) for run_request in requests]

    def execute(
        self, tags: dict[str, str], config: dict[str, object] | None = None, month: str | None = None
    ) -> dg.ExecuteInProcessResult:
        """One run of the source's asset."""
        return self.defs.resolve_job_def(LOAD_JOB).execute_in_process(
            instance=self.instance,
            asset_selection=[self.key],
            tags=tags,
            partition_key=month,
            run_config={**QUIET, **(config or {})},
            raise_on_error=False,
        )
