"""Reads a month out of Athena, window by window, within the cap, and tells how far it is."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Callable
from datetime import date
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from cost_lakehouse.config import SourceSettings
from cost_lakehouse.config.athena import AthenaSettings
from cost_lakehouse.errors import DeliveryFailed, SourceError
from cost_lakehouse.sources.aws.athena.cache import KeptResults, WindowResult, write_pages
from cost_lakehouse.sources.aws.athena.errors import OverTheCap, QueryFailed
from cost_lakehouse.sources.aws.athena.queries import AthenaQueries, Executed
from cost_lakehouse.sources.aws.athena.sql import Window, unload_sql, windows_of
from cost_lakehouse.sources.aws.athena.versions import TableVersions
from cost_lakehouse.storage.s3_client import make_s3_client
from cost_lakehouse.storage.s3_errors import S3Errors
from cost_lakehouse.storage.s3_store import S3Store, split_location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TRIES = 3  # of a window's query, where AWS says that another one may pass
OLD_TRIES = 100  # remembered queries of earlier runs that are passed over
GIGABYTE = 10**9

Notify = Callable[[str], None]
WindowDone = Callable[[float], None]  # which part of the month was read now


class WindowReader:
    """Brings the windows of a month to this machine. Every method raises SourceError where AWS refuses."""

    def __init__(self, source: SourceSettings, athena: AthenaSettings, queries: AthenaQueries, versions: TableVersions) -> None:
        self._source = source
        self._athena = athena
        self._queries = queries
        self._versions = versions
        self._client: S3Client | None = None  # made once: that takes a while
        self.tell: Notify = lambda _: None
        self.done: WindowDone = lambda _: None
        self.kept = 0  # windows that needed no query

    def read(self, month: date, version: str, kept: KeptResults, unload: bool) -> dict[Window, WindowResult]:
        """Every window of the month, in order; queries those that are not kept.

        Raises OverTheCap before a query that would scan too much, and while one does.
        """
        windows = windows_of(month, self._athena.window_days)
        results = {window: result for window in windows if (result := kept.of(window)) is not None}
        self.kept = len(results)
        scanned = sum(candidate.bytes_scanned for candidate in results.values())
        largest = max((candidate.bytes_scanned for candidate in results.values()), default=0)
        self.done(len(results) / len(windows))
        for window in windows:
            if window in results:
                continue
            limit = self._limit(month, scanned, largest)
            read_it = self._unload if unload else self._page
            result = results[window] = read_it(window, version, kept, limit)
            scanned += result.bytes_scanned
            largest = max(largest, result.bytes_scanned)
            self.done(1 / len(windows))
            percent = len(results) * 100 // len(windows)
            self.tell(
                f"{self._source.name} {month:%Y-%m}: window {window.number} of {window.of} read ({percent} %), "
                f"{result.rows:,} rows; {scanned:,} bytes scanned, about {self._queries.spent.price:.4f} USD in this run"
            )
        return {window: results[window] for window in windows}

    def try_unload(self) -> None:
        """Let Athena write no rows, and read what it says of that.

        Raises SourceError where one of the two is not allowed.
        """
        place = f"{self._athena.results}/{self._source.name}/tried/{uuid.uuid4()}/"
        executed = self._queries.run(unload_sql(self._versions.table.nothing_sql(), place))
        if executed.manifest is not None:
            store, key = self._at(executed.manifest)
            manifest = store.head(key)
            if manifest is not None:
                store.read(manifest)

    def _label(self, month: date) -> str:
        return f"{self._source.place}, {month:%Y-%m}"

    def _limit(self, month: date, scanned: int, largest: int) -> int | None:
        """How many bytes the next query may scan. A window may scan about what the largest before it did."""
        cap = self._athena.max_scanned_gb
        if cap is None:
            return None
        left = int(cap * GIGABYTE) - scanned
        if left < largest or left <= 0:
            what = f"{self._label(month)}: {scanned:,} bytes were scanned, and the next window may scan {largest:,}"
            raise OverTheCap(what, cap)
        return left

    def _unload(self, window: Window, version: str, kept: KeptResults, limit: int | None) -> WindowResult:
        select = self._versions.table.window_sql(window, as_text=False)
        place = f"{self._athena.results}/{self._source.name}/{window.month:%Y-%m}/{version}/{window.name}"
        return self._query(
            window, version, kept, limit, lambda number: unload_sql(select, f"{place}-{number}/"), self._fetch_files
        )

    def _page(self, window: Window, version: str, kept: KeptResults, limit: int | None) -> WindowResult:
        select = self._versions.table.window_sql(window, as_text=True)
        return self._query(window, version, kept, limit, lambda _: select, self._fetch_pages)

    def _query(
        self,
        window: Window,
        version: str,
        kept: KeptResults,
        limit: int | None,
        sql_of: Callable[[int], str],
        fetch: Callable[[Executed, KeptResults, Window], list[Path] | None],
    ) -> WindowResult:
        """Run a window's query, or take the results of the run that a killed load has left at AWS."""
        tries = 0
        where = (self._athena.workgroup, self._athena.catalog, self._athena.results)
        for number in count(kept.next_try()):
            sql = sql_of(number)
            token = hashlib.sha256(f"{where} {version} {number} {sql}".encode()).hexdigest()
            try:
                executed = self._queries.run(sql, token, limit)
                files = fetch(executed, kept, window)
                if files is not None:
                    return kept.keep(window, files, self._versions.table.metrics, executed.query_id, executed.bytes_scanned)
            except OverTheCap:
                kept.skip_to(number + 1)
                raise
            except QueryFailed as error:
                kept.skip_to(number + 1)
                tries += not error.is_old
                if tries and (not error.may_pass or tries >= TRIES):
                    raise
            if number > OLD_TRIES:
                break
        raise DeliveryFailed(
            f"{self._source.place}: the results of query {window.name} of {window.month:%Y-%m} are not there any more.",
            "Keep results for a day at least (the lifecycle rule of the place of results), and run it again.",
        )

    def _fetch_files(self, executed: Executed, kept: KeptResults, window: Window) -> list[Path] | None:
        """The Parquet files that UNLOAD wrote; None where an earlier run's are gone. Without a row there is no file."""
        old = self._queries.is_old(executed.submitted)
        if executed.manifest is None:
            return None if old else []
        store, key = self._at(executed.manifest)
        manifest = store.head(key)
        if manifest is None:
            return None if old else []
        files: list[Path] = []
        for place in store.read(manifest).decode().splitlines():
            address = place.strip().strip('"')
            if not address:
                continue
            store, key = self._at(address)
            found = store.head(key)
            if found is None and old:
                return None
            if found is None:
                raise DeliveryFailed(f"{address}, a result of Athena, is not there.", "Run it again.")
            files.append(kept.new_file(window, len(files)))
            with store.open(found) as content, files[-1].open("wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
        return files

    def _fetch_pages(self, executed: Executed, kept: KeptResults, window: Window) -> list[Path] | None:
        path = kept.new_file(window, 0)
        try:
            write_pages(path, list(self._versions.table.columns), self._queries.pages(executed))
        except SourceError:
            if self._queries.is_old(executed.submitted):
                return None
            raise
        return [path]

    def _at(self, address: str) -> tuple[S3Store, str]:
        """The bucket of ``s3://bucket/key``, and the key."""
        bucket, key = split_location(address)
        errors = S3Errors.of(self._source, bucket, key.rpartition("/")[0])
        if self._client is None:
            try:
                self._client = make_s3_client(self._source)
            except BotoCoreError as error:
                raise errors.explain(error, address) from None
        return S3Store(self._client, bucket, errors), key
