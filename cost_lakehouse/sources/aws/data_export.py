"""Discovery of AWS Data Exports: for each month the newest complete delivery, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed, SourceError
from cost_lakehouse.sources.aws.cur_layout import last_part, parts
from cost_lakehouse.sources.aws.data_export_layout import ExportLocation, billing_period_of, is_manifest
from cost_lakehouse.sources.aws.data_export_manifest import ExportManifest, parse_export_manifest
from cost_lakehouse.sources.aws.manifest import ManifestError
from cost_lakehouse.sources.aws.manifest_resolver import Lookup, MonthScan, ResolvedManifest, files_are_unchanged
from cost_lakehouse.sources.delivery import Delivery, Finding, Status
from cost_lakehouse.sources.location_hints import EXPORT, Found, LocationHints, wrong_place
from cost_lakehouse.storage.object_store import ObjectStore, StoredObject

KIND = "aws_data_export"
MONTHS_AT_ONCE = 8


def discover_export(
    store: ObjectStore, location: ExportLocation, source: str, month: date | None = None, kind: str = KIND
) -> list[Finding]:
    """One finding a month of the export at ``location``, oldest month first; ``month`` restricts it to one.

    ``kind`` is the source's: exports of FOCUS are laid out like those of CUR 2.0. Only files that a manifest lists are ever
    part of a delivery: in create-new mode the files of every earlier delivery stay beside.
    Raises SourceError where the store cannot be listed, or where the location is no export.
    """
    return _Export(store, location, source, kind).findings(month)


def is_unchanged(store: ObjectStore, delivery: Delivery) -> bool:
    """Whether manifest and files are still those of the delivery: read this after the data, before the commit.

    AWS replaces the files of an overwritten export one by one, and its manifest last.
    """
    if delivery.manifest is None:
        return files_are_unchanged(store, delivery.objects)
    try:
        found = store.head(delivery.manifest.key)
        if found is None:
            return False
        manifest = parse_export_manifest(store.read(found))
    except (DeliveryChanged, ManifestError):
        return False
    same_files = {tuple(parts(file.key)) for file in manifest.files} == {
        tuple(parts(stored_object.key)) for stored_object in delivery.objects
    }
    same_id = execution_of(manifest, found) == delivery.delivery_id
    return same_id and same_files and files_are_unchanged(store, delivery.objects)


def execution_of(manifest: ExportManifest, found: StoredObject) -> str:
    """What tells this delivery from others: AWS's id of the execution, else the manifest's own ETag."""
    return manifest.execution_id or found.etag.strip('"')


class _Export:
    """One look at one export. Months are looked at by several threads; what they share is only ever added to."""

    def __init__(self, store: ObjectStore, location: ExportLocation, source: str, kind: str) -> None:
        self._store = store
        self._location = location
        self._source = source
        self._kind = kind
        self._lookup = Lookup(store)

    def findings(self, month: date | None) -> list[Finding]:
        if not self._location.export:
            found = LocationHints(self._store, self._location.folder).find()
            raise wrong_place(self._source, self._kind, self._store, self._location.folder, found)
        months = self._months()
        if not months:
            return [self._nothing_there()]
        if month is not None:
            return [self._month(month, months[month]) if month in months else self._not_that_month(month, months)]
        with ThreadPoolExecutor(MONTHS_AT_ONCE) as pool:
            return list(pool.map(lambda one: self._month(one, months[one]), sorted(months)))

    def _months(self) -> dict[date, list[str]]:
        """The folders with manifests of each month; a month that has only data has none."""
        months: dict[date, list[str]] = {}
        try:
            for top in (self._location.metadata, self._location.data):
                for folder in self._lookup.level(top).folders:
                    month = billing_period_of(last_part(folder))
                    if month is not None:
                        months.setdefault(month, [])
                        if top == self._location.metadata:
                            months[month].append(folder)
        except DeliveryFailed as error:
            raise SourceError(error.problem, error.fix) from None
        return months

    def _month(self, period: date, folders: list[str]) -> Finding:
        look = MonthScan(
            self._store,
            self._lookup,
            self._source,
            self._location.export,
            period,
            lambda manifest: self._resolve(manifest, period),
        )
        return look.finding(self._candidates(folders), lambda: self._no_manifest(period))

    def _candidates(self, folders: list[str]) -> Iterator[StoredObject]:
        """Manifests, the month's own before those of single executions, each group newest first."""
        own = [
            stored_object
            for folder in folders
            for stored_object in self._lookup.level(folder).objects
            if is_manifest(stored_object.name)
        ]
        yield from sorted(own, key=lambda one: (one.last_modified, one.key), reverse=True)
        executions = [
            entry
            for folder in folders
            for entry in self._store.list(folder)
            if is_manifest(entry.name) and entry.key.removeprefix(folder).count("/") == 1
        ]
        # An execution's folder starts with its time.
        yield from sorted(executions, key=lambda one: (one.last_modified, last_part(one.key.rpartition("/")[0])), reverse=True)

    def _resolve(self, manifest: StoredObject, period: date) -> ResolvedManifest:
        parsed = parse_export_manifest(self._store.read(manifest))
        keys = self._location.resolve(parsed.files, period)
        return ResolvedManifest(execution_of(parsed, manifest), keys, parsed.file_format)

    def _no_manifest(self, period: date) -> str:
        if not self._has_metadata():
            return (
                f"There is no metadata/ beside {self._store.describe(self._location.data)}: only the data was replicated or "
                "copied, and AWS's manifests in metadata/ alone tell which of its files make up the month. Replicate "
                f"{self._store.describe(self._location.metadata)} too. "
                "(Of a new export AWS writes it after all of the month's files.)"
            )
        folder = self._store.describe(f"{self._location.metadata}BILLING_PERIOD={period:%Y-%m}/")
        return f"There is no manifest yet under {folder}: AWS writes it after all of the month's files."

    def _has_metadata(self) -> bool:
        level = self._lookup.level(self._location.metadata)
        return bool(level.folders or level.objects)

    def _not_that_month(self, month: date, months: dict[date, list[str]]) -> Finding:
        there = ", ".join(f"{candidate:%Y-%m}" for candidate in sorted(months))
        folder = self._store.describe(self._location.folder)
        return self._waiting(month, f"There is no delivery of {month:%Y-%m} under {folder}; months there: {there}.")

    def _nothing_there(self) -> Finding:
        hints = LocationHints(self._store, self._location.folder)
        folder, here = self._location.folder, hints.here()
        found = [Found(folder, here)] if here and here != EXPORT else [] if here else hints.find()
        if found:
            raise wrong_place(self._source, self._kind, self._store, folder, found)
        place, content = self._store.describe(folder), "" if here else hints.content()
        if content:
            return self._waiting(None, f"There is no export under {place} (data/ and metadata/); it holds: {content}.")
        return self._waiting(
            None,
            f"There is no manifest yet under {place}: AWS delivers the first export within 24 hours; check `location`.",
        )

    def _waiting(self, period: date | None, reason: str) -> Finding:
        return Finding(self._source, period, Status.WAITING, reason=reason)
