"""Where the alerts' memory is kept: in Dagster's own storage, which every process of the lakehouse shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

import dagster as dg
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from cost_lakehouse.alerts.memory import Memory, dumped, loaded
from cost_lakehouse.config import Settings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.locks import FileLocks, PostgresLocks
from cost_lakehouse.orchestration.dagster_database import engine_arguments

MEMORY_KEY = "cost_lakehouse/alerts"
LOCK = "alerts"


def recall(instance: dg.DagsterInstance, now: datetime) -> Memory:
    """What is remembered; of ``now`` on where nothing is yet."""
    return loaded(instance.run_storage.get_cursor_values({MEMORY_KEY}).get(MEMORY_KEY), now)


def remember(instance: dg.DagsterInstance, memory: Memory) -> None:
    """Keep it: one row, replaced at once."""
    instance.run_storage.set_cursor_values({MEMORY_KEY: dumped(memory)})


class AlertingElsewhere(LakeError):
    """Another process looks and tells just now."""


@contextmanager
def alone(settings: Settings, instance: dg.DagsterInstance, wait_seconds: float) -> Iterator[None]:
    """Keep other processes from looking meanwhile, so that nothing is told twice and nothing forgotten.

    Raises AlertingElsewhere where another one takes longer.
    """
    database = getattr(instance.run_storage, "postgres_url", None)
    locks: FileLocks | PostgresLocks
    if database:
        locks = PostgresLocks(create_engine(**engine_arguments(make_url(database))))
    else:
        locks = FileLocks(settings.dagster_home / "locks")
    with ExitStack() as held:
        try:
            held.enter_context(locks.hold(LOCK, "Alerting", wait_seconds))
        except LakeError as error:
            raise AlertingElsewhere(error.problem, error.fix) from None
        yield
