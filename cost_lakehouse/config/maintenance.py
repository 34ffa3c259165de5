"""What lake maintenance may remove, and when: ``lake.maintenance``."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from cost_lakehouse.config.yaml_file import Strict


class MaintenanceSettings(Strict):
    """The rules of lake maintenance. The current bill, and what proves it, never goes."""

    schedule: str | None = "30 3 * * *"  # cron text in UTC; off: only by hand
    keep_days: int = Field(default=30, ge=0)  # what the lake showed at any moment of these days stays readable
    keep_deliveries: int = Field(default=3, ge=1)  # and so do this many newest deliveries of every source and month
    keep_month_ends: int = Field(default=13, ge=0)  # and what the lake showed when each of this many last months ended
    keep_invoiced: int = Field(default=13, ge=0)  # and the state at which each of this many last months was first invoiced
    orphan_safety_hours: int = Field(default=72, ge=1)  # a younger file may be one that is just being written
    small_file_mb: int = Field(default=32, ge=1)  # smaller files of a slice are merged
    target_file_mb: int = Field(default=128, ge=1)  # into files of at most this size

    @field_validator("schedule", mode="before")
    @classmethod
    def _off_is_said_plainly(cls, value: Any) -> Any:
        """YAML reads ``off`` as false."""
        return None if value is False or value == "off" else value

    @model_validator(mode="after")
    def _small_is_smaller(self) -> MaintenanceSettings:
        if self.small_file_mb > self.target_file_mb:
            raise ValueError("small_file_mb must not be larger than target_file_mb")
        return self
