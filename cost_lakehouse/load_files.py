"""Files of a delivery -> new Parquet files of a slice: all cores, bounded memory, and the delivered side of the proof."""

from __future__ import annotations

import io
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from cost_lakehouse.audit.control_totals import ControlTotals
from cost_lakehouse.errors import RejectedValue
from cost_lakehouse.formats.aws_cur import Origin
from cost_lakehouse.formats.read_delivery import Piece, csv_pieces, parquet_pieces
from cost_lakehouse.lake.slice_writer import SliceWriter
from cost_lakehouse.progress import Progress
from cost_lakehouse.sources.delivery import Delivery, FileFormat, StoredObject
from cost_lakehouse.sources.object_store import ObjectStore

REJECTED_KEPT = 1000


@dataclass
class LoadedFiles:
    """What reading a delivery gave: its control totals, the new files, and every doubt."""

    totals: ControlTotals = field(default_factory=ControlTotals)
    files: list[Path] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)  # object key -> records
    rounded: int = 0
    rejected: list[RejectedValue] = field(default_factory=list)
    rejected_count: int = 0


def load_files(
    store: ObjectStore, delivery: Delivery, folder: Path, load_id: str, progress: Progress | None = None
) -> LoadedFiles:
    """Read every file of the delivery and write its rows below ``folder``.

    Raises DeliveryFailed, DeliveryChanged or SourceError; the files written so far stay for the caller to remove.
    """
    return _Load(store, delivery, folder, load_id, progress).run()


class _Load:
    """One thread unpacks and cuts, ``os.cpu_count()`` threads type and write; a semaphore bounds what waits between them."""

    def __init__(self, store: ObjectStore, delivery: Delivery, folder: Path, load_id: str, progress: Progress | None) -> None:
        self._store = store
        self._delivery = delivery
        self._progress = progress
        self._workers = max(1, os.cpu_count() or 1)
        self._waiting = threading.Semaphore(self._workers + 1)
        self._lock = threading.Lock()
        self._progress_lock = threading.Lock()
        self._result = LoadedFiles()
        self._writers: queue.SimpleQueue[SliceWriter] = queue.SimpleQueue()
        numbers: list[int] = []
        self._all_writers = [SliceWriter(folder, load_id, numbers) for _ in range(self._workers)]
        for writer in self._all_writers:
            self._writers.put(writer)

    def run(self) -> LoadedFiles:
        futures: set[Future[None]] = set()
        try:
            with ThreadPoolExecutor(self._workers, thread_name_prefix="load") as pool:
                try:
                    for piece in self._pieces():
                        self._waiting.acquire()
                        futures = self._raise_first(futures)
                        futures.add(pool.submit(self._work, piece))
                    wait(futures, return_when=FIRST_EXCEPTION)
                finally:
                    for future in futures:
                        future.cancel()
            self._raise_first(futures)
        finally:
            for writer in self._all_writers:
                writer.close()
                self._result.files += writer.files
        return self._result

    def _pieces(self) -> Iterator[Piece]:
        for each in self._delivery.objects:
            origin = Origin(self._delivery.source, self._delivery.billing_period, self._delivery.delivery_id, each.key)
            pieces = parquet_pieces if self._delivery.file_format is FileFormat.PARQUET else csv_pieces
            self._result.records[each.key] = 0
            with self._open(each) as stream:
                for piece in pieces(stream, origin):
                    self._result.records[each.key] += piece.records
                    yield piece

    def _open(self, each: StoredObject) -> BinaryIO:
        stream = self._store.open(each)
        return stream if self._progress is None else _Counted(stream, self._advance)  # type: ignore[return-value]  # a RawIOBase

    def _advance(self, bytes_read: int, rows: int) -> None:
        if self._progress is not None:
            with self._progress_lock:
                self._progress.advance(bytes_read, rows)

    def _work(self, piece: Piece) -> None:
        try:
            typed = piece.typed()
            writer = self._writers.get()
            try:
                writer.write(typed.batch)
            finally:
                self._writers.put(writer)
            with self._lock:
                self._result.totals.merge(typed.totals)
                self._result.rounded += typed.rounded
                self._result.rejected_count += len(typed.rejected)
                self._result.rejected = sorted(
                    self._result.rejected + typed.rejected, key=lambda each: (each.file, each.record)
                )[:REJECTED_KEPT]
            self._advance(0, typed.batch.num_rows)
        finally:
            self._waiting.release()

    @staticmethod
    def _raise_first(futures: set[Future[None]]) -> set[Future[None]]:
        """The futures that still run; raises what one that ended has raised."""
        for future in futures:
            if future.done():
                future.result()
        return {future for future in futures if not future.done()}


class _Counted(io.RawIOBase):
    """Tells the progress how many delivered bytes were read."""

    def __init__(self, stream: BinaryIO, advance: Callable[[int, int], None]) -> None:
        self._stream = stream
        self._advance = advance

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if data:
            self._advance(len(data), 0)
        return data

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
