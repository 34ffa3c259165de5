"""Reads and writes what catalog and warehouse say of the lake they belong to."""

from __future__ import annotations

from functools import cache

from pyiceberg.catalog.sql import IcebergNamespaceProperties, IcebergTables, SqlCatalog
from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from cost_lakehouse.lake.identity import (
    MARKER,
    Marker,
    Place,
    Record,
    ensure_new,
    ensure_same_lake,
    later,
    new_marker,
)
from cost_lakehouse.lake.warehouse import Warehouse

NAMESPACE = "raw"
PROPERTY = "cost-lakehouse.lake"
TABLE_FOLDERS = ("raw", "marts")
"""What tables lie in: where there is nothing in them, a warehouse counts as empty."""


class IdentityStore:
    """The identity of one catalog and one warehouse."""

    def __init__(self, catalog: SqlCatalog, url: URL, warehouse: Warehouse) -> None:
        self._catalog = catalog
        self._warehouse = warehouse
        self.place = Place(warehouse.location, _name_of(url, catalog.engine))

    def ensure(self) -> None:
        """Make sure that the two belong together; an empty pair becomes a new lake. Call it while holding the catalog's lock.

        Costs a statement and a small read. Raises WrongLake.
        """
        # In this order: maintenance, which may be at work, counts in the catalog first.
        marker, record = self.marker(), self.record()
        if record is not None:
            ensure_same_lake(self.place, record, marker)
            return
        marker = self._claimed(marker)
        with self._catalog.engine.begin() as connection:
            self.write_record(connection, marker.record)

    def note_maintenance(self) -> None:
        """Count a maintenance on both sides, so that a catalog of before it is known for what it is."""
        marker = self.marker()
        if marker is None:
            return
        counted = later(marker)
        with self._catalog.engine.begin() as connection:
            self.write_record(connection, counted.record)
        self.write_marker(counted)

    def record(self) -> Record | None:
        """What the catalog says; None where it says nothing. Raises WrongLake where it is damaged."""
        with self._catalog.engine.connect() as connection:
            value = connection.execute(select(IcebergNamespaceProperties.property_value).where(*self._ours())).scalar()
        return None if value is None else Record.of_json(value, f"The catalog {self.place.catalog}")

    def write_record(self, connection: Connection, record: Record) -> None:
        """Make the catalog say it, in the connection's transaction."""
        connection.execute(delete(IcebergNamespaceProperties).where(*self._ours()))
        connection.execute(
            insert(IcebergNamespaceProperties).values(
                catalog_name=self._catalog.name, namespace=NAMESPACE, property_key=PROPERTY, property_value=record.to_json()
            )
        )

    def marker(self) -> Marker | None:
        """What the warehouse says; None where it says nothing. Raises WrongLake where it is damaged."""
        content = self._warehouse.read(MARKER)
        where = f"{self.place.location}/{MARKER}"
        return None if content is None else Marker.of_json(content.decode("utf-8", "replace"), where)

    def write_marker(self, marker: Marker, *, only_new: bool = False) -> None:
        """Make the warehouse say it. Raises FileExistsError where only a new one is wanted and there is one."""
        self._warehouse.write(MARKER, marker.to_json().encode(), only_new=only_new)

    def has_tables(self) -> bool:
        """Whether the catalog knows any table."""
        with self._catalog.engine.connect() as connection:
            known = select(IcebergTables.table_name).where(IcebergTables.catalog_name == self._catalog.name).limit(1)
            return connection.execute(known).first() is not None

    def _claimed(self, marker: Marker | None) -> Marker:
        """The marker of this new lake: written now, or left by a first opening that was killed."""
        has_tables = self.has_tables()
        ensure_new(self.place, marker, has_tables, None if has_tables else self._any_file())
        if marker is not None:
            return marker
        claimed = new_marker(self.place)
        try:
            self.write_marker(claimed, only_new=True)
        except FileExistsError:  # another catalog was faster
            return self._claimed(self.marker())
        return claimed

    def _any_file(self) -> str | None:
        for folder in TABLE_FOLDERS:
            found = self._warehouse.list(folder)
            if found:
                return found[0].location
        return None

    def _ours(self) -> tuple[ColumnElement[bool], ...]:
        table = IcebergNamespaceProperties
        return (table.catalog_name == self._catalog.name, table.namespace == NAMESPACE, table.property_key == PROPERTY)


def _name_of(url: URL, engine: Engine) -> str:
    """What tells a catalog from its copies: a file's absolute path; a database's name and that of its cluster's data.

    Not a server's address, which depends on where one looks from.
    """
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database}"
    return f"postgresql database {url.database} ({_cluster_of(url, engine)})"


@cache
def _cluster_of(url: URL, engine: Engine) -> str:
    """PostgreSQL's own number of a cluster; a restored dump is in another one. The address where it may not be read."""
    try:
        with engine.connect() as connection:
            return f"cluster {connection.execute(text('select system_identifier from pg_control_system()')).scalar()}"
    except DBAPIError:
        return f"at {url.host}:{url.port or 5432}"
