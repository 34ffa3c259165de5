"""Loads files from memory as the loader does, and reads what it wrote back: the vocabulary of these tests."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from cost_lakehouse.audit.stored_totals import differences, stored_totals
from cost_lakehouse.formats.table_format import TableFormat
from cost_lakehouse.loading.read import FilesToLoad, LoadedFiles, load_files
from cost_lakehouse.sources.delivery import FileFormat
from cost_lakehouse.storage.object_store import Listing, StoredObject

LOAD_ID = "load-0123456789abcdef"


@dataclass(frozen=True)
class Memory:
    """A store of a few objects; only opening them is needed here."""

    objects: Mapping[str, bytes]

    def describe(self, key: str) -> str:
        return f"memory/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        for key, data in sorted(self.objects.items()):
            if key.startswith(prefix):
                yield StoredObject(key, "etag", len(data), datetime(2026, 10, 1, tzinfo=UTC))

    def list_folder(self, folder: str) -> Listing:
        return Listing(tuple(self.list(folder)), ())

    def head(self, key: str) -> StoredObject | None:
        return next(self.list(key), None)

    def open(self, obj: StoredObject) -> BinaryIO:
        return io.BytesIO(self.objects[obj.key])

    def read(self, obj: StoredObject) -> bytes:
        return self.objects[obj.key]


@dataclass(frozen=True)
class Loaded:
    """What a load gave."""

    table: TableFormat
    files: LoadedFiles

    @property
    def months(self) -> list[date]:
        """The months that rows went to."""
        return sorted(self.files.slices)

    def rows(self, *columns: str, month: date | None = None) -> list[tuple[Any, ...]]:
        """Columns of the rows as they were written, in the files' order; of all months or of one."""
        paths = [str(path) for when, part in self.files.slices.items() if month in (None, when) for path in part.files]
        if not paths:
            return []
        with duckdb.connect() as connection:
            return connection.execute(
                f"select {', '.join(columns)} from read_parquet(?) order by file_name, row_number", [paths]
            ).fetchall()

    def row(self, *columns: str) -> tuple[Any, ...]:
        """Columns of the only row."""
        (only,) = self.rows(*columns)
        return only

    def sums(self, metric: str) -> dict[tuple[date, tuple[str, ...]], Any]:
        """The delivered total of a metric by month and group."""
        return {
            (month, tuple(group)): total.delivered
            for month, part in self.files.slices.items()
            for (group, name), total in part.totals.totals.items()
            if name == metric
        }


def load(folder: Path, table: TableFormat, *files: bytes, suffix: str = ".csv.gz", month: date | None = None) -> Loaded:
    """Load the files, named 1, 2, ..., and prove every month: what was delivered is what DuckDB finds in the files."""
    store = Memory({f"{number}{suffix}": data for number, data in enumerate(files, 1)})
    wanted = FilesToLoad("acme-oci", "D1", tuple(store.list("")), table, FileFormat.CSV, month)
    loaded = load_files(store, wanted, lambda when: folder / when.isoformat(), LOAD_ID)
    for part in loaded.slices.values():
        assert differences(part.totals, stored_totals(part.files, table)) == []
    if not loaded.rejected:
        assert sum(loaded.records.values()) == sum(part.totals.row_count for part in loaded.slices.values())
    return Loaded(table, loaded)


def packed(rows: Sequence[Mapping[str, str]], header: Sequence[str] | None = None) -> bytes:
    """Rows as CSV, packed with gzip; the header is every column that a row has, unless it is given."""
    columns = list(header or dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode(), 1, mtime=0)
