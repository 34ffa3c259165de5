"""Discovery of legacy AWS Cost and Usage Reports: for each month the newest complete delivery, or why there is none."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed, SourceError
from cost_lakehouse.sources.aws.cur_layout import (
    STATUS_FOLDER,
    ReportLocation,
    last_part,
    month_of,
    parts,
    period_of,
    year_of,
)
from cost_lakehouse.sources.aws.manifest import ManifestError, parse_manifest
from cost_lakehouse.sources.aws.manifest_resolver import (
    MANIFEST_SUFFIX,
    Lookup,
    MonthScan,
    ResolvedManifest,
    files_are_unchanged,
)
from cost_lakehouse.sources.delivery import Delivery, Finding, Status
from cost_lakehouse.sources.location_hints import LEGACY, Found, LocationHints, wrong_place
from cost_lakehouse.storage.object_store import ObjectStore, StoredObject

UPDATING = "UPDATING"
MONTHS_AT_ONCE = 8


def discover_report(store: ObjectStore, prefix: str, source: str, month: date | None = None) -> list[Finding]:
    """One finding a month of the report at ``prefix``, oldest month first; ``month`` restricts it to one.

    A month-level manifest decides; other deliveries of the month are looked at only while its own is not complete. Raises
    SourceError where the store cannot be listed, or where the location is no report but others are near.
    """
    return _Report(store, ReportLocation(prefix), source).findings(month)


def is_unchanged(store: ObjectStore, delivery: Delivery) -> bool:
    """Whether manifest and files are still those of the delivery: read this after the data, before the commit.

    AWS replaces the files of an overwritten report one by one. A manifest of the same delivery, and every file with the ETag it
    was read with, mean that no two versions were mixed.
    """
    try:
        found = store.head(delivery.manifest.key) if delivery.manifest else None
        if found is None:
            return False
        manifest = parse_manifest(store.read(found))
    except (DeliveryChanged, ManifestError):
        return False
    same_files = [parts(key) for key in manifest.keys] == [parts(stored_object.key) for stored_object in delivery.objects]
    if manifest.assembly_id != delivery.delivery_id or not same_files:
        return False
    return files_are_unchanged(store, delivery.objects)


class _Report:
    """One look at one report. Months are looked at by several threads; what they share is only ever added to."""

    def __init__(self, store: ObjectStore, location: ReportLocation, source: str) -> None:
        self._store = store
        self._location = location
        self._source = source
        self._lookup = Lookup(store)
        self._updating: str | None = None

    def findings(self, month: date | None) -> list[Finding]:
        if not self._location.report:
            found = LocationHints(self._store, self._location.folder).find()
            raise wrong_place(self._source, "aws_cur", self._store, self._location.folder, found)
        months = self._months(month)
        if not months:
            return [self._nothing_there()]
        if month is not None:
            return [self._month(month, months[month]) if month in months else self._not_that_month(month, months)]
        # A month takes about three requests that mostly wait for the network.
        with ThreadPoolExecutor(MONTHS_AT_ONCE) as pool:
            return list(pool.map(lambda one: self._month(one, months[one]), sorted(months)))

    def _months(self, only: date | None) -> dict[date, list[str]]:
        """The folders of each month: AWS's period folders, and the Athena integration's ``year=/month=``."""
        try:
            return self._months_listed(only)
        except DeliveryFailed as error:
            raise SourceError(error.problem, error.fix) from None

    def _months_listed(self, only: date | None) -> dict[date, list[str]]:
        top = self._lookup.level(self._location.folder)
        months: dict[date, list[str]] = {}
        for folder in top.folders:
            period = period_of(last_part(folder))
            if period is not None:
                months.setdefault(period, []).append(folder)
        if self._location.athena_folder in top.folders:
            for period, folder in self._athena_months(only):
                months.setdefault(period, []).append(folder)
        return months

    def _athena_months(self, only: date | None) -> Iterator[tuple[date, str]]:
        for year_folder in self._lookup.level(self._location.athena_folder).folders:
            year = year_of(last_part(year_folder))
            if year is None or (only is not None and year != only.year):
                continue
            for folder in self._lookup.level(year_folder).folders:
                month = month_of(last_part(folder))
                if month is not None:
                    yield date(year, month, 1), folder

    def _month(self, period: date, folders: list[str]) -> Finding:
        look = MonthScan(
            self._store,
            self._lookup,
            self._source,
            self._location.report,
            period,
            lambda manifest: self._resolve(manifest, period),
            self._obstacle,
        )
        return look.finding(self._candidates(folders), lambda: self._no_manifest(folders))

    def _candidates(self, folders: list[str]) -> Iterator[StoredObject]:
        """Manifests in the order in which they are asked. The copies are listed only if the month's own do not settle it."""
        name = self._location.manifest_name
        own = [found for folder in folders if (found := self._lookup.level(folder).find(f"{folder}{name}")) is not None]
        yield from sorted(own, key=lambda one: (one.last_modified, one.key), reverse=True)
        copies = [
            entry
            for folder in folders
            for entry in self._store.list(folder)
            if entry.name == name and entry.key.removeprefix(folder).count("/") == 1
        ]
        yield from sorted(copies, key=lambda one: (one.last_modified, last_part(one.key.rpartition("/")[0])), reverse=True)

    def _resolve(self, manifest: StoredObject, period: date) -> ResolvedManifest:
        parsed = parse_manifest(self._store.read(manifest))
        if parsed.billing_period != period:
            raise ManifestError(f"it lies in the folder of {period:%Y-%m} and is of {parsed.billing_period:%Y-%m}")
        if parsed.report_name is not None and parsed.report_name != self._location.report:
            raise ManifestError(f"it is of the report {parsed.report_name!r}, not of {self._location.report!r}")
        keys = tuple(self._location.resolve(key, period) for key in parsed.keys)
        return ResolvedManifest(parsed.assembly_id, keys, parsed.file_format)

    def _obstacle(self, keys: tuple[str, ...]) -> str:
        return self._athena_status() if any(key.startswith(self._location.athena_folder) for key in keys) else ""

    def _athena_status(self) -> str:
        """Why the Parquet files must not be read now (AWS's status table says UPDATING while it replaces them), or "" """
        if self._updating is None:
            self._updating = ""
            folder = f"{self._location.athena_folder}{STATUS_FOLDER}/"
            level = self._lookup.level(self._location.athena_folder)
            status_files = self._lookup.level(folder).objects if folder in level.folders else ()
            for status_file in status_files:
                if status_file.name.endswith(".parquet") and UPDATING in self._statuses(status_file):
                    self._updating = (
                        f"waits for AWS, which is replacing its files ({self._store.describe(status_file.key)} says {UPDATING})"
                    )
        return self._updating

    def _statuses(self, status_file: StoredObject) -> set[str]:
        content = self._store.read(status_file)
        try:
            table = pq.read_table(io.BytesIO(content), columns=["status"])
        except (pa.ArrowInvalid, KeyError, OSError) as error:
            raise DeliveryFailed(
                f"{self._store.describe(status_file.key)} cannot be read, so nobody knows whether AWS is replacing the files: "
                f"{error}.",
                "Wait for the next delivery; remove the file if the report has no Athena integration any more.",
            ) from None
        return {str(value).strip().upper() for value in table.column("status").to_pylist()}

    def _no_manifest(self, folders: list[str]) -> str:
        others = sorted(
            {
                stored_object.name
                for folder in folders
                for stored_object in self._lookup.level(folder).objects
                if stored_object.name.endswith(MANIFEST_SUFFIX) and stored_object.name != self._location.manifest_name
            }
        )
        hint = f" There is {', '.join(others)}: `location` must end with that report's name." if others else ""
        return f"There is no manifest yet ({self._store.describe(folders[0] + self._location.manifest_name)}).{hint}"

    def _not_that_month(self, month: date, months: dict[date, list[str]]) -> Finding:
        there = ", ".join(f"{candidate:%Y-%m}" for candidate in sorted(months))
        folder = self._store.describe(self._location.folder)
        return self._waiting(month, f"There is no delivery of {month:%Y-%m} under {folder}; months there: {there}.")

    def _nothing_there(self) -> Finding:
        hints = LocationHints(self._store, self._location.folder)
        folder, here = self._location.folder, hints.here()
        found = [Found(folder, here)] if here else hints.find()
        if found:
            raise wrong_place(self._source, "aws_cur", self._store, folder, found)
        place = self._store.describe(folder)
        if content := hints.content():
            reason = f"There is no manifest under {place}, and no folder of a month; it holds: {content}."
        else:
            reason = f"There is no manifest yet under {place}: AWS delivers the first report within 24 hours; check `location`."
        beside = ", ".join(self._store.describe(item.folder) for item in hints.beside() if item.what == LEGACY)
        return self._waiting(None, f"{reason} Reports beside it: {beside}." if beside else reason)

    def _waiting(self, period: date | None, reason: str) -> Finding:
        return Finding(self._source, period, Status.WAITING, reason=reason)
