"""Rows into the files of a Data Export: CSV with maps as JSON, and Parquet with maps as maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sample_bills.bills import FileFormat
from sample_bills.columns import Kind
from sample_bills.cur2_columns import DISCOUNT_MAP, Shape, json_object
from sample_bills.packing import arrow_type, batches, column_array, pack_csv

Cells = list[str]


def pack_export(path: Path, shape: Shape, rows: Iterable[Cells], file_format: FileFormat, gzip_level: int = 6) -> None:
    """Write ``rows`` (in the order of ``ALL_COLUMNS``) to ``path`` in CUR 2.0's columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if file_format is FileFormat.PARQUET:
        _pack_parquet(path, shape, rows)
    else:
        pack_csv(path, shape.names, _csv_rows(shape, rows), file_format, gzip_level)


def _csv_rows(shape: Shape, rows: Iterable[Cells]) -> Iterator[list[str]]:
    columns = [_csv_cell(shape, name) for name in shape.names]
    for row in rows:
        yield [cell(row) for cell in columns]


def _csv_cell(shape: Shape, name: str) -> Callable[[Cells], str]:
    if name in shape.maps:
        entries, numbers = shape.entries(name), name == DISCOUNT_MAP
        return lambda row: json_object(entries(row), numbers)
    position = shape.cells.get(name)
    if position is None:
        return lambda row: ""
    if shape.kind(name) is Kind.TIMESTAMP:
        return lambda row: row[position].replace("Z", ".000Z")  # Data Exports write milliseconds
    return lambda row: row[position]


def _pack_parquet(path: Path, shape: Shape, rows: Iterable[Cells]) -> None:
    schema = pa.schema([pa.field(name, _type(shape, name)) for name in shape.names])
    readers = {name: shape.entries(name) for name in shape.maps}
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for batch in batches(rows):
            arrays = [_array(shape, field, batch, readers) for field in schema]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _type(shape: Shape, name: str) -> pa.DataType:
    if name in shape.maps:
        return pa.map_(pa.string(), pa.float64() if name == DISCOUNT_MAP else pa.string())
    return arrow_type(shape.kind(name))


def _array(
    shape: Shape,
    field: pa.Field,
    batch: Sequence[Cells],
    readers: dict[str, Callable[[Cells], list[tuple[str, str]]]],
) -> pa.Array:
    if field.name in readers:
        maps = [readers[field.name](row) for row in batch]
        if field.name == DISCOUNT_MAP:
            return pa.array([[(key, float(text)) for key, text in entries] for entries in maps], field.type)
        return pa.array(maps, field.type)
    position = shape.cells.get(field.name)
    texts = [""] * len(batch) if position is None else [row[position] for row in batch]
    return column_array(texts, shape.kind(field.name))
