"""Dagster's records in SQLite files, through connections that stay open.

Dagster opens a file anew for every event, and closes it: SQLite then moves its log into the file each time, and forces both to
the disk. A run of one small delivery has some 150 events. Kept open, an event costs one commit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine

from cost_lakehouse.orchestration.dagster_internals import DagsterSqliteStorage, SqliteEventLogStorage, SqliteRunStorage

# A run has a file of events of its own; those that were used last stay open.
_OPEN_FILES = 8
_BUSY_SECONDS = 60


def keep_open(storage: DagsterSqliteStorage) -> DagsterSqliteStorage:
    """Let the records of runs and of events be reached through open connections, which its ``dispose`` closes."""
    events, runs, opened = storage.event_log_storage, storage.run_storage, _OpenFiles()
    if not isinstance(events, SqliteEventLogStorage) or not isinstance(runs, SqliteRunStorage):
        return storage
    first_of_run, first_of_index, first_of_runs = events.run_connection, events.index_connection, runs.connect
    end, wipe_events = events.dispose, events.wipe
    lock = threading.Lock()  # as Dagster has one around these files
    runs_file = ""

    @contextmanager
    def run_connection(run_id: str | None = None) -> Iterator[Connection]:
        address = events.conn_string_for_shard(str(run_id))
        with lock:
            if address not in opened:
                with first_of_run(run_id):  # makes its tables where there are none
                    pass
            with opened.connection(address) as connection:
                yield connection

    @contextmanager
    def index_connection() -> Iterator[Connection]:
        address = events.conn_string_for_shard("index")
        with lock:
            if address not in opened:
                with first_of_index():
                    pass
            with opened.connection(address) as connection:
                yield connection

    @contextmanager
    def connect() -> Iterator[Connection]:
        nonlocal runs_file
        if not runs_file:
            with first_of_runs() as connection:
                runs_file = str(connection.engine.url)
        with opened.connection(runs_file) as connection:
            yield connection

    def dispose() -> None:
        opened.close()
        end()

    def wipe() -> None:  # it removes files of runs
        opened.close()
        wipe_events()

    events.run_connection, events.index_connection = run_connection, index_connection  # type: ignore[method-assign]
    runs.connect, events.dispose, events.wipe = connect, dispose, wipe  # type: ignore[method-assign]
    return storage


class _OpenFiles:
    """Engines by address, each with one connection that stays open, and more while several threads need one."""

    def __init__(self) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, address: str) -> bool:
        return address in self._engines

    @contextmanager
    def connection(self, address: str) -> Iterator[Connection]:
        """A connection in a transaction, which is committed at the end."""
        with self._lock:
            engine = self._engines.pop(address, None)
            if engine is None:
                engine = create_engine(
                    address,
                    pool_size=1,
                    max_overflow=-1,
                    connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
                )
            self._engines[address] = engine
            unused = [self._engines.pop(name) for name in list(self._engines)[:-_OPEN_FILES]]
        for other in unused:
            other.dispose()
        with engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close what nobody uses."""
        with self._lock:
            engines = list(self._engines.values())
            self._engines.clear()
        for engine in engines:
            engine.dispose()
