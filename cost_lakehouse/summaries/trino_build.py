"""A build's own schema in Trino: what is built and tested there is seen by nobody until it is published."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import select_statement
from cost_lakehouse.lake.trino_client import execute, rows, trino_settings

_BUILD_SCHEMA = re.compile(r"build_\d{8}t\d{6}_[0-9a-f]{8}")
_FOLDER = "builds"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrinoBuild:
    """A build by Trino, in a schema of its own. Its tables are read from the files that Trino wrote."""

    lake: Lake
    schema: str

    @property
    def label(self) -> str:
        """The schema."""
        return f"schema {self.schema} of Trino"

    def is_there(self) -> bool:
        """Whether the schema holds a table."""
        return bool(self._tables())

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """An in-memory DuckDB with a view for each built table, named by its layer. Raises LakeError."""
        with duckdb.connect(":memory:") as connection:
            connection.execute("set timezone = 'UTC'")
            self.lake.warehouse.let_duckdb_read(connection)
            for layer in ("intermediate", "marts"):
                connection.execute(f"create schema {layer}")
            for name in self._tables():
                layer = "intermediate" if name.startswith("int_") else "marts"
                select = select_statement(self.lake.current(f"{self.schema}.{name}"))
                connection.execute(f'create view {layer}."{name}" as {select}')
            yield connection

    def _tables(self) -> list[str]:
        """The tables of the build; views are not among them: only Trino can read those."""
        found = rows(
            self.lake.settings,
            "select table_name from information_schema.tables where table_schema = ? and table_type = 'BASE TABLE'",
            [self.schema],
        )
        return sorted(name for (name,) in found)


@contextmanager
def build_schema(lake: Lake) -> Iterator[str]:
    """A new schema for one build, dropped at its end; what killed builds left is dropped first.

    Raises LakeError where Trino cannot be used.
    """
    drop_dead_builds(lake)
    schema = f"build_{datetime.now(UTC):%Y%m%dt%H%M%S}_{secrets.token_hex(4)}"
    with lake.lock(_lock_name(schema), f"The build in {schema}"):
        location = f"{lake.warehouse.location}/{_folder(schema)}"
        execute(lake.settings, f"create schema {_named(lake, schema)} with (location = '{location}')")
        try:
            yield schema
        finally:
            try:
                _drop(lake, schema)
            except LakeError as error:
                # The build itself is not worse for it, and the next one drops what is left.
                _log.warning("%s could not be dropped: %s", schema, error)


def drop_dead_builds(lake: Lake) -> list[str]:
    """Drop the schemas of builds that no process works on any more, and return them. Raises LakeError."""
    dropped = []
    for (schema,) in rows(lake.settings, f"show schemas from {trino_settings(lake.settings).catalog} like 'build%'"):
        if not _BUILD_SCHEMA.fullmatch(schema):
            continue
        try:
            with lake.lock(_lock_name(schema), f"The build in {schema}"):
                _drop(lake, schema)
        except LakeError as error:
            _log.info("%s stays: %s", schema, error)
            continue
        dropped.append(schema)
    return dropped


def _drop(lake: Lake, schema: str) -> None:
    execute(lake.settings, f"drop schema if exists {_named(lake, schema)} cascade")
    # Files of statements that were cut off belong to no table.
    lake.warehouse.delete([entry.location for entry in lake.warehouse.list(_folder(schema))])


def _named(lake: Lake, schema: str) -> str:
    return f"{trino_settings(lake.settings).catalog}.{schema}"


def _folder(schema: str) -> str:
    return f"{_FOLDER}/{schema}"


def _lock_name(schema: str) -> str:
    return f"build-{schema}"
