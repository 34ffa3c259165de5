"""What a load out of Athena tells while it reads, and what it reports of its queries when it is done."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

from cost_lakehouse.progress import Progress
from cost_lakehouse.sources.aws.athena.table import AthenaStore
from cost_lakehouse.sources.object_store import ObjectStore


class ByWindows:
    """A load's progress where windows are what takes time: each that is read moves it by its part of the whole."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._total = 0

    def start(self, label: str, total_bytes: int) -> None:
        """A load begins."""
        self._total = total_bytes
        self._progress.start(label, total_bytes)

    def advance(self, bytes_read: int, rows: int) -> None:
        """Rows count; the bytes are those of results on this machine, not of the table."""
        self._progress.advance(0, rows)

    def window_done(self, part: float) -> None:
        """That part of the month was read."""
        self._progress.advance(round(self._total * part), 0)

    def finish(self) -> None:
        """The load ended."""
        self._progress.finish()


class AthenaLoads:
    """Follows the stores of one load: several where AWS replaced its table meanwhile. Other stores are left alone."""

    def __init__(self, tell: Callable[[str], None], progress: Progress) -> None:
        self._tell = tell
        self._progress = progress
        self._stores: list[AthenaStore] = []

    def follow(self, store: ObjectStore) -> Progress:
        """The progress to load from the store with."""
        if not isinstance(store, AthenaStore):
            return self._progress
        self._stores.append(store)
        progress = ByWindows(self._progress)
        store.report_to(self._tell, progress.window_done)
        return progress

    @property
    def metadata(self) -> dict[str, dg.MetadataValue]:
        """Bytes scanned, estimated price, queries and windows, of all reads together; empty where Athena was not asked."""
        if not self._stores:
            return {}
        spent = [each.spent for each in self._stores]
        windows, kept = self._stores[-1].windows
        return {
            "athena_bytes_scanned": dg.MetadataValue.int(sum(each.bytes_scanned for each in spent)),
            "athena_estimated_price_usd": dg.MetadataValue.float(float(sum(each.price for each in spent))),
            "athena_queries": dg.MetadataValue.int(sum(each.queries for each in spent)),
            "athena_windows": dg.MetadataValue.int(windows),
            "athena_windows_kept": dg.MetadataValue.int(kept),
            "athena_reads": dg.MetadataValue.int(len(self._stores)),
        }
