"""Reads the files of a delivery one after the other into work for many threads: pieces that become typed rows on their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.csv_chunks import Chunk, read_chunks, unpacked
from cost_lakehouse.formats.header import Target
from cost_lakehouse.formats.parquet_entrance import from_parquet
from cost_lakehouse.formats.raw_schema import DISTINCT_TEXT, TEXT_MAP
from cost_lakehouse.formats.table_format import TableFormat
from cost_lakehouse.formats.text_rows import csv_names, parse_csv
from cost_lakehouse.formats.typed_rows import Origin, TypedPiece, typed_piece

PARQUET_BATCH_ROWS = 64 * 1024
_ARROW_NOTE = b"ARROW:schema"
_CODED_ENCODINGS = {"PLAIN", "PLAIN_DICTIONARY", "RLE_DICTIONARY", "RLE", "BIT_PACKED"}


@dataclass(frozen=True)
class Piece:
    """Some records of one file that wait to be typed; ``typed`` may run in any thread."""

    file: str
    records: int
    typed: Callable[[], TypedPiece]


class Content:
    """The digest of a file's content while it is read: of a CSV file's text, however it is packed, else of its bytes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def of(self, stream: BinaryIO) -> BinaryIO:
        """The stream; what is read from it counts."""
        return _Digested(stream, self._digest.update)  # type: ignore[return-value]  # as much of a BinaryIO as readers use

    @property
    def digest(self) -> str:
        """SHA-256 of what was read so far."""
        return self._digest.hexdigest()


class _Digested:
    def __init__(self, stream: BinaryIO, update: Callable[[bytes], None]) -> None:
        self._stream, self._update = stream, update

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._update(data)
        return data


def csv_pieces(stream: BinaryIO, origin: Origin, table: TableFormat, content: Content | None = None) -> Iterator[Piece]:
    """The records of a CSV file, packed or not. Raises DeliveryFailed with file and record where it cannot be read whole."""
    with unpacked(stream, origin.file_name) as plain:
        line, chunks = read_chunks(content.of(plain) if content else plain, origin.file_name)
        targets = table.targets_of(csv_names(line), origin.file_name)
        for chunk in chunks:
            yield Piece(origin.file_name, chunk.records, _typed_chunk(chunk, targets, origin, table))


def parquet_pieces(stream: BinaryIO, origin: Origin, table: TableFormat, content: Content | None = None) -> Iterator[Piece]:
    """The records of a Parquet file, which is put aside first (Parquet is read from its end).

    Row groups are decoded where their pieces are typed, so by many threads.
    """
    with tempfile.NamedTemporaryFile() as spooled:
        shutil.copyfileobj(content.of(stream) if content else stream, spooled, 1 << 20)
        spooled.flush()
        with _explained(origin.file_name):
            # Reads at a position, so that threads share it; it outlives the file's name, as pieces do.
            whole = pa.OSFile(spooled.name)
            metadata, schema = _metadata_of(whole)
            with_codes = _columns_with_codes(metadata)
            if not {field.name for field in schema if pa.types.is_dictionary(field.type)} <= with_codes:
                _forget_arrow_types(spooled)
                whole = pa.OSFile(spooled.name)
                metadata, schema = _metadata_of(whole)
    with _explained(origin.file_name):
        targets = table.targets_of(schema.names, origin.file_name)
        coded = [name for name in _coded_columns(schema, targets) if name in with_codes]
        row_groups = _RowGroups(whole, metadata, coded + _coded_maps(with_codes, schema, targets))
        first_record = 1
        for groups in _together(metadata):
            records = sum(metadata.row_group(group).num_rows for group in groups)
            if records <= PARQUET_BATCH_ROWS:
                yield Piece(origin.file_name, records, _typed_groups(row_groups, groups, first_record, targets, origin, table))
                first_record += records
                continue
            with _open(whole, metadata, coded) as file:
                for batch in file.iter_batches(PARQUET_BATCH_ROWS, row_groups=groups, use_threads=False):
                    typed = _typed_batch(batch, first_record, targets, origin, table)
                    yield Piece(origin.file_name, batch.num_rows, typed)
                    first_record += batch.num_rows


def _metadata_of(content: pa.NativeFile) -> tuple[pq.FileMetaData, pa.Schema]:
    with _open(content) as file:
        return file.metadata, file.schema_arrow


def _forget_arrow_types(spooled: IO[bytes]) -> None:
    """Make the file's footer name its columns' Parquet types alone.

    Arrow's writers put their own types beside them, and pyarrow insists on codes where it says so: which it cannot read out of
    DELTA encodings. The key of that note is renamed to one of the same length.
    """
    spooled.seek(-8, os.SEEK_END)
    length = int.from_bytes(spooled.read(4), "little")
    spooled.seek(-8 - length, os.SEEK_END)
    footer = spooled.read(length)
    if footer.count(_ARROW_NOTE) == 1:
        spooled.seek(-8 - length, os.SEEK_END)
        spooled.write(footer.replace(_ARROW_NOTE, b"-" * len(_ARROW_NOTE)))
        spooled.flush()


def _open(content: pa.NativeFile, metadata: pq.FileMetaData | None = None, coded: Sequence[str] = ()) -> pq.ParquetFile:
    """A Parquet file; moments of 96 bits are read as microseconds, as nanoseconds would end in the year 2262."""
    return pq.ParquetFile(content, metadata=metadata, read_dictionary=list(coded), coerce_int96_timestamp_unit="us")


def _together(metadata: pq.FileMetaData) -> Iterator[list[int]]:
    """Row groups that are read at once: as many as fit, or one that is larger."""
    groups: list[int] = []
    rows = 0
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if groups and rows + count > PARQUET_BATCH_ROWS:
            yield groups
            groups, rows = [], 0
        groups.append(group)
        rows += count
    if groups:
        yield groups


def _coded_columns(schema: pa.Schema, targets: list[Target]) -> list[str]:
    """The columns of text that keep their codes: those that have a place of their own and are not filled from another one."""
    filled = {target.fills for target in targets}
    return [
        target.delivered
        for target, field in zip(targets, schema, strict=True)
        if target.kind == "text"
        and target.column not in DISTINCT_TEXT | filled
        and (pa.types.is_string(field.type) or pa.types.is_large_string(field.type))
    ]


def _coded_maps(with_codes: set[str], schema: pa.Schema, targets: list[Target]) -> list[str]:
    """The paths of keys and values of maps of text, which keep their codes as well."""
    paths: list[str] = []
    for target, field in zip(targets, schema, strict=True):
        if target.kind == "map" and target.key is None and field.type.equals(TEXT_MAP):
            sides = [path for path in with_codes if path.split(".")[0] == target.delivered]
            paths += sides if len(sides) == 2 else []
    return paths


def _columns_with_codes(metadata: pq.FileMetaData) -> set[str]:
    """The paths of columns that can be read as codes: DELTA encodings cannot, although the format has them for text."""
    found = {metadata.schema.column(index).path for index in range(metadata.num_columns)}
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            column = metadata.row_group(group).column(index)
            if not set(column.encodings) <= _CODED_ENCODINGS:
                found.discard(column.path_in_schema)
    return found


@contextmanager
def _explained(file: str) -> Iterator[None]:
    try:
        yield
    except pa.ArrowNotImplementedError as error:
        raise DeliveryFailed(
            f"{file} is written in a way of Parquet that cannot be read: {' '.join(str(error).split())[:200]}.",
            "The slice keeps its old rows. Have it written by another program, or as CSV.",
        ) from error
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DeliveryFailed(
            f"{file} is truncated or no Parquet file: {reason}.",
            "The slice keeps its old rows. Wait for the next delivery, or copy the file to the bucket again.",
        ) from error


@dataclass(frozen=True)
class _RowGroups:
    """Reads some row groups of a file at once; any thread may ask. ``coded`` are the columns whose text stays codes."""

    content: pa.NativeFile
    metadata: pq.FileMetaData
    coded: list[str]

    def read(self, groups: list[int]) -> pa.RecordBatch:
        """The rows of these groups."""
        with _open(self.content, self.metadata, self.coded) as file:
            # One after the other: each has codes of its own, and pyarrow reads no map with several.
            parts = [file.read_row_group(group, use_threads=False) for group in groups]
        rows = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
        (batch,) = rows.to_batches() or [pa.RecordBatch.from_pylist([], schema=rows.schema)]
        return batch


def _typed_groups(
    row_groups: _RowGroups,
    groups: list[int],
    first_record: int,
    targets: list[Target],
    origin: Origin,
    table: TableFormat,
) -> Callable[[], TypedPiece]:
    def typed() -> TypedPiece:
        with _explained(origin.file_name):
            batch = row_groups.read(groups)
        return typed_piece(from_parquet(batch, targets, first_record, origin.file_name, table), targets, origin, table)

    return typed


def _typed_chunk(chunk: Chunk, targets: list[Target], origin: Origin, table: TableFormat) -> Callable[[], TypedPiece]:
    return lambda: typed_piece(parse_csv(chunk, len(targets), origin.file_name), targets, origin, table)


def _typed_batch(
    batch: pa.RecordBatch, first_record: int, targets: list[Target], origin: Origin, table: TableFormat
) -> Callable[[], TypedPiece]:
    return lambda: typed_piece(from_parquet(batch, targets, first_record, origin.file_name, table), targets, origin, table)
