"""Records of a file as text, so that every way of delivery gives the same values; those of CSV are read here."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from cost_lakehouse.errors import DeliveryFailed, RejectedValue
from cost_lakehouse.formats.csv_chunks import Chunk

# What pyarrow parses at once: twice as fast as a whole chunk, whose pieces no cache holds.
_BLOCK_BYTES = 1 << 20


@dataclass
class TextRows:
    """Some records of one file: a text array a delivered column, null where nothing was delivered.

    A Parquet column of timestamps or maps stays one where the lake keeps one as well, and doubles that become decimals. Where
    ``coded``, text that repeats is kept as codes (CODED_TEXT) from the file that is read to the file that is written.
    """

    columns: list[pa.Array]
    records: np.ndarray  # each row's number in the file, int64; counts from 1 after the header
    coded: bool = False
    rejected: list[RejectedValue] = field(default_factory=list)  # what is no text, number, moment or map

    @property
    def count(self) -> int:
        """How many records."""
        return len(self.records)

    def take(self, rows: np.ndarray) -> TextRows:
        """Some of the records."""
        indices = pa.array(rows)
        return TextRows([column.take(indices) for column in self.columns], self.records[rows], self.coded)


def csv_names(line: str) -> list[str]:
    """The column names in a CSV file's header line."""
    return next(csv.reader(io.StringIO(line)), [])


def parse_csv(chunk: Chunk, columns: int, file: str) -> TextRows:
    """The records of a chunk as text; an empty value, quoted or not, is null.

    Raises DeliveryFailed with file and record where a record has too few or too many values, or is not UTF-8.
    """
    try:
        table = _read_csv(chunk, columns, _BLOCK_BYTES)
    except pa.ArrowInvalid:
        try:
            table = _read_csv(chunk, columns, len(chunk.data) + 1)  # a record may be longer than a block
        except pa.ArrowInvalid as error:
            raise _bad_record(chunk, columns, file, error) from None
    if table.num_rows != chunk.records:
        raise DeliveryFailed(
            f"{file}, records {chunk.first_record} to {chunk.first_record + chunk.records - 1}: "
            f"{table.num_rows} records were read where {chunk.records} line ends were counted.",
            "The file is not the CSV that bills are written in (RFC 4180); restore the original.",
        )
    return TextRows(
        [column.chunk(0) if column.num_chunks else pa.nulls(0, pa.string()) for column in table.columns],
        _numbers(chunk.first_record, table.num_rows),
    )


def _read_csv(chunk: Chunk, columns: int, block_bytes: int) -> pa.Table:
    names = [str(index) for index in range(columns)]
    table = pa_csv.read_csv(
        pa.BufferReader(chunk.data),
        read_options=pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=block_bytes),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )
    return table.combine_chunks()


def _bad_record(chunk: Chunk, columns: int, file: str, error: pa.ArrowInvalid) -> DeliveryFailed:
    """Find the record that pyarrow could not read, to name it."""
    fix = "The slice keeps its old rows. Wait for the next delivery, or restore the original file."
    try:
        lines = io.StringIO(bytes(chunk.data).decode("utf-8"), newline="")
    except UnicodeDecodeError as decoding:
        record = chunk.first_record + bytes(chunk.data[: decoding.start]).count(b"\n")
        return DeliveryFailed(f"{file}, about record {record}: it is not UTF-8 text.", fix)
    csv.field_size_limit(2**31 - 1)
    records = (values for values in csv.reader(lines) if values)
    for number, values in enumerate(records, chunk.first_record):
        if len(values) != columns:
            return DeliveryFailed(f"{file}, record {number}: it has {len(values)} values where the header has {columns}.", fix)
    reason = " ".join(str(error).split())[:200]
    return DeliveryFailed(f"{file}, after record {chunk.first_record}: {reason}.", fix)


def _numbers(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.int64)
