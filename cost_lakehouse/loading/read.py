"""Files of bills -> new Parquet files by month: all cores, bounded memory, and the delivered side of the proof."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa

from cost_lakehouse.audit.file_totals import FileTotals
from cost_lakehouse.errors import DeliveryFailed, FileIsEmpty, RejectedValue
from cost_lakehouse.formats.control_totals import ControlTotals
from cost_lakehouse.formats.read_delivery import Content, Piece, csv_pieces, parquet_pieces
from cost_lakehouse.formats.table_format import TableFormat
from cost_lakehouse.formats.typed_rows import Origin, TypedPiece
from cost_lakehouse.lake.month_writers import MonthWriters
from cost_lakehouse.sources.base import Progress
from cost_lakehouse.sources.delivery import FileFormat
from cost_lakehouse.storage.object_store import StoredObject

REJECTED_KEPT = 1000
# Rows of a month's file of this size are in row groups of their own, which the next delivery can take over (loading/reuse.py):
# smaller files are read again sooner than their many small row groups are written.
OWN_GROUPS_BYTES = 256 * 1024
# Smaller ones, too, where a manifest says their SHA-256: of hundreds of writers' files in a store one is asked for, not all.
_SHA256_DIGITS = 64
_USUAL_MEMORY = pa.default_memory_pool()


def _is_kept_apart(found: StoredObject) -> bool:
    return found.size >= OWN_GROUPS_BYTES or len(found.etag) == _SHA256_DIGITS


class Openable(Protocol):
    """Where the content of listed objects is."""

    def open(self, obj: StoredObject) -> BinaryIO:
        """The content, to be read once from front to back; raises DeliveryChanged, DeliveryFailed or SourceError."""


@dataclass(frozen=True)
class FilesToLoad:
    """Which objects of a source to load, and how. ``billing_period`` is None where each row tells its own month.

    An object whose name ends in ``.parquet`` is Parquet whatever the others are. ``adds`` says that the objects add to a bill
    one by one: then an empty one has no rows, and what each one says is digested; else its bytes are. New files are numbered
    from ``first_file``. ``threads`` type and write; 0: one for each core.
    """

    source: str
    delivery_id: str
    objects: tuple[StoredObject, ...]
    format: TableFormat
    file_format: FileFormat = FileFormat.CSV
    billing_period: date | None = None
    adds: bool = False
    first_file: int = 0
    threads: int = 0


@dataclass
class LoadedSlice:
    """What a load brings to one month: its control totals and new files."""

    totals: ControlTotals = field(default_factory=ControlTotals)
    files: list[Path] = field(default_factory=list)
    records: Counter[str] = field(default_factory=Counter)  # object key -> its records of this month
    rounded: int = 0


@dataclass
class LoadedFiles:
    """What reading the objects gave: every month they have rows of, and every doubt.

    Where all rows are of one known month, that month is there even without a row.
    """

    slices: dict[date, LoadedSlice] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)  # object key -> all its records, counted before they were read
    contents: dict[str, str] = field(default_factory=dict)  # object key -> the digest of its content, where it has records
    files: dict[str, FileTotals] = field(default_factory=dict)  # object key -> its own totals, where objects are a whole month
    rows_digests: dict[str, str] = field(
        default_factory=dict
    )  # object key -> the digest of its stored rows, where they have one
    rejected: list[RejectedValue] = field(default_factory=list)  # the first ones
    rejected_count: int = 0
    rejected_by_object: Counter[str] = field(default_factory=Counter)

    @property
    def rounded(self) -> int:
        """How many values were rounded, in all months."""
        return sum(slice_.rounded for slice_ in self.slices.values())

    def add(self, other: LoadedFiles) -> None:
        """Add what reading other objects of the same delivery gave."""
        for month, part in other.slices.items():
            own = self.month(month)
            own.totals.merge(part.totals)
            own.files += part.files
            own.records.update(part.records)
            own.rounded += part.rounded
        self.records |= other.records
        self.contents |= other.contents
        self.files |= other.files
        self.rows_digests |= other.rows_digests
        self.reject(other.rejected, other.rejected_count, other.rejected_by_object)

    def reject(self, rejected: Sequence[RejectedValue], count: int, by_object: Mapping[str, int]) -> None:
        """Take rejected values in; the first ones are kept."""
        self.rejected_count += count
        self.rejected_by_object.update(by_object)
        self.rejected = sorted([*self.rejected, *rejected], key=lambda one: (one.file, one.record))[:REJECTED_KEPT]

    def month(self, month: date) -> LoadedSlice:
        """What was loaded of that month, made on first use."""
        return self.slices.setdefault(month, LoadedSlice())


def load_files(
    source: Openable,
    request: FilesToLoad,
    folder_of: Callable[[date], Path],
    load_id: str,
    progress: Progress | None = None,
) -> LoadedFiles:
    """Read every object and write its rows below its months' folders; ``folder_of`` is asked once a month.

    Raises DeliveryFailed or DeliveryChanged (with the object's ``key``) or SourceError; the files written so far stay for the
    caller to remove.
    """
    _choose_memory(request.file_format)
    return _Load(source, request, folder_of, load_id, progress).run()


def _choose_memory(file_format: FileFormat) -> None:
    """Parquet is read into large arrays, whose pages mimalloc gives back and gets again, zeroed; jemalloc keeps them.

    CSV does better with the usual allocator. Who names one in Arrow's own variable gets that one.
    """
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        keeps = file_format is FileFormat.PARQUET and "jemalloc" in pa.supported_memory_backends()
        pa.set_memory_pool(pa.jemalloc_memory_pool() if keeps else _USUAL_MEMORY)


class _Load:
    """One thread unpacks and cuts, others (one a core) type and write; a semaphore bounds what waits between them."""

    def __init__(
        self,
        source: Openable,
        request: FilesToLoad,
        folder_of: Callable[[date], Path],
        load_id: str,
        progress: Progress | None,
    ) -> None:
        self._source = source
        self._request = request
        self._progress = progress
        self._workers = request.threads or max(1, os.cpu_count() or 1)
        self._waiting = threading.Semaphore(self._workers + 1)
        self._lock = threading.Lock()
        self._progress_lock = threading.Lock()
        self._result = LoadedFiles()
        if request.billing_period is not None:
            self._result.month(request.billing_period)
        self._writers = MonthWriters(folder_of, load_id, self._workers, request.first_file)
        self._alone = set() if request.adds else {found.key for found in request.objects if _is_kept_apart(found)}

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
            files = self._writers.close()
        for month, paths in files.items():
            self._result.month(month).files = paths
        return self._result

    def _pieces(self) -> Iterator[Piece]:
        request = self._request
        for stored_object in request.objects:
            origin = Origin(request.source, request.billing_period, request.delivery_id, stored_object.key)
            is_parquet = request.file_format is FileFormat.PARQUET or stored_object.key.lower().endswith(".parquet")
            pieces = parquet_pieces if is_parquet else csv_pieces
            self._result.records[stored_object.key] = 0
            if request.adds and not stored_object.size:
                continue
            content = Content() if request.adds else None
            try:
                with self._open(stored_object) as stream:
                    for piece in pieces(stream, origin, request.format, content):  # type: ignore[arg-type]  # a RawIOBase
                        self._result.records[stored_object.key] += piece.records
                        yield piece
                digest = content.digest if content is not None else stream.digest_of(stored_object.size)
                if digest and self._result.records[stored_object.key]:
                    self._result.contents[stored_object.key] = digest
            except FileIsEmpty as error:
                if not request.adds:
                    error.key = stored_object.key
                    raise
            except DeliveryFailed as error:
                error.key = stored_object.key
                raise

    def _open(self, each: StoredObject) -> _Watched:
        return _Watched(self._source.open(each), self._advance, digests=not self._request.adds)

    def _advance(self, bytes_read: int, rows: int) -> None:
        if self._progress is not None:
            with self._progress_lock:
                self._progress.advance(bytes_read, rows)

    def _work(self, piece: Piece) -> None:
        try:
            typed = piece.typed()
            for month, rows in typed.months.items():
                self._writers.write(month, rows.batch, piece.file if piece.file in self._alone else "")
            with self._lock:
                self._add(piece, typed)
            self._advance(0, piece.records)
        except DeliveryFailed as error:
            error.key = piece.file
            raise
        finally:
            self._waiting.release()

    def _add(self, piece: Piece, typed: TypedPiece) -> None:
        result = self._result
        for month, rows in typed.months.items():
            loaded = result.month(month)
            loaded.totals.merge(rows.totals)
            loaded.records[piece.file] += rows.batch.num_rows
            loaded.rounded += rows.rounded
            if not self._request.adds:
                result.files.setdefault(piece.file, FileTotals()).add(rows.totals, rows.rounded)
        if typed.rejected:
            result.reject(typed.rejected, len(typed.rejected), {piece.file: len(typed.rejected)})

    @staticmethod
    def _raise_first(futures: set[Future[None]]) -> set[Future[None]]:
        """The futures that still run; raises what one that ended has raised."""
        for future in futures:
            if future.done():
                future.result()
        return {future for future in futures if not future.done()}


class _Watched(io.RawIOBase):
    """Tells the progress how many delivered bytes were read, and digests them."""

    def __init__(self, stream: BinaryIO, advance: Callable[[int, int], None], *, digests: bool) -> None:
        self._stream = stream
        self._advance = advance
        self._digest = hashlib.sha256() if digests else None
        self._count = 0

    def digest_of(self, size: int) -> str:
        """SHA-256 of all that was read; empty unless that is ``size`` bytes."""
        return self._digest.hexdigest() if self._digest is not None and self._count == size else ""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if data:
            self._count += len(data)
            if self._digest is not None:
                self._digest.update(data)
            self._advance(len(data), 0)
        return data

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
