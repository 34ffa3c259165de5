"""Results of queries that are kept aside on this machine until their month is in the lake, so that a killed load goes on."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.sources.aws.athena.sql import Window

_BATCH_ROWS = 64 * 1024
_NEXT_TRY = "next-try"


@dataclass(frozen=True)
class WindowResult:
    """What a window's query gave. ``sums`` are of the columns that are compared: sum, and sum of absolute values."""

    rows: int
    bytes_scanned: int
    query_id: str
    files: dict[str, int]  # name -> size
    sums: dict[str, tuple[float, float]] = field(default_factory=dict)


_STORED = TypeAdapter(WindowResult)


class KeptResults:
    """The results of one version of one month, window by window, in a folder of their own."""

    def __init__(self, months: Path, version: str) -> None:
        """``months`` is the month's folder: what it holds of other versions is removed on the first write."""
        self._months = months
        self.folder = months / version

    def of(self, window: Window) -> WindowResult | None:
        """The window's result, where all of it is there."""
        try:
            result = _STORED.validate_json(self._note(window).read_bytes())
            whole = all((self.folder / name).stat().st_size == size for name, size in result.files.items())
        except (OSError, ValueError):
            return None
        return result if whole else None

    @property
    def has_windows(self) -> bool:
        """Whether any window was read."""
        return any(self.folder.glob("*-of-*.json"))

    def new_file(self, window: Window, number: int) -> Path:
        """Where one of the window's files is to be written."""
        if not self.folder.exists():
            shutil.rmtree(self._months, ignore_errors=True)
            self.folder.mkdir(parents=True)
        return self.folder / f"{window.name}-{number:05d}.parquet"

    def keep(self, window: Window, files: Sequence[Path], metrics: Iterable[str], query_id: str, scanned: int) -> WindowResult:
        """Put on record that the window was read whole."""
        rows, sums = _count(files, list(metrics))
        self.folder.mkdir(parents=True, exist_ok=True)
        result = WindowResult(rows, scanned, query_id, {path.name: path.stat().st_size for path in files}, sums)
        unfinished = self.folder / f"{window.name}.new"
        unfinished.write_text(json.dumps(asdict(result)), encoding="utf-8")
        unfinished.replace(self._note(window))
        return result

    def next_try(self) -> int:
        """The number of the next try of a query: AWS remembers a token, and what became of its query."""
        try:
            return int((self.folder / _NEXT_TRY).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0

    def skip_to(self, number: int) -> None:
        """Later queries begin with that try."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _NEXT_TRY).write_text(str(number), encoding="utf-8")

    def merged(self, results: Mapping[Window, WindowResult], columns: Iterable[str]) -> BinaryIO:
        """All windows as one Parquet file, in their order; it is gone when it is closed.

        Raises DeliveryFailed where a file cannot be read.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        stream = cast(BinaryIO, tempfile.TemporaryFile(dir=self.folder))  # noqa: SIM115 - closed by the caller
        paths = [self.folder / name for result in results.values() for name in sorted(result.files)]
        try:
            with _writer(stream, paths, columns) as writer:
                for path in paths:
                    with pq.ParquetFile(path) as file:
                        for batch in file.iter_batches(_BATCH_ROWS):
                            writer.write_table(pa.Table.from_batches([batch]).cast(writer.schema))
        except (pa.ArrowException, OSError, ValueError) as error:
            stream.close()
            raise DeliveryFailed(
                f"A result of Athena in {self.folder} cannot be read: {error}.", "Remove that folder, and run it again."
            ) from None
        stream.seek(0)
        return stream

    def forget_windows(self) -> None:
        """Remove the results, but not which try is next."""
        for path in self.folder.glob("*-of-*"):
            path.unlink()

    def forget(self) -> None:
        """Remove everything of the month."""
        shutil.rmtree(self._months, ignore_errors=True)

    def _note(self, window: Window) -> Path:
        return self.folder / f"{window.name}.json"


def write_pages(path: Path, names: Sequence[str], pages: Iterable[list[list[str | None]]]) -> None:
    """Rows of text as a Parquet file of text columns."""
    schema = pa.schema([(name, pa.string()) for name in names])
    with pq.ParquetWriter(path, schema) as writer:
        waiting: list[list[str | None]] = []
        for page in pages:
            waiting += page
            if len(waiting) >= _BATCH_ROWS:
                writer.write_table(_table(waiting, schema))
                waiting = []
        if waiting:
            writer.write_table(_table(waiting, schema))


def _table(rows: Sequence[Sequence[str | None]], schema: pa.Schema) -> pa.Table:
    return pa.table([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema=schema)


def _writer(stream: BinaryIO, paths: Sequence[Path], columns: Iterable[str]) -> pq.ParquetWriter:
    schema = pq.read_schema(paths[0]) if paths else pa.schema([(name, pa.string()) for name in columns])
    return pq.ParquetWriter(stream, schema.remove_metadata())


def _count(files: Sequence[Path], metrics: Sequence[str]) -> tuple[int, dict[str, tuple[float, float]]]:
    """The rows of some files, and the sums of some of their columns."""
    rows = 0
    parts: dict[str, list[tuple[float, float]]] = {name: [] for name in metrics}
    for path in files:
        with pq.ParquetFile(path) as file:
            rows += file.metadata.num_rows
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(metrics)):
                for name in metrics:
                    numbers = _numbers(batch.column(name))
                    parts[name].append((pc.sum(numbers).as_py() or 0.0, pc.sum(pc.abs(numbers)).as_py() or 0.0))
    return rows, {name: (math.fsum(a for a, _ in item), math.fsum(b for _, b in item)) for name, item in parts.items()}


def _numbers(column: pa.Array) -> pa.Array:
    """Numbers as doubles; text that is none counts as null, as TRY_CAST takes it (the load itself refuses it)."""
    if not pa.types.is_string(column.type):
        return column.cast(pa.float64(), safe=False)
    number = pc.match_substring_regex(column, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    return pc.if_else(number, column, None).cast(pa.float64())
