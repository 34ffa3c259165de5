"""AWS's bills, CSV and Parquet alike: rows as text in, typed batches of ``raw.aws_cur`` and their control totals out."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from cost_lakehouse.audit.control_totals import GROUP_COLUMNS, ControlTotals, totals_of
from cost_lakehouse.errors import DeliveryFailed, RejectedValue
from cost_lakehouse.formats.aws_cur_schema import TEXT_MAP, aws_cur_columns, aws_cur_schema
from cost_lakehouse.formats.csv_chunks import Chunk
from cost_lakehouse.formats.decimals import to_decimals
from cost_lakehouse.formats.header import Target, targets_of
from cost_lakehouse.formats.maps import to_map
from cost_lakehouse.formats.timestamps import to_timestamps

MAPS = ("product", "resource_tags", "cost_category", "discount", "other")


@dataclass(frozen=True)
class Origin:
    """What every row of a file says of where it came from."""

    source: str
    billing_period: date
    delivery_id: str
    file_name: str


@dataclass
class TextRows:
    """Some records of one file: a text array a delivered column, null where nothing was delivered.

    A Parquet column of timestamps stays one where the lake keeps one as well.
    """

    columns: list[pa.Array]
    first_record: int  # counts from 1 after the header

    @property
    def count(self) -> int:
        """How many records."""
        return len(self.columns[0])


@dataclass
class TypedRows:
    """The same records as rows of ``raw.aws_cur``, with their control totals and whatever could not be stored exactly."""

    batch: pa.RecordBatch
    totals: ControlTotals
    rounded: int = 0
    rejected: list[RejectedValue] = field(default_factory=list)


def csv_header(line: str, file: str) -> list[Target]:
    """The targets of a CSV file's header line. Raises DeliveryFailed when it is no Cost and Usage Report."""
    names = next(csv.reader(io.StringIO(line)), [])
    return targets_of(names, file)


def parse_csv(chunk: Chunk, columns: int, file: str) -> TextRows:
    """The records of a chunk as text; an empty value, quoted or not, is null.

    Raises DeliveryFailed with file and record where a record has too few or too many values, or is not UTF-8.
    """
    names = [str(index) for index in range(columns)]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(chunk.data),
            read_options=pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(chunk.data) + 1),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        raise _bad_record(chunk, columns, file, error) from None
    if table.num_rows != chunk.records:
        raise DeliveryFailed(
            f"{file}, records {chunk.first_record} to {chunk.first_record + chunk.records - 1}: "
            f"{table.num_rows} records were read where {chunk.records} line ends were counted.",
            "The file is not the CSV that AWS writes (RFC 4180); restore the original.",
        )
    return TextRows(
        [column.chunk(0) if column.num_chunks else pa.nulls(0, pa.string()) for column in table.columns], chunk.first_record
    )


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


def typed_rows(rows: TextRows, targets: Sequence[Target], origin: Origin) -> TypedRows:
    """Cast the text of each column to what ``raw.aws_cur`` holds, and sum the control totals from the text."""
    kinds = aws_cur_columns()
    count = rows.count
    arrays: dict[str, pa.Array] = {}
    in_maps: dict[str, list[tuple[str, pa.Array]]] = {name: [] for name in MAPS}
    texts, decimals = {}, {}
    rejected: list[RejectedValue] = []
    for target, text in zip(targets, rows.columns, strict=True):
        if target.key is not None:
            in_maps[target.column].append((target.key, text))
            continue
        reasons: dict[int, str] = {}
        if target.kind == "decimal":
            column = to_decimals(text)
            arrays[target.column], reasons = column.stored, column.rejected
            texts[target.column], decimals[target.column] = text, column
        elif target.kind == "timestamp":
            moments = to_timestamps(text)
            arrays[target.column], reasons = moments.stored, moments.rejected
        else:
            arrays[target.column] = text
        for row, reason in reasons.items():
            rejected.append(
                RejectedValue(text[row].as_py(), origin.file_name, rows.first_record + row, target.delivered, reason)
            )
    for name in MAPS:
        arrays[name] = to_map(in_maps[name], count)
    keys = [arrays.get(name, pa.nulls(count, pa.string())) for name in GROUP_COLUMNS]
    totals = totals_of(keys, texts, decimals)
    arrays |= _origin_columns(origin, rows.first_record, count)
    schema = aws_cur_schema()
    for field_ in schema:
        if field_.name not in arrays:
            arrays[field_.name] = pa.nulls(count, TEXT_MAP if kinds.get(field_.name) == "map" else field_.type)
    # The arrays' own types (a constant is a dictionary) under the table's names; a field that may be null differs from one
    # that may not.
    fields = [field_.with_type(arrays[field_.name].type) for field_ in schema]
    batch = pa.RecordBatch.from_arrays([arrays[name] for name in schema.names], schema=pa.schema(fields))
    return TypedRows(batch, totals, sum(len(column.rounded) for column in decimals.values()), rejected)


def _origin_columns(origin: Origin, first_record: int, count: int) -> dict[str, pa.Array]:
    return {
        "source": _constant(origin.source, count),
        "billing_period": pa.repeat(pa.scalar(origin.billing_period, pa.date32()), count),
        "delivery_id": _constant(origin.delivery_id, count),
        "file_name": _constant(origin.file_name, count),
        "row_number": pa.array(range(first_record, first_record + count), pa.int64()),
    }


def _constant(value: str, count: int) -> pa.Array:
    """One text for all rows, written once."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), count), pa.array([value]))


def from_parquet(batch: pa.RecordBatch, targets: Sequence[Target], first_record: int) -> TextRows:
    """The records of a Parquet batch as text, so that they take the same way as CSV.

    A double becomes its shortest decimal text (0.1 is 0.1), so CSV and Parquet deliveries give the same numbers wherever a
    double can hold them. An empty text is null.
    """
    columns = []
    for column, target in zip(batch.columns, targets, strict=True):
        stays = target.kind == "timestamp" and pa.types.is_timestamp(column.type)
        columns.append(column if stays else _as_text(column))
    return TextRows(columns, first_record)


def _as_text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _as_text(column.dictionary_decode())
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        text = column.cast(pa.string())
        return pc.if_else(pc.equal(text, ""), None, text)
    if pa.types.is_timestamp(kind):
        return pc.strftime(column.cast(pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%S")
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return pa.array([None if each is None else str(each) for each in column.to_pylist()], pa.string())
    return column.cast(pa.string())
