"""Records of a CSV chunk or a Parquet batch as text, so that every way of delivery gives the same values."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.formats.csv_chunks import Chunk
from cost_lakehouse.formats.header import Target
from cost_lakehouse.formats.raw_schema import CODED_MAP, CODED_TEXT, TEXT_MAP

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


def from_parquet(batch: pa.RecordBatch, targets: Sequence[Target], first_record: int) -> TextRows:
    """The records of a Parquet batch as text, so that they take the same way as CSV.

    A double becomes its shortest decimal text (0.1 is 0.1), so CSV and Parquet deliveries give the same numbers wherever a
    double can hold them; one that becomes a decimal stays a double until then. An empty text is null.
    """
    columns = []
    filled = {target.fills for target in targets}
    for column, target in zip(batch.columns, targets, strict=True):
        if column.null_count == len(column) and not pa.types.is_nested(column.type):
            columns.append(pa.nulls(len(column), pa.string()))
        elif target.kind == "timestamp" and pa.types.is_timestamp(column.type):
            columns.append(column)
        elif target.kind == "map" and target.key is None and pa.types.is_map(column.type):
            columns.append(column if column.type == CODED_MAP else column.cast(TEXT_MAP))
        elif target.kind == "decimal" and column.type == pa.float64() and not {target.fills, target.column} & (filled - {None}):
            columns.append(column)
        else:
            columns.append(_as_text(column))
    return TextRows(columns, _numbers(first_record, batch.num_rows), coded=True)


def _numbers(first: int, count: int) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.int64)


def _as_text(column: pa.Array) -> pa.Array:
    kind = column.type
    if kind == CODED_TEXT:
        return _coded_text(column)
    if pa.types.is_dictionary(kind):
        return _as_text(column.dictionary_decode())
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        text = column.cast(pa.string())
        return pc.if_else(pc.equal(text, ""), None, text)
    if pa.types.is_timestamp(kind):
        return pc.strftime(column.cast(pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%S")
    if pa.types.is_nested(kind):
        return pa.array(
            [None if each is None else _json(each) for each in column.to_pylist(maps_as_pydicts="lossy")], pa.string()
        )
    if pa.types.is_binary(kind):
        return pa.array([None if each is None else str(each) for each in column.to_pylist()], pa.string())
    return column.cast(pa.string())


def _coded_text(column: pa.DictionaryArray) -> pa.Array:
    """Codes of text; an empty text is null."""
    empty = pc.index(column.dictionary, "").as_py()
    if empty < 0:
        return column
    if len(column.dictionary) == 1:
        return pa.nulls(len(column), pa.string())
    indices = pc.if_else(pc.equal(column.indices, pa.scalar(empty, pa.int32())), None, column.indices)
    return pa.DictionaryArray.from_arrays(indices, column.dictionary)


def _json(value: Any) -> str:
    """A nested value as JSON text."""
    return json.dumps(value, default=str, ensure_ascii=False)
