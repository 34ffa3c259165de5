"""A bill's table in Athena as a place where deliveries lie: a month is one object, read window by window when it is opened."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import BinaryIO

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.config.athena import AthenaSettings
from cost_lakehouse.config.source import AthenaSourceSettings
from cost_lakehouse.errors import DeliveryRefused, SourceError
from cost_lakehouse.sources.aws.athena.cache import KeptResults, WindowResult
from cost_lakehouse.sources.aws.athena.errors import OverTheCap
from cost_lakehouse.sources.aws.athena.queries import AthenaQueries, Spent
from cost_lakehouse.sources.aws.athena.reader import GIGABYTE, Notify, WindowDone, WindowReader
from cost_lakehouse.sources.aws.athena.sql import SUM_DIGITS, Window
from cost_lakehouse.sources.aws.athena.versions import TableVersions
from cost_lakehouse.sources.aws.manifest import first_of_month
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.storage.object_store import StoredObject

_ALMOST = 1e-9  # by how much sums of doubles may differ for being added up in another order


class AthenaTable:
    """A table whose months are objects; see ``key_of``. Opening one runs the queries whose results are not cached."""

    def __init__(
        self, source: SourceSettings, athena: AthenaSettings, kept: Path, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """``kept`` is the folder for results that wait for their month to be whole."""
        self._source = source
        self._athena = athena
        self._folder = kept
        self._queries = AthenaQueries(source, athena, pause)
        self.versions = TableVersions(self._queries, athena.database, athena.table)
        self._reader = WindowReader(source, athena, self._queries, self.versions)
        self._opened: tuple[KeptResults, dict[Window, WindowResult]] | None = None

    @classmethod
    def of(cls, settings: Settings, source: AthenaSourceSettings) -> AthenaTable:
        """The table of a source of kind ``aws_athena``.

        Raises SourceError where its credentials cannot be used.
        """
        return cls(source, source.athena, settings.dagster_home / "athena" / source.name)

    @property
    def spent(self) -> Spent:
        """What the queries so far have scanned."""
        return self._queries.spent

    def report_to(self, tell: Notify, done: WindowDone) -> None:
        """Say, after each window, how far the month is."""
        self._reader.tell, self._reader.done = tell, done

    @property
    def windows(self) -> tuple[int, int]:
        """How many windows the month has that was opened, and how many of them needed no query."""
        return len(self._opened[1]) if self._opened else 0, self._reader.kept

    def key_of(self, month: date) -> str:
        """The key of a month's object."""
        return f"athena/{self._athena.label}/{month:%Y-%m}.parquet"

    def describe(self, key: str) -> str:
        """The key for people."""
        return f"{self._source.place}, {key.rsplit('/', 1)[-1].removesuffix('.parquet')}"

    def open(self, obj: StoredObject) -> BinaryIO:
        """A month as one Parquet file, all windows in order. Windows that were read before, of this version, are not queried.

        Raises OverTheCap where it would scan too much, SourceError where Athena or the place of results cannot be used.
        """
        month = _month_of(obj.key)
        cap = self._athena.max_scanned_gb
        if cap is not None and obj.size > cap * GIGABYTE:
            raise OverTheCap(f"{self.describe(obj.key)} has {obj.size:,} bytes, and to read it scans them all", cap)
        unload = self._may_unload
        try:
            kept, results = self._read(month, obj.etag, unload)
        except SourceError as error:
            # What worked for one window is no lack of rights: another try goes on from there.
            if not unload or self._athena.unload or self._kept(month, obj.etag, unload).has_windows:
                raise
            self._reader.tell(f"UNLOAD is not possible ({error.problem}); results are read page by page, which is slower.")
            kept, results = self._read(month, obj.etag, unload=False)
        self._opened = (kept, results)
        return kept.merged(results, self.versions.table.columns)

    def is_unchanged(self, delivery: Delivery) -> bool:
        """Whether the table still has the version that was read, whole; looks at the rows that were read, too.

        Raises DeliveryRefused where the windows do not add up to the month that they are windows of.
        """
        month = _month_of(delivery.objects[0].key)
        totals = self.versions.totals(month) if self._opened else None
        now = [version.name for version in self.versions.versions(month)]
        if now != [delivery.delivery_id] or self.versions.is_updating():
            self.forget(month)
            return False
        if self._opened is None or totals is None:
            return True
        kept, results = self._opened
        found = [f"{totals.rows:,} rows, of which {(rows := sum(result.rows for result in results.values())):,} were read"]
        found = found if rows != totals.rows else []
        for name, (total, absolute) in totals.sums.items():
            read = sum(result.sums[name][0] for result in results.values())
            if abs(total - read) > _ALMOST * absolute + totals.rows * 10.0**-SUM_DIGITS:
                found.append(f"{name} {total!r}, of which {read!r} were read")
        if found:
            kept.forget_windows()
            kept.skip_to(kept.next_try() + 1)
            raise DeliveryRefused(
                f"{self.describe(self.key_of(month))}: the windows are not the whole month, which has {'; '.join(found)}.",
                "Nothing was committed. Run it again: everything is queried anew. If it stays so, please report it.",
            )
        return True

    def forget(self, month: date) -> None:
        """Remove what is kept of a month: it is in the lake, or there is a newer version."""
        shutil.rmtree(self._folder / f"{month:%Y-%m}", ignore_errors=True)

    def try_results(self) -> str:
        """How results come, found out with a query that reads nothing.

        Raises SourceError where they were to be unloaded and cannot be.
        """
        if not self._may_unload:
            return "results come page by page"
        try:
            self._reader.try_unload()
        except SourceError as error:
            if self._athena.unload:
                raise
            return f"results come page by page, because UNLOAD is not possible ({error.problem})"
        return f"results are unloaded to {self._athena.results}"

    @property
    def _may_unload(self) -> bool:
        return self._athena.results is not None and self._athena.unload is not False

    def _read(self, month: date, version: str, unload: bool) -> tuple[KeptResults, dict[Window, WindowResult]]:
        kept = self._kept(month, version, unload)
        return kept, self._reader.read(month, version, kept, unload)

    def _kept(self, month: date, version: str, unload: bool) -> KeptResults:
        how = f"{'unload' if unload else 'pages'}-{self._athena.window_days}"
        return KeptResults(self._folder / f"{month:%Y-%m}", f"{version}-{how}")


def _month_of(key: str) -> date:
    year, month = key.rsplit("/", 1)[-1].removesuffix(".parquet").split("-")
    found = first_of_month(year, month)
    if found is None:
        raise ValueError(key)
    return found
