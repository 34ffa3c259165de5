"""Rows into files: CSV in gzip or zip, and Parquet. The same rows give the same bytes; memory does not grow with the rows."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import IO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from sample_bills.bills import FileFormat, Headers
from sample_bills.columns import ALL_COLUMNS, INDEX, Kind, kind_of, merged_by_snake_case

_BUFFER = 1 << 20
_ROW_GROUP = 20_000
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)

Row = Sequence[str]
_R = TypeVar("_R")


def written_names(columns: Sequence[str], file_format: FileFormat, headers: Headers) -> list[str]:
    """The header of a file with ``columns``; columns that are equal in snake_case are merged there."""
    if file_format is FileFormat.PARQUET or headers is Headers.SNAKE:
        return list(merged_by_snake_case(columns))
    return list(columns)


def pack(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[list[str]],
    file_format: FileFormat,
    headers: Headers,
    gzip_level: int = 6,
) -> None:
    """Write ``rows`` (in the order of ``ALL_COLUMNS``) to ``path`` with ``columns`` only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = written_names(columns, file_format, headers)
    snake = file_format is FileFormat.PARQUET or headers is Headers.SNAKE
    chosen = map(_merging(columns) if snake else _choosing(columns), rows)
    if file_format is FileFormat.PARQUET:
        _pack_parquet(path, columns, chosen)
        return
    pack_csv(path, header, chosen, file_format, gzip_level)


def pack_csv(path: Path, header: Sequence[str], rows: Iterable[Row], file_format: FileFormat, gzip_level: int = 6) -> None:
    """Write rows of texts to a packed CSV file."""
    with path.open("wb") as file:
        if file_format is FileFormat.CSV_GZIP:
            # No name and no time in the gzip header, or two runs would differ.
            with gzip.GzipFile(filename="", mode="wb", compresslevel=gzip_level, fileobj=file, mtime=0) as packed:
                _write_csv(packed, header, rows)
        else:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=gzip_level) as archive:
                member = zipfile.ZipInfo(path.name.removesuffix(".zip"), _ZIP_TIME)
                member.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(member, "w", force_zip64=True) as packed_member:
                    _write_csv(packed_member, header, rows)


def _choosing(columns: Sequence[str]) -> Callable[[list[str]], Row]:
    if tuple(columns) == ALL_COLUMNS:
        return lambda row: row
    return itemgetter(*(INDEX[column] for column in columns))


def _merging(columns: Sequence[str]) -> Callable[[list[str]], Row]:
    merged = [[INDEX[column] for column in same] for same in merged_by_snake_case(columns).values()]
    first = itemgetter(*(same[0] for same in merged))
    several = [(slot, same[1:]) for slot, same in enumerate(merged) if len(same) > 1]

    def choose(row: list[str]) -> Row:
        cells = list(first(row))
        for slot, others in several:
            cells[slot] = cells[slot] or next((row[index] for index in others if row[index]), "")
        return cells

    return choose


def _write_csv(packed: IO[bytes] | gzip.GzipFile, header: Sequence[str], rows: Iterable[Row]) -> None:
    buffered = io.BufferedWriter(_Sink(packed), _BUFFER)
    text = io.TextIOWrapper(buffered, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    text.flush()
    text.detach()
    buffered.flush()
    buffered.detach()


class _Sink(io.RawIOBase):
    """A raw stream over a compressing writer, so that it gets large pieces."""

    def __init__(self, packed: IO[bytes] | gzip.GzipFile) -> None:
        self._packed = packed

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._packed.write(piece)
        return len(piece)


def _pack_parquet(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    kinds = {name: kind_of(same[0]) for name, same in merged_by_snake_case(columns).items()}
    schema = pa.schema([pa.field(name, arrow_type(kind)) for name, kind in kinds.items()])
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for batch in batches(rows):
            arrays = [column_array(texts, kind) for texts, kind in zip(zip(*batch, strict=True), kinds.values(), strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def batches(rows: Iterable[_R]) -> Iterator[list[_R]]:
    """Rows in groups, as a Parquet file has them."""
    rest = iter(rows)
    while batch := list(islice(rest, _ROW_GROUP)):
        yield batch


def arrow_type(kind: Kind) -> pa.DataType:
    """AWS's type of a column in Parquet."""
    return {Kind.DECIMAL: pa.float64(), Kind.TIMESTAMP: pa.timestamp("ms")}.get(kind, pa.string())


def column_array(texts: Sequence[str], kind: Kind) -> pa.Array:
    """Texts of one column as AWS's Parquet has them."""
    # Texts that are missing stay empty texts, as in AWS's own files; numbers and times become null.
    if kind is Kind.DECIMAL:
        return pa.array([float(text) if text else None for text in texts], pa.float64())
    if kind is Kind.TIMESTAMP:
        times = [datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) if text else None for text in texts]
        return pa.array([time.replace(tzinfo=None) if time else None for time in times], pa.timestamp("ms"))
    return pa.array(texts, pa.string())
