"""How often sources are asked for new deliveries: ``polling``."""

from __future__ import annotations

from pydantic import Field

from cost_lakehouse.config.yaml_file import Strict


class PollingSettings(Strict):
    """The pace of the sensor ``deliveries``; the schedule and the command ask every source whenever they run."""

    interval_seconds: int = Field(default=20, ge=5, le=86_400)  # from one tick to the next
    sources_per_tick: int = Field(default=8, ge=1)  # the others follow in the next ticks
    # Where a request costs money (AWS's S3), older months than the last one are looked at this often only, and so is Athena.
    full_interval_seconds: int = Field(default=300, ge=5, le=86_400)
