"""The lake: its Iceberg catalog (SQLite or PostgreSQL), its tables, and the locks that its processes share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NamespaceAlreadyExistsError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog_errors import OPENING_FAILS, cannot_be_opened
from cost_lakehouse.lake.identity_store import IdentityStore
from cost_lakehouse.lake.locks import FileLocks, Lock, PostgresLocks
from cost_lakehouse.lake.pyiceberg_internals import iceberg_schema
from cost_lakehouse.lake.registered_io import FOLDER_IO_PROPERTIES, IO_PROPERTIES, register_io
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.table_metadata import current_table
from cost_lakehouse.lake.tables import dimensions, raw_tables, read_marts, shared_marts
from cost_lakehouse.lake.warehouse import FolderWarehouse, Warehouse

CATALOG_NAME = "lake"
NAMESPACES = ("raw", "marts")
_TABLE_PROPERTIES = {
    "format-version": "2",
    # Bounds cut at 16 characters make sources with a common beginning look alike: replacing one would touch the other.
    "write.metadata.metrics.default": "none",
    "write.metadata.metrics.column.source": "full",
    "write.metadata.metrics.column.billing_period": "full",
    "write.metadata.metrics.column.delivery_id": "full",
    # Days of usage are asked for on whatever bill: files of others are not opened (lake/manifests.py: within).
    "write.metadata.metrics.column.usage_date": "full",
    # Retries are ours (lake/replace.py): every attempt has to look at the slice's files and its guard again.
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
_UP_TO_DATE: set[tuple[str, str]] = set()
"""Catalogs' tables that this process knows to have every column: lakes are opened often."""


class Lake:
    """The lake of one configuration. Cheap to open; safe to open in many processes at once."""

    def __init__(self, settings: Settings) -> None:
        """Open, and on first use create, catalog and warehouse.

        Raises LakeError where they cannot be used, WrongLake where they do not belong together.
        """
        with self._opened(settings, "catalog"):
            self.identity.ensure()
            self._create_tables()

    @classmethod
    @contextmanager
    def to_repair(cls, settings: Settings) -> Iterator[Lake]:
        """The lake though catalog and warehouse may not belong together, while nobody else opens or maintains it.

        For what puts that right, and nothing else. Raises LakeError.
        """
        lake = cls.__new__(cls)
        with lake._opened(settings, "catalog", "maintenance"):
            yield lake

    @property
    def catalog(self) -> SqlCatalog:
        """pyiceberg's catalog."""
        return self._catalog

    @contextmanager
    def _opened(self, settings: Settings, *locks: str) -> Iterator[None]:
        """Catalog and warehouse, with these locks held."""
        self.settings = settings
        url = _with_timeouts(settings.catalog_url)
        self._place = url.render_as_string(hide_password=True)
        try:
            self.warehouse: Warehouse = _open_warehouse(settings)
            if settings.lake.is_sqlite:
                file = Path(str(url.database))
                file.parent.mkdir(parents=True, exist_ok=True)
                # Beside the catalog: who shares it shares the locks.
                self._locks: FileLocks | PostgresLocks = FileLocks(file.with_name(f"{file.name}.locks"))
            else:
                self._locks = PostgresLocks(_server(url))
            with ExitStack() as stack:
                for name in locks:
                    stack.enter_context(self.lock(name, "The lake's catalog", 60))
                self._catalog = _open_catalog(url, self.warehouse)
                self.identity = IdentityStore(self._catalog, url, self.warehouse)
                yield
        except OPENING_FAILS as error:
            raise cannot_be_opened(settings, error) from error

    def table(self, name: str) -> Table:
        """The table ``namespace.name`` as it is now, with all its snapshots, which costs the more the more there are.

        Raises LakeError where there is none.
        """
        try:
            return self._catalog.load_table(name)
        except NoSuchTableError:
            raise _no_table(name) from None

    def current(self, name: str) -> Table:
        """As ``table``, without the history: of its snapshots it knows the current one and those with a name (tags).

        Costs the same however many snapshots there were; the right one to read the table as it is, and to commit to it.
        """
        table = self.table_or_none(name)
        if table is None:
            raise _no_table(name)
        return table

    def table_or_none(self, name: str) -> Table | None:
        """As ``current``, or None where there is no such table."""
        try:
            return current_table(self._catalog, name)
        except NoSuchTableError:
            return None

    def table_names(self) -> list[str]:
        """Every table as ``namespace.name``, sorted."""
        return sorted(".".join(list_table) for namespace in NAMESPACES for list_table in self._catalog.list_tables(namespace))

    def create_table(self, name: str, columns: pa.Schema) -> Table:
        """Create a table partitioned by source and billing period (a dimension: not at all), unless another was faster."""
        schema = iceberg_schema(columns)
        partitioned_by = () if name in dimensions() else ("source", "billing_period")
        partitions = PartitionSpec(
            *(
                PartitionField(schema.find_field(column).field_id, 1000 + index, IdentityTransform(), column)
                for index, column in enumerate(partitioned_by)
            )
        )
        # Data files carry no field ids (add_files refuses them): engines map columns by name through this property.
        mapping = {"schema.name-mapping.default": schema.name_mapping.model_dump_json()}
        try:
            return self._catalog.create_table(
                name,
                schema,
                location=f"{self.warehouse.location}/{table_folder(name)}",
                partition_spec=partitions,
                properties=_TABLE_PROPERTIES | mapping,
            )
        except TableAlreadyExistsError:
            return self._catalog.load_table(name)

    def add_columns(self, name: str, columns: pa.Schema) -> None:
        """Give a table the columns that a newer version of it has.

        Raises LakeError where others change the table at the same moment.
        """
        table = self.current(name)
        if set(columns.names) <= set(table.schema().column_names):
            return
        try:
            with table.update_schema() as update:
                update.union_by_name(iceberg_schema(columns))
        except CommitFailedException as error:
            raise LakeError(f"{name} was changed by others while columns were added: {error}.", "Run it again.") from error

    def data_folder(self, name: str, slice_: Slice) -> str:
        """The folder in the warehouse that holds a slice's data files."""
        return f"{table_folder(name)}/data/{slice_.folder}"

    def source_folder(self, name: str, source: str) -> str:
        """The folder in the warehouse that holds the data files of all months of a source."""
        return f"{table_folder(name)}/data/source={source}"

    @contextmanager
    def lock(self, name: str, what: str, wait_seconds: float = 0) -> Iterator[Lock]:
        """Hold a lock of that name across processes; a killed holder's lock is free at once.

        Raises LakeError where another process holds it longer than ``wait_seconds``.
        """
        with self._locks.hold(name, what, wait_seconds) as held:
            yield held

    def _create_tables(self) -> None:
        for namespace in NAMESPACES:
            try:
                self._catalog.create_namespace(namespace)
            except NamespaceAlreadyExistsError:
                continue
        existing = set(self.table_names())
        for name, columns in {**raw_tables(), **dimensions(), **read_marts(), **shared_marts()}.items():
            if name not in existing:
                self.create_table(name, columns)
            elif (self._place, name) not in _UP_TO_DATE:
                self.add_columns(name, columns)
            _UP_TO_DATE.add((self._place, name))


def _no_table(name: str) -> LakeError:
    return LakeError(f"There is no table {name} yet.", "Run `cost-lakehouse run` first.")


def table_folder(name: str) -> str:
    """The folder of the table ``namespace.name`` in the warehouse."""
    return name.replace(".", "/")


def _open_warehouse(settings: Settings) -> Warehouse:
    if not settings.lake.is_s3:
        return FolderWarehouse(settings.path(settings.lake.warehouse))
    from cost_lakehouse.lake.s3_warehouse import S3Warehouse  # boto3 takes half a second, which a folder does not need

    return S3Warehouse(settings.warehouse, settings.store)


def _open_catalog(url: URL, warehouse: Warehouse) -> SqlCatalog:
    """pyiceberg's catalog, on connections that are given back; it creates its two tables on first use."""
    properties = {"uri": url.render_as_string(hide_password=False), "warehouse": warehouse.location}
    if warehouse.location.startswith("file://"):
        properties |= FOLDER_IO_PROPERTIES
    else:
        properties |= IO_PROPERTIES | register_io(warehouse)
    catalog = SqlCatalog(CATALOG_NAME, **properties)
    own = catalog.engine
    catalog.engine = create_engine(url, poolclass=NullPool) if url.get_backend_name() == "sqlite" else _server(url)
    own.dispose()
    return catalog


@cache
def _server(url: URL) -> Engine:
    """One pool of connections a process and database: lakes are opened often, and servers count connections."""
    return create_engine(url, pool_pre_ping=True, pool_size=4, max_overflow=32, pool_recycle=1800)


def _with_timeouts(url: URL) -> URL:
    """The catalog's address with patience for busy files and none for servers that do not answer."""
    defaults = {"timeout": "60"} if url.get_backend_name() == "sqlite" else {"connect_timeout": "10", "keepalives_idle": "30"}
    return url.update_query_dict({name: value for name, value in defaults.items() if name not in url.query})
