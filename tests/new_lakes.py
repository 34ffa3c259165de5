"""A new lake's tables are made once a process, and copied for each other lake in a folder: a fifth of a CPU second each.

A copy is what pyiceberg writes: a metadata file a table, with an id of its own, at its own place and moment, and a row in the
catalog. A lake in S3 or PostgreSQL, one that has any table, and the lakes of other processes are made table by table.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io import load_file_io
from sqlalchemy import text

from cost_lakehouse.lake import catalog
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.warehouse import FolderWarehouse

Row = Mapping[str, Any]
_MAKE = Lake._create_tables
_ROWS = text("select * from iceberg_tables")
_INSERT = text(
    "insert into iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, iceberg_type) "
    "values (:catalog_name, :table_namespace, :table_name, :metadata_location, :iceberg_type)"
)


class _Template:
    """The tables of a lake that has just been made."""

    def __init__(self, lake: Lake) -> None:
        self._rows = _rows(lake.catalog)
        self._warehouse = lake.warehouse.location
        self._documents = [_read(lake.catalog, row["metadata_location"]) for row in self._rows]

    def copy_into(self, lake: Lake) -> None:
        """Give an empty lake the same tables."""
        for namespace in catalog.NAMESPACES:  # while there are none: a table makes its namespace known already
            lake.catalog.create_namespace_if_not_exists(namespace)
        rows = []
        for row, document in zip(self._rows, self._documents, strict=True):
            location = lake.warehouse.location + document["location"].removeprefix(self._warehouse)
            place = f"{location}/metadata/00000-{uuid.uuid4()}.metadata.json"
            own = {"location": location, "table-uuid": str(uuid.uuid4()), "last-updated-ms": time.time_ns() // 1_000_000}
            with load_file_io(dict(lake.catalog.properties), place).new_output(place).create() as stream:
                stream.write(json.dumps(document | own, separators=(",", ":")).encode())
            rows.append({**row, "metadata_location": place})
        with lake.catalog.engine.begin() as connection:
            connection.execute(_INSERT, rows)


@contextmanager
def copied() -> Iterator[None]:
    """Meanwhile new lakes of this process are copies. What creates tables runs after each, and makes what is missing."""
    templates: list[_Template] = []

    def create_tables(lake: Lake) -> None:
        new = lake.settings.lake.is_sqlite and isinstance(lake.warehouse, FolderWarehouse) and not _rows(lake.catalog)
        if new and templates:
            templates[0].copy_into(lake)
            tables = [f"{row['table_namespace']}.{row['table_name']}" for row in templates[0]._rows]
            catalog._UP_TO_DATE.update((lake._place, name) for name in tables)
        _MAKE(lake)
        if new and not templates:
            templates.append(_Template(lake))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lake, "_create_tables", create_tables)
        yield


def _rows(tables: SqlCatalog) -> Sequence[Row]:
    with tables.engine.connect() as connection:
        return [dict(row) for row in connection.execute(_ROWS).mappings()]


def _read(tables: SqlCatalog, location: str) -> dict[str, Any]:
    with load_file_io(dict(tables.properties), location).new_input(location).open() as stream:
        document: dict[str, Any] = json.loads(stream.read())
    return document
