"""What this project takes from Dagster that Dagster does not export; nothing else imports ``dagster._…``.

Why there is no public way:

- Storage, artifacts and logs of an instance are plug-ins that a dagster.yaml names. Their base classes, and the classes that
  keep them in files, are documented in dagster.yaml alone and live in ``dagster._core``.
- An instance of a folder with overrides (the command's: no logs of what it prints) is made by ``InstanceRef``;
  ``DagsterInstance.get`` takes none.
- A run that waits for a concurrency pool asks again after a pause, as it should, and computes that pause as no time at all
  (1.13.27: the least of 0 and the time that is left): it kept a core busy as long as it waited. Nothing public lies between.
- The status of a sensor and of its ticks, by which alerts notice one that fails again and again, has no exported name.
"""

from __future__ import annotations

import time

from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.instance.ref import InstanceRef
from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.compute_log_manager import ComputeLogManager
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData

__all__ = [
    "ComputeLogManager",
    "ConfigurableClass",
    "ConfigurableClassData",
    "DagsterSqliteStorage",
    "DagsterStorage",
    "EventLogStorage",
    "InstanceConcurrencyContext",
    "InstanceRef",
    "InstigatorStatus",
    "LocalArtifactStorage",
    "LocalComputeLogManager",
    "NoOpComputeLogManager",
    "SqliteEventLogStorage",
    "SqliteRunStorage",
    "TickStatus",
]


def _until_the_next_claim(context: InstanceConcurrencyContext) -> float:
    """Seconds until a waiting run asks for its pool again."""
    due = context._pending_timeouts.values()
    return max(0.0, min(due) - time.time()) if due else 0.0


InstanceConcurrencyContext.interval_to_next_pending_claim_check = _until_the_next_claim  # type: ignore[assignment]
