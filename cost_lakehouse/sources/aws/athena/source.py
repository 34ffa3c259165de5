"""A bill's table in Athena as a source: a month is one object, which is queried when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import BinaryIO

from cost_lakehouse.config import Settings
from cost_lakehouse.config.source import AthenaSourceSettings
from cost_lakehouse.sources.aws.athena.discovery import discover_table
from cost_lakehouse.sources.aws.athena.table import AthenaTable
from cost_lakehouse.sources.base import Check, Delivered, Progress
from cost_lakehouse.sources.bucket import check_of_months
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.storage.object_store import StoredObject


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


class AthenaSource:
    """A table, asked as often as deliveries are listed."""

    def __init__(self, settings: Settings, source: AthenaSourceSettings) -> None:
        self._settings = source
        self._first_month = settings.lake.first_month
        self.table = AthenaTable.of(settings, source)

    @property
    def settings(self) -> AthenaSourceSettings:
        """What lakehouse.yaml says of it."""
        return self._settings

    def list_deliveries(self, month: date | None = None) -> Delivered:
        """A finding a month of the table, oldest first."""
        report = self._settings.athena.label
        return Delivered(tuple(discover_table(self.table, self._settings.name, report, self._first_month, month)))

    def open(self, obj: StoredObject) -> BinaryIO:
        """A month as one Parquet file."""
        return self.table.open(obj)

    def is_unchanged(self, delivery: Delivery) -> bool:
        """Whether the table still has the version that was read, whole."""
        return self.table.is_unchanged(delivery)

    def check(self) -> Check:
        """Which months are there, and how results come."""
        checked, newest = check_of_months(self._settings.place, self.list_deliveries().months)
        return checked if newest is None else Check(checked.state, f"{checked.says}; {self.table.try_results()}")

    def follow(self, progress: Progress, tell: Callable[[str], None]) -> Progress:
        """Windows are what takes time."""
        by_windows = ByWindows(progress)
        self.table.report_to(tell, by_windows.window_done)
        return by_windows

    def spent(self) -> Mapping[str, int | Decimal]:
        """Bytes scanned, their estimated price, queries, and the windows of the month that was read last."""
        spent = self.table.spent
        windows, cached = self.table.windows
        return {
            "athena_bytes_scanned": spent.bytes_scanned,
            "athena_estimated_price_usd": spent.price,
            "athena_queries": spent.queries,
            "athena_windows": windows,
            "athena_windows_kept": cached,
        }

    def forget(self, month: date) -> None:
        """Remove the results that were read of a month."""
        self.table.forget(month)
