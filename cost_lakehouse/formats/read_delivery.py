"""Reads the files of a delivery one after the other into work for many threads: pieces that become typed rows on their own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.csv_chunks import Chunk, read_chunks, unpacked
from cost_lakehouse.formats.header import Target
from cost_lakehouse.formats.table_format import TableFormat
from cost_lakehouse.formats.text_rows import csv_names, from_parquet, parse_csv
from cost_lakehouse.formats.typed_rows import Origin, TypedPiece, typed_piece

PARQUET_BATCH_ROWS = 16 * 1024


@dataclass(frozen=True)
class Piece:
    """Some records of one file that wait to be typed; ``typed`` may run in any thread."""

    file: str
    records: int
    typed: Callable[[], TypedPiece]


def csv_pieces(stream: BinaryIO, origin: Origin, table: TableFormat) -> Iterator[Piece]:
    """The records of a CSV file, packed or not. Raises DeliveryFailed with file and record where it cannot be read whole."""
    with unpacked(stream, origin.file_name) as plain:
        line, chunks = read_chunks(plain, origin.file_name)
        targets = table.targets_of(csv_names(line), origin.file_name)
        for chunk in chunks:
            yield Piece(origin.file_name, chunk.records, _typed_chunk(chunk, targets, origin, table))


def parquet_pieces(stream: BinaryIO, origin: Origin, table: TableFormat) -> Iterator[Piece]:
    """The records of a Parquet file, which is put aside first (Parquet is read from its end)."""
    with tempfile.TemporaryFile() as spooled:
        shutil.copyfileobj(stream, spooled, 1 << 20)
        spooled.seek(0)
        try:
            with pq.ParquetFile(spooled) as file:
                targets = table.targets_of(file.schema_arrow.names, origin.file_name)
                first_record = 1
                for batch in file.iter_batches(PARQUET_BATCH_ROWS):
                    typed = _typed_batch(batch, first_record, targets, origin, table)
                    yield Piece(origin.file_name, batch.num_rows, typed)
                    first_record += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DeliveryFailed(
                f"{origin.file_name} is truncated or no Parquet file: {reason}.",
                "The slice keeps its old rows. Wait for the next delivery, or copy the file to the bucket again.",
            ) from error


def _typed_chunk(chunk: Chunk, targets: list[Target], origin: Origin, table: TableFormat) -> Callable[[], TypedPiece]:
    return lambda: typed_piece(parse_csv(chunk, len(targets), origin.file_name), targets, origin, table)


def _typed_batch(
    batch: pa.RecordBatch, first_record: int, targets: list[Target], origin: Origin, table: TableFormat
) -> Callable[[], TypedPiece]:
    return lambda: typed_piece(from_parquet(batch, targets, first_record), targets, origin, table)
