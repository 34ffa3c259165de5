"""The Dagster instance that the command and ``dagster dev`` share: its place, its rules, and what killed runs leave."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from filelock import FileLock

from cost_lakehouse.config import CONFIG_VARIABLE, DEFAULT_CONFIG, Settings
from cost_lakehouse.orchestration.constants import PROCESS_TAG
from cost_lakehouse.orchestration.dagster_database import dagster_database, open_storage
from cost_lakehouse.orchestration.dagster_internals import (
    ComputeLogManager,
    ConfigurableClass,
    ConfigurableClassData,
    DagsterSqliteStorage,
    DagsterStorage,
    InstanceRef,
    LocalArtifactStorage,
    LocalComputeLogManager,
    NoOpComputeLogManager,
)
from cost_lakehouse.orchestration.instance_errors import explained_home, explained_records, explained_rules
from cost_lakehouse.orchestration.liveness import ProcessLocks, database_of, forget, lives_elsewhere, lives_here
from cost_lakehouse.orchestration.open_records import keep_open
from cost_lakehouse.orchestration.plain_paths import plain_path
from cost_lakehouse.orchestration.run_logs import logs_in_s3

INSTANCE_FILE = "dagster.yaml"
_MODULE = "cost_lakehouse.orchestration.instance"
# The same as the project's own dagster.yaml (a test compares the two).
INSTANCE_RULES = """\
# Written by cost-lakehouse on first use; it is yours to change.
storage:
  # Where the Iceberg catalog is PostgreSQL, in a schema `dagster` of its database; else files beside lakehouse.yaml.
  custom:
    module: cost_lakehouse.orchestration.instance
    class: SharedStorage
    config: {}
local_artifact_storage:
  module: cost_lakehouse.orchestration.instance
  class: SharedArtifactStorage
  config: {}
compute_logs:
  module: cost_lakehouse.orchestration.instance
  class: SharedComputeLogs
  config: {}
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
# How long a run's process on another machine must have been silent before the run counts as dead: long enough for it to
# take its lock again several times after the database was restarted.
SILENCE_SECONDS = 90
_LOCKS_FOLDER = "locks"
SILENT_TAG = ".dagster/cost_lakehouse.silent_since"
_LOCKS = ProcessLocks()


def home_of_this_configuration() -> Path:
    """The instance's folder: ``DAGSTER_HOME``, by default ``.dagster/`` beside the configuration file.

    The configuration is not read, so that Dagster starts, and can show what is wrong with it.
    """
    given = os.environ.get("DAGSTER_HOME")
    if given:
        return Path(given).expanduser().resolve()
    return configuration_file().parent / ".dagster"


def configuration_file() -> Path:
    """The lakehouse.yaml of this process, whether or not it is there."""
    return Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG).expanduser().resolve()


class SharedStorage(DagsterStorage, ConfigurableClass):
    """Runs, events and schedules: in PostgreSQL where the catalog is, else in the shared home.

    It is never made itself: it stands in a dagster.yaml, which holds no password, and what it stands for is opened.
    """

    @classmethod
    def config_type(cls) -> Any:
        """``configuration``: the path of a lakehouse.yaml, where it is not the one that the command would find."""
        return {"configuration": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(  # type: ignore[override]  # one of two others
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DagsterStorage:
        """Open, and on first use create, the storage.

        Raises LakeError where PostgreSQL cannot be used, ConfigurationError where COST_LAKEHOUSE_DAGSTER_DB is wrong or
        the home cannot be written.
        """
        given = config_value.get("configuration")
        database = dagster_database(Path(given) if given else configuration_file())
        if database is None:
            home = home_of_this_configuration()
            # Of two processes that are the first ever one makes the tables, and the other must not do so meanwhile.
            with _making_records(home):
                return keep_open(DagsterSqliteStorage.from_local(base_dir=str(plain_path(home)), inst_data=inst_data))
        return open_storage(database, inst_data)


@contextmanager
def _making_records(home: Path) -> Iterator[None]:
    """No other process opens the records of that home meanwhile. Raises ConfigurationError where it cannot be written."""
    with explained_home(home):
        folder = home / _LOCKS_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "records.lock")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


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
    """What runs print: in S3 where ``COST_LAKEHOUSE_LOGS`` names a place there, else in the shared home."""

    @classmethod
    def config_type(cls) -> Any:
        """Nothing to configure."""
        return {}

    @classmethod
    def from_config_value(  # type: ignore[override]  # or dagster-aws's, in S3
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> ComputeLogManager:
        """The logs' place. Raises ConfigurationError where the variable holds no place in S3."""
        home = home_of_this_configuration()
        return logs_in_s3(home, inst_data) or cls(base_dir=str(home / "storage"), inst_data=inst_data)


@contextmanager
def command_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The shared instance as the command uses it: its runs are recorded, its terminal stays its own.

    Dagster copies a run's output to files through further processes; the command's runs log their events only. Raises
    ConfigurationError where the home or its dagster.yaml cannot be used, LakeError where Dagster's records cannot.
    """
    home = settings.dagster_home
    with explained_home(home):
        home.mkdir(parents=True, exist_ok=True)
        rules = home / INSTANCE_FILE
        if not rules.exists():
            rules.write_text(INSTANCE_RULES, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        with ExitStack() as opened:
            with explained_rules(rules), explained_records(home):
                overrides = {
                    **_storage_of(rules, settings),
                    "compute_logs": {
                        "module": NoOpComputeLogManager.__module__,
                        "class": NoOpComputeLogManager.__name__,
                    },
                }
                made = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))
                instance = opened.enter_context(made)
            with explained_records(home):
                yield instance
    finally:
        _LOCKS.release()


def _storage_of(rules: Path, settings: Settings) -> dict[str, Any]:
    """The storage of this configuration, which need not be the environment's; nothing where the user chose another."""
    chosen = yaml.safe_load(rules.read_text(encoding="utf-8")) or {}
    ours = {"custom": {"module": _MODULE, "class": SharedStorage.__name__, "config": {"configuration": str(settings.file)}}}
    theirs = chosen.get("storage") or {}
    is_ours = not theirs or theirs.get("custom", {}).get("class") == SharedStorage.__name__
    of_old = {"run_storage", "event_log_storage", "schedule_storage"} & set(chosen)
    return {"storage": ours} if is_ours and not of_old else {}


def process_label(instance: dg.DagsterInstance) -> str:
    """This process, so that any other one can tell whether it is still alive: from now on it holds a lock of that label.

    Raises OSError where the instance's folder cannot be written.
    """
    return _LOCKS.hold(instance)


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs whose process is gone (killed, machine restarted) as failed and free what they held; the ended runs' ids.

    Without this a killed run would stay "started" and keep its pool's only slot for ever.
    """
    ended = []
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(unfinished):
        label = run.tags.get(PROCESS_TAG)
        if label is None or _is_of_parent(instance, run, label) or not _is_gone(instance, run, label):
            continue
        instance.report_run_failed(
            run, message="The process of this run ended without a word (killed, or the machine stopped)."
        )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        forget(instance, label)
        ended.append(run.run_id)
    return ended


def _is_of_parent(instance: dg.DagsterInstance, run: dg.DagsterRun, label: str) -> bool:
    """Whether a label came with the tags of the run that this one repeats: its own process has not said yet who it is.

    Dagster gives a retry the tags of the run that was killed. Where it dies before it says so, Dagster's own monitoring of
    runs that do not start ends it.
    """
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return parent is not None and parent.tags.get(PROCESS_TAG) == label


def _is_gone(instance: dg.DagsterInstance, run: dg.DagsterRun, label: str) -> bool:
    """Whether a labelled process no longer holds its lock."""
    here = lives_here(instance, label)
    database = database_of(instance)
    if here or database is None:
        return not here
    elsewhere = lives_elsewhere(database, label)
    # Its lock file is here and nobody holds it: gone. Else it is another machine's, of which only the database knows.
    return not elsewhere if here is False else _is_silent(instance, run, elsewhere)


def _is_silent(instance: dg.DagsterInstance, run: dg.DagsterRun, lives: bool) -> bool:
    """Whether a process has been seen without its lock twice, long enough apart; what was seen is kept on the run."""
    since = run.tags.get(SILENT_TAG)
    now = time.time()
    if lives:
        if since:
            instance.add_run_tags(run.run_id, {SILENT_TAG: ""})
        return False
    if not since:
        instance.add_run_tags(run.run_id, {SILENT_TAG: str(int(now))})
        return False
    return now - float(since) >= SILENCE_SECONDS
