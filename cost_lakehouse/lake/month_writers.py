"""Writers of a load that may have rows of many months: every thread finds one, and only so many files are open at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa

from cost_lakehouse.lake.slice_writer import SliceWriter

# Open at once beside those in use: a year's months, so that files in which they alternate make no small files.
_IDLE = 12
# What is written at once: bills may come in thousands of small files, and each write is a row group of its own.
_WRITE_BYTES = 16 * 1024 * 1024


class _Gathering:
    """A writer that waits until there is enough to write."""

    def __init__(self, writer: SliceWriter) -> None:
        self._writer = writer
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0
        self.part = ""

    def write(self, batch: pa.RecordBatch, part: str) -> None:
        if part != self.part:
            self._write_waiting()
            self.part = part
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= _WRITE_BYTES:
            self._write_waiting()

    def close(self) -> list[Path]:
        """Write the rest; the files that are finished now."""
        self._write_waiting()
        self._writer.close()
        return self._writer.files

    def _write_waiting(self) -> None:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if len(waiting) > 1:
            waiting = pa.Table.from_batches(waiting).combine_chunks().to_batches()
        for batch in waiting:
            self._writer.write(batch, self.part)


class MonthWriters:
    """Hands batches to writers of their month, each of one thread at a time; of idle ones the longest unused is closed."""

    def __init__(self, folder_of: Callable[[date], Path], load_id: str, threads: int, first_file: int = 0) -> None:
        """``folder_of`` is asked once a month, by one thread at a time; files are numbered from ``first_file``."""
        self._folder_of = folder_of
        self._load_id = load_id
        self._limit = threads + _IDLE
        self._first_file = first_file
        self._lock = threading.Lock()
        self._idle: list[tuple[date, pa.Schema, _Gathering]] = []  # the last one is the one used last
        self._months: dict[date, tuple[Path, list[int]]] = {}  # a month's folder, and the numbers of its files
        self._all: list[tuple[date, _Gathering]] = []
        self._open = 0

    def write(self, month: date, batch: pa.RecordBatch, part: str = "") -> None:
        """Append a batch to the month's files, in row groups that have rows of its ``part`` alone."""
        writer, unused = self._take(month, batch.schema, part)
        if unused is not None:
            unused.close()
        try:
            writer.write(batch, part)
        finally:
            with self._lock:
                self._idle.append((month, batch.schema, writer))

    def close(self) -> dict[date, list[Path]]:
        """Finish every file; each month's files."""
        files: dict[date, list[Path]] = {month: [] for month in self._months}
        for month, writer in self._all:
            files[month] += writer.close()
        return files

    def _take(self, month: date, schema: pa.Schema, part: str) -> tuple[_Gathering, _Gathering | None]:
        """A writer for the month, best one that is at the part, and one to close because too many are open.

        Batches of CSV and of Parquet hold text in different types, and one file has one schema.
        """
        with self._lock:
            fitting = [index for index, (of, own, _) in enumerate(self._idle) if of == month and own.equals(schema)]
            if fitting:
                best = max(fitting, key=lambda index: (self._idle[index][2].part == part, index))
                return self._idle.pop(best)[2], None
            unused = None
            if self._open >= self._limit and self._idle:
                unused = self._idle.pop(0)[2]
                self._open -= 1
            if month not in self._months:
                self._months[month] = (self._folder_of(month), [*range(self._first_file)])
            folder, numbers = self._months[month]
            writer = _Gathering(SliceWriter(folder, self._load_id, numbers))
            self._open += 1
            self._all.append((month, writer))
            return writer, unused
