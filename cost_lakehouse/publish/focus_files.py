"""Files of an export, written one after the other, each counted and with its SHA-256."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa
from pyarrow import csv
from pyarrow import parquet as pq

FileFormat = Literal["parquet", "csv"]
SUFFIXES: dict[FileFormat, str] = {"parquet": "parquet", "csv": "csv.gz"}
ROWS_A_FILE = 1_000_000
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class WrittenFile:
    """One whole file on this machine."""

    path: Path
    rows: int
    bytes: int
    sha256: str


class _Writer(Protocol):
    def write(self, batch: pa.RecordBatch) -> None: ...


def write_files(batches: pa.RecordBatchReader, folder: Path, stem: str, form: FileFormat) -> Iterator[WrittenFile]:
    """Write ``stem-00001`` and so on, at most a million rows each; without rows, one file that has columns only."""
    number, rows = 1, 0
    source = iter(batches)
    batch = next(source, None)
    while number == 1 or batch is not None:
        path = folder / f"{stem}-{number:05}.{SUFFIXES[form]}"
        rows = 0
        with _writer(path, batches.schema, form) as writer:
            while batch is not None and rows < ROWS_A_FILE:
                part = batch.slice(0, ROWS_A_FILE - rows)
                writer.write(part)
                rows += part.num_rows
                batch = batch.slice(part.num_rows) if part.num_rows < batch.num_rows else next(source, None)
        yield WrittenFile(path, rows, path.stat().st_size, _sha256(path))
        number += 1


@contextmanager
def _writer(path: Path, schema: pa.Schema, form: FileFormat) -> Iterator[_Writer]:
    if form == "parquet":
        # Nearly every amount is another one: a dictionary would cost time and room.
        repeating = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_temporal(field.type)]
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating) as parquet:
            yield parquet
        return
    # Packed without name and time: the same rows are the same bytes.
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as packed,
        csv.CSVWriter(packed, schema, write_options=csv.WriteOptions(quoting_style="needed")) as lines,
    ):
        yield lines


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
