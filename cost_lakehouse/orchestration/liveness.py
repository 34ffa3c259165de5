"""Which processes live: each that works on runs holds a lock of its own, which the system takes back when it ends.

A lock file beside Dagster's records tells it to every process that sees that folder; where the records are in PostgreSQL, an
advisory lock there tells it to all other machines. Nothing else is asked: no process number, no machine, no clock.
"""

from __future__ import annotations

import os
import socket
import uuid
from hashlib import blake2b
from pathlib import Path
from threading import Event, Lock, Thread

import dagster as dg
from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from cost_lakehouse.lake.locks import advisory_key
from cost_lakehouse.orchestration.dagster_database import engine_arguments

# How often a process makes sure of its lock in the database. A restart of the database takes all locks away at once.
RENEWAL_SECONDS = 15.0
# A server notices within this time that a machine is gone without a word, and takes its lock away.
_KEEPALIVES = "-ctcp_keepalives_idle=30 -ctcp_keepalives_interval=10 -ctcp_keepalives_count=3"
APPLICATION = "cost-lakehouse process lock"
_FOLDER = "processes"


class DatabaseLock:
    """One process's lock in one database; ``release`` gives it back, and so does the end of the process.

    Where the database cannot be reached, the lock is taken as soon as it can.
    """

    def __init__(self, url: URL, label: str) -> None:
        self._url = url.update_query_dict({"options": _KEEPALIVES, "application_name": APPLICATION})
        self._key = _key(label)
        self._connection: Connection | None = None
        self._ended = Event()
        self._guard = Lock()
        self._ensure()
        Thread(target=self._renew, name=APPLICATION, daemon=True).start()

    def release(self) -> None:
        """Give the lock back."""
        self._ended.set()
        with self._guard:
            self._drop()

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL_SECONDS):
            with self._guard:
                if not self._ended.is_set():
                    self._ensure()

    def _ensure(self) -> None:
        try:
            if self._connection is None:
                self._connection = create_engine(**engine_arguments(self._url)).connect()
                # Not had while the server has not noticed that the last connection is gone: until then that one holds it.
                if not self._connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": self._key}).scalar():
                    self._drop()
            else:
                self._connection.execute(text("select 1"))
        except DBAPIError:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


class ProcessLocks:
    """The locks of this process: one for each Dagster instance that it works for."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._begin()

    def hold(self, instance: dg.DagsterInstance) -> str:
        """Hold this process's lock where that instance's records are; the label by which ``lives_here`` and others find it.

        Raises OSError where the instance's folder cannot be written.
        """
        with self._guard:
            if self._process != os.getpid():
                self._begin()  # A forked process is another one: its parent's locks are not its own.
            file = _file(instance, self._label)
            if file not in self._files:
                file.parent.mkdir(parents=True, exist_ok=True)
                lock = FileLock(file, thread_local=False)
                lock.acquire(timeout=0)
                self._files[file] = lock
            url = database_of(instance)
            if url is not None and url not in self._databases:
                self._databases[url] = DatabaseLock(make_url(url), self._label)
            return self._label

    def release(self) -> None:
        """Give all locks back, as the end of the process would; what holds one later goes by another label."""
        with self._guard:
            for file, held in self._files.items():
                file.unlink(missing_ok=True)
                held.release()
            for lock in self._databases.values():
                lock.release()
            self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._label = f"{socket.gethostname()}|{self._process}|{uuid.uuid4().hex}"
        self._files: dict[Path, FileLock] = {}
        self._databases: dict[str, DatabaseLock] = {}


def lives_here(instance: dg.DagsterInstance, label: str) -> bool | None:
    """Whether the process of that label holds its lock file; None where it has none in this instance's folder."""
    file = _file(instance, label)
    if not file.exists():
        return None
    probe = FileLock(file, thread_local=False)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        return True
    probe.release()
    return False


def forget(instance: dg.DagsterInstance, label: str) -> None:
    """Remove the lock file that a dead process left."""
    _file(instance, label).unlink(missing_ok=True)


def lives_elsewhere(url: str, label: str) -> bool:
    """Whether a process of that label, on whatever machine, holds its lock in the database. Raises DBAPIError."""
    held = text(
        "select count(*) from pg_locks where locktype = 'advisory' and granted and objsubid = 1 "
        "and database = (select oid from pg_database where datname = current_database()) "
        "and ((classid::bigint << 32) | objid::bigint) = :key"
    )
    with create_engine(**engine_arguments(make_url(url))).connect() as connection:
        return bool(connection.execute(held, {"key": _key(label)}).scalar())


def database_of(instance: dg.DagsterInstance) -> str | None:
    """The PostgreSQL that has the instance's runs, as an address with password; None where they are files."""
    return getattr(instance.run_storage, "postgres_url", None)


def _file(instance: dg.DagsterInstance, label: str) -> Path:
    digest = blake2b(label.encode(), digest_size=16).hexdigest()
    return Path(instance.root_directory) / _FOLDER / f"{digest}.lock"


def _key(label: str) -> int:
    return advisory_key(f"process {label}")
