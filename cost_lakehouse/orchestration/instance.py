"""The Dagster instance that the command and ``dagster dev`` share: its place, its rules, and what killed runs leave."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

from cost_lakehouse.orchestration.tags import PROCESS_TAG
from cost_lakehouse.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, Settings

INSTANCE_FILE = "dagster.yaml"
# The same rules as the project's own dagster.yaml; that one adds where the files are (a test compares the two).
INSTANCE_RULES = """\
# Written by cost-lakehouse on first use; it is yours to change.
telemetry:
  enabled: false
nux:
  # No newsletter dialog over the first page.
  enabled: false
concurrency:
  pools:
    # Everything that names a pool has one writer: a source's line items, and the summaries.
    default_limit: 1
  runs:
    max_concurrent_runs: 4
run_retries:
  # Only for crashed processes: what a load does about its own failures is decided in the load and by the sensors.
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 60
"""


def home_of_this_configuration() -> Path:
    """The instance's folder: ``DAGSTER_HOME``, by default ``.dagster/`` beside the configuration file.

    The configuration is not read, so that Dagster starts, and can show what is wrong with it.
    """
    given = os.environ.get("DAGSTER_HOME")
    if given:
        return Path(given).expanduser().resolve()
    return Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG).expanduser().resolve().parent / ".dagster"


class SharedSqliteStorage(DagsterSqliteStorage):
    """Runs, events and schedules in the shared home. ``dagster dev`` without ``DAGSTER_HOME`` would forget them at its end."""

    @classmethod
    def config_type(cls) -> Any:
        """Nothing to configure: the home is found as the command finds it."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> SharedSqliteStorage:
        """Open, and on first use create, the storage."""
        return cls.from_local(base_dir=str(home_of_this_configuration()), inst_data=inst_data)


class SharedArtifactStorage(LocalArtifactStorage):
    """Run artifacts in the shared home."""

    @classmethod
    def config_type(cls) -> Any:
        """Nothing to configure."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> SharedArtifactStorage:
        """The artifacts' place in the home."""
        return cls(base_dir=str(home_of_this_configuration()), inst_data=inst_data)


class SharedComputeLogs(LocalComputeLogManager):
    """What runs print, in the shared home."""

    @classmethod
    def config_type(cls) -> Any:
        """Nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> SharedComputeLogs:
        """The logs' place in the home."""
        return cls(base_dir=str(home_of_this_configuration() / "storage"), inst_data=inst_data)


@contextmanager
def command_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The shared instance as the command uses it: its runs are recorded, its terminal stays its own.

    Dagster copies a run's output to files through further processes; the command's runs log their events only.
    """
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    rules = home / INSTANCE_FILE
    if not rules.exists():
        rules.write_text(INSTANCE_RULES, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home)
    no_output_files = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides={"compute_logs": no_output_files})) as instance:
        yield instance


def process_label() -> str:
    """This process, so that another one on this machine can tell whether it is still alive."""
    return f"{socket.gethostname()}|{os.getpid()}|{_started_at(os.getpid())}"


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs whose process is gone (killed, machine restarted) as failed and free what they held; the ended runs' ids.

    Without this a killed run would stay "started" and keep its pool's only slot for ever.
    """
    ended = []
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(unfinished):
        label = run.tags.get(PROCESS_TAG)
        if label is None or not _is_gone(label):
            continue
        instance.report_run_failed(
            run, message="The process of this run ended without a word (killed, or the machine stopped)."
        )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended


def _is_gone(label: str) -> bool:
    """Whether a labelled process of this machine no longer lives; of another machine nothing is known."""
    host, _, rest = label.partition("|")
    pid, _, started = rest.partition("|")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    return not _exists(int(pid)) or started != _started_at(int(pid))


def _exists(pid: int) -> bool:
    """Whether a process of that number lives, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started_at(pid: int) -> str:
    """When a process started, in ticks since boot (Linux), so that a reused number is noticed; empty elsewhere."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
