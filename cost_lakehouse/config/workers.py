"""Who reads a large delivery: ``lake.workers``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cost_lakehouse.config.yaml_file import Strict


class WorkerSettings(Strict):
    """A month of at least ``min_gb`` (10^9 delivered bytes) is read by ``count`` workers, each some of its files.

    They are processes of the same machine, or Dagster runs, which its launcher starts where it starts all runs.
    """

    count: int = Field(default=1, ge=1, le=100)  # 1: the load reads everything itself, with all cores
    launch: Literal["processes", "runs"] = "processes"
    min_gb: float = Field(default=5.0, ge=0)

    @property
    def min_bytes(self) -> int:
        """The least delivery that is shared out, in bytes."""
        return int(self.min_gb * 1e9)
