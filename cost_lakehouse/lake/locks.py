"""Locks that every process of one lake shares; a killed holder's lock is free at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from cost_lakehouse.errors import LakeError

_POLL_SECONDS = 0.5
_QUIET_SECONDS = 2.0  # so long a wait is nothing to speak of
_LOG = logging.getLogger(__name__)


class Lock(Protocol):
    """A lock that is held."""

    def ensure_held(self) -> None:
        """Raises LakeError where the lock was lost, as when the database was restarted meanwhile."""
        ...


class Locks(Protocol):
    """The locks of one lake, by name."""

    def hold(self, name: str, what: str, wait_seconds: float) -> Iterator[Lock]:
        """Hold a lock; for ``contextmanager``. Raises LakeError where another process holds it longer."""
        ...


class FileLocks:
    """Lock files in a folder, for processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, name: str, what: str, wait_seconds: float) -> Iterator[Lock]:
        """Hold the lock file of that name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._folder / f"{name}.lock")
        try:
            _acquire(lock, what, wait_seconds)
        except Timeout:
            raise _busy(what) from None
        try:
            yield _HeldByFile()
        finally:
            lock.release()


def _acquire(lock: FileLock, what: str, wait_seconds: float) -> None:
    """Raises Timeout where another process holds the lock longer."""
    try:
        lock.acquire(timeout=min(wait_seconds, _QUIET_SECONDS))
    except Timeout:
        if wait_seconds <= _QUIET_SECONDS:
            raise
        _log_wait(what)
        lock.acquire(timeout=wait_seconds - _QUIET_SECONDS)


def _log_wait(what: str) -> None:
    """On stderr where nothing else is set up for logs: whoever waits is to know for what."""
    _LOG.warning("Waiting: %s is being worked on by another process.", what)


class _HeldByFile:
    """The operating system takes a lock file from nobody who lives."""

    def ensure_held(self) -> None:
        return None


class PostgresLocks:
    """PostgreSQL's advisory locks: they belong to a connection, so that they end with the process that opened it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def hold(self, name: str, what: str, wait_seconds: float) -> Iterator[Lock]:
        """Hold the advisory lock of that name on a connection of its own."""
        key = advisory_key(name)
        end = time.monotonic() + wait_seconds
        with self._engine.connect() as connection:
            # Autocommit: a lock that waits for hours must not hold a transaction open.
            connection.execution_options(isolation_level="AUTOCOMMIT")
            is_logged = False
            while not connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": key}).scalar():
                if time.monotonic() >= end:
                    raise _busy(what)
                if not is_logged and time.monotonic() >= end - wait_seconds + _QUIET_SECONDS:
                    is_logged = True
                    _log_wait(what)
                time.sleep(_POLL_SECONDS)
            try:
                yield _HeldByConnection(connection, key, what)
            finally:
                _release(connection, key)


class _HeldByConnection:
    def __init__(self, connection: Connection, key: int, what: str) -> None:
        self._connection = connection
        self._key = key
        self._what = what

    def ensure_held(self) -> None:
        held = text(
            "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() "
            "and ((classid::bigint << 32) | objid::bigint) = :key and objsubid = 1"
        )
        try:
            count = self._connection.execute(held, {"key": self._key}).scalar()
        except SQLAlchemyError:
            count = 0
        if not count:
            raise LakeError(
                f"{self._what} was called off: the catalog's database ended the connection that kept others away.",
                "Nothing was committed. Run it again.",
            )


def advisory_key(name: str) -> int:
    """PostgreSQL's number for a lock of that name; the prefix keeps it apart from other programs' in the same database."""
    return int.from_bytes(blake2b(f"cost-lakehouse {name}".encode(), digest_size=8).digest(), "big", signed=True)


def _release(connection: Connection, key: int) -> None:
    """Give the lock back; where the connection is gone, so is the lock."""
    if connection.invalidated:
        return
    try:
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": key})
    except DBAPIError:
        connection.invalidate()


def _busy(what: str) -> LakeError:
    return LakeError(f"{what} is being worked on by another process.", "Wait until it is done, then try again.")
