"""Opens the lake: the Iceberg catalog in SQLite, the warehouse folder, and the tables in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from sqlalchemy.exc import OperationalError

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import raw_tables
from cost_lakehouse.settings import Settings

CATALOG_NAME = "lake"
NAMESPACES = ("raw", "marts")
_TABLE_PROPERTIES = {
    "format-version": "2",
    # Bounds cut at 16 characters make sources with a common beginning look alike: replacing one would touch the other.
    "write.metadata.metrics.default": "none",
    "write.metadata.metrics.column.source": "full",
    "write.metadata.metrics.column.billing_period": "full",
    "write.metadata.metrics.column.delivery_id": "full",
    # Retries are ours (lake/replace.py): every attempt has to look at the slice's files and its guard again.
    "commit.retry.num-retries": "0",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "20",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


class Lake:
    """The lake of one configuration. Cheap to open; safe to open in many processes at once."""

    def __init__(self, settings: Settings) -> None:
        """Open, and on first use create, catalog and warehouse.

        Raises LakeError where they cannot be used.
        """
        self.settings = settings
        self.warehouse: Path = settings.warehouse
        try:
            self.warehouse.mkdir(parents=True, exist_ok=True)
            settings.catalog_file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._lock_file("catalog"), timeout=60):
                self._catalog = SqlCatalog(
                    CATALOG_NAME,
                    uri=f"sqlite:///{settings.catalog_file}?timeout=60",
                    warehouse=f"file://{self.warehouse}",
                )
                self._create_raw_tables()
        except (OSError, OperationalError, Timeout) as error:
            raise LakeError(
                f"The lake cannot be opened (catalog {settings.catalog_file}, warehouse {self.warehouse}): "
                f"{type(error).__name__}: {str(error).splitlines()[0]}.",
                "Check that both places exist, are writable and have free space.",
            ) from error

    def table(self, name: str) -> Table:
        """The table ``namespace.name`` as it is now.

        Raises LakeError where there is none.
        """
        table = self.table_or_none(name)
        if table is None:
            raise LakeError(f"There is no table {name} yet.", "Run `cost-lakehouse run` first.")
        return table

    def table_or_none(self, name: str) -> Table | None:
        """The table ``namespace.name`` as it is now, or None."""
        try:
            return self._catalog.load_table(name)
        except NoSuchTableError:
            return None

    def table_names(self) -> list[str]:
        """Every table as ``namespace.name``, sorted."""
        return sorted(".".join(each) for namespace in NAMESPACES for each in self._catalog.list_tables(namespace))

    def create_table(self, name: str, columns: pa.Schema) -> Table:
        """Create a table partitioned by source and billing period, unless another process was faster."""
        schema = iceberg_schema(columns)
        partitions = PartitionSpec(
            *(
                PartitionField(schema.find_field(column).field_id, 1000 + index, IdentityTransform(), column)
                for index, column in enumerate(("source", "billing_period"))
            )
        )
        try:
            created = self._catalog.create_table(
                name,
                schema,
                location=f"file://{self.warehouse / name.replace('.', '/')}",
                partition_spec=partitions,
                properties=_TABLE_PROPERTIES,
            )
        except TableAlreadyExistsError:
            return self._catalog.load_table(name)
        # Data files carry no field ids (add_files refuses them): engines map columns by name through this property.
        with created.transaction() as transaction:
            transaction.set_properties({"schema.name-mapping.default": created.schema().name_mapping.model_dump_json()})
        return created

    def data_folder(self, name: str, slice_: Slice) -> Path:
        """The folder that holds a slice's data files."""
        return self.warehouse / name.replace(".", "/") / "data" / slice_.folder

    @contextmanager
    def lock(self, name: str, what: str, wait_seconds: float = 0) -> Iterator[None]:
        """Hold a lock of that name across processes; a killed holder's lock is free at once.

        Raises LakeError where another process holds it longer than ``wait_seconds``.
        """
        try:
            with FileLock(self._lock_file(name), timeout=wait_seconds):
                yield
        except Timeout:
            raise LakeError(
                f"{what} is being worked on by another process.", "Wait until it is done, then try again."
            ) from None

    def _lock_file(self, name: str) -> Path:
        folder = self.warehouse / ".locks"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.lock"

    def _create_raw_tables(self) -> None:
        for namespace in NAMESPACES:
            try:
                self._catalog.create_namespace(namespace)
            except NamespaceAlreadyExistsError:
                continue
        existing = set(self.table_names())
        for name, columns in raw_tables().items():
            if name not in existing:
                self.create_table(name, columns)


def iceberg_schema(columns: pa.Schema) -> Schema:
    """Arrow columns as an Iceberg schema with fresh field ids."""
    from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids

    return assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(columns))
