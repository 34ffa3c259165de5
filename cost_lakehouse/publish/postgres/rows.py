"""A mart's rows as PostgreSQL's ``COPY`` reads them: CSV, of which a batch is made while the server takes in the one before."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pyarrow as pa
from pyarrow import csv

ROWS_A_BATCH = 32 * 1024
"""A few megabytes."""


class CsvRows:
    """A file that ``COPY … (format csv)`` reads. Texts stand in quotes and null is nothing, so an empty text stays one.

    Decimals have all their digits, small ones with an exponent, which PostgreSQL reads exactly. DuckDB's own CSV takes five
    times as long for decimals.
    """

    def __init__(self, batches: pa.RecordBatchReader, pool: ThreadPoolExecutor) -> None:
        self._batches = iter(batches)
        self._pool = pool
        self._sink = io.BytesIO()
        self._writer = csv.CSVWriter(self._sink, batches.schema, write_options=csv.WriteOptions(include_header=False))
        self._next = pool.submit(self._made)

    def read(self, _size: int = -1) -> bytes:
        """The next batch, whatever its size; nothing at the end."""
        made = self._next.result()
        if made:
            self._next = self._pool.submit(self._made)
        return made

    def _made(self) -> bytes:
        batch = next((one for one in self._batches if one.num_rows), None)
        if batch is None:
            return b""
        self._sink.seek(0)
        self._sink.truncate()
        self._writer.write_batch(batch)
        return self._sink.getvalue()


@contextmanager
def csv_rows(batches: pa.RecordBatchReader) -> Iterator[CsvRows]:
    """The file, made by a thread that ends with it."""
    with ThreadPoolExecutor(1, thread_name_prefix="csv-rows") as pool:
        yield CsvRows(batches, pool)
