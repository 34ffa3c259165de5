"""Signs of life that every machine sees: an advisory lock in Dagster's PostgreSQL, held by a process as long as it lives."""

from __future__ import annotations

import os
from hashlib import blake2b
from threading import Event, Lock, Thread

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from cost_lakehouse.orchestration.dagster_database import engine_arguments

# How often a process looks whether its sign is still there. A restart of the database takes all signs away at once.
RENEWAL_SECONDS = 15.0
# A server notices within this time that a machine is gone without a word, and takes its sign away.
_KEEPALIVES = "-ctcp_keepalives_idle=30 -ctcp_keepalives_interval=10 -ctcp_keepalives_count=3"
_APPLICATION = "cost-lakehouse sign of life"


class SignOfLife:
    """One process's sign in one database; ``end`` takes it away, and so does the end of the process.

    Where the database cannot be reached, the sign is given as soon as it can.
    """

    def __init__(self, url: URL, label: str) -> None:
        self._url = url.update_query_dict({"options": _KEEPALIVES, "application_name": _APPLICATION})
        self._key = _key(label)
        self._connection: Connection | None = None
        self._ended = Event()
        self._guard = Lock()
        self._ensure()
        Thread(target=self._renew, name=_APPLICATION, daemon=True).start()

    def end(self) -> None:
        """Take the sign away."""
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
                # Not had while the server has not noticed that the last connection is gone: until then that one is the sign.
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


class SignsOfLife:
    """The signs of this process: one a database of Dagster's that it has opened, by address."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._signs: dict[str, SignOfLife | None] = {}

    def expect(self, url: str) -> None:
        """From now on ``give`` says it in that database too."""
        self._forget_parents()
        self._signs.setdefault(url, None)

    def give(self, label: str) -> bool:
        """Say, in every database that was opened, that this process lives; whether there is one."""
        self._forget_parents()
        for url, sign in self._signs.items():
            if sign is None:
                self._signs[url] = SignOfLife(make_url(url), label)
        return bool(self._signs)

    def end(self) -> None:
        """Take everything back, and expect nothing more."""
        for sign in self._signs.values():
            if sign is not None:
                sign.end()
        self._signs = {}

    def _forget_parents(self) -> None:
        """A forked process is another one: its parent's connections are not its own."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._signs = dict.fromkeys(self._signs)


def lives(url: str, label: str) -> bool:
    """Whether a process of that label, on whatever machine, gives a sign of life now. Raises DBAPIError."""
    held = text(
        "select count(*) from pg_locks where locktype = 'advisory' and granted and objsubid = 1 "
        "and database = (select oid from pg_database where datname = current_database()) "
        "and ((classid::bigint << 32) | objid::bigint) = :key"
    )
    with create_engine(**engine_arguments(make_url(url))).connect() as connection:
        return bool(connection.execute(held, {"key": _key(label)}).scalar())


def _key(label: str) -> int:
    return int.from_bytes(blake2b(f"cost-lakehouse process {label}".encode(), digest_size=8).digest(), "big", signed=True)
