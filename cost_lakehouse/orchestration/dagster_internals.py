"""What this project takes from Dagster that Dagster does not export; nothing else imports ``dagster._…``.

Why there is no public way:

- Storage, artifacts and logs of an instance are plug-ins that a dagster.yaml names. Their base classes, and the classes that
  keep them in files, are documented in dagster.yaml alone and live in ``dagster._core``.
- An instance of a folder with overrides (the command's: no logs of what it prints) is made by ``InstanceRef``;
  ``DagsterInstance.get`` takes none.
- The status of a sensor and of its ticks, by which alerts notice one that fails again and again, has no exported name.
"""

from __future__ import annotations

from dagster._core.instance.ref import InstanceRef
from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.compute_log_manager import ComputeLogManager
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData

__all__ = [
    "ComputeLogManager",
    "ConfigurableClass",
    "ConfigurableClassData",
    "DagsterSqliteStorage",
    "DagsterStorage",
    "EventLogStorage",
    "InstanceRef",
    "InstigatorStatus",
    "LocalArtifactStorage",
    "LocalComputeLogManager",
    "NoOpComputeLogManager",
    "TickStatus",
]
