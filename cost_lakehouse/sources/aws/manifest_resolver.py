"""The newest delivery of a month that is all there, by the manifests that announce one: alike for every kind of AWS report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed
from cost_lakehouse.sources.aws.manifest import ManifestError
from cost_lakehouse.sources.delivery import Delivery, FileFormat, Finding, Status
from cost_lakehouse.storage.object_store import Listing, ObjectStore, StoredObject

MANIFEST_SUFFIX = "-Manifest.json"
TABLE = "raw.aws_cur"
"""The raw table that every bill of AWS's own columns belongs in."""


@dataclass(frozen=True)
class ResolvedManifest:
    """What a manifest announces. ``keys`` are the files' in this store, each once."""

    delivery_id: str
    keys: tuple[str, ...]
    file_format: FileFormat


class Lookup:
    """Finds objects by key; each folder is listed once at most."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._levels: dict[str, Listing] = {}

    def level(self, folder: str) -> Listing:
        """One level of the store."""
        if folder not in self._levels:
            self._levels[folder] = self._store.list_folder(folder)
        return self._levels[folder]

    def find(self, key: str) -> StoredObject | None:
        """The object of that key."""
        return self.level(key[: key.rfind("/") + 1]).find(key)


@dataclass(frozen=True)
class MonthScan:
    """Looks at one month of one report. ``obstacle`` says why files that are there must not be read now, or "" """

    store: ObjectStore
    lookup: Lookup
    source: str
    report_name: str
    period: date
    announced: Callable[[StoredObject], ResolvedManifest]  # raises ManifestError
    obstacle: Callable[[tuple[str, ...]], str] = lambda _: ""

    def finding(self, candidates: Iterable[StoredObject], no_manifest: Callable[[], str]) -> Finding:
        """The first of the candidate manifests whose delivery is complete, or why there is none.

        The first one decides: where it cannot be used, no older delivery hides that; where its files are not all there yet,
        the next ones are asked.
        """
        try:
            return self._newest_complete(candidates, no_manifest)
        except DeliveryChanged as error:
            return self._waiting(f"{error.problem} A new delivery is being written.")
        except DeliveryFailed as error:
            return self._failed(str(error))

    def _newest_complete(self, candidates: Iterable[StoredObject], no_manifest: Callable[[], str]) -> Finding:
        waiting = ""
        unreadable = ""
        for manifest in candidates:
            try:
                announced = self.announced(manifest)
            except ManifestError as error:
                problem = f"The manifest {self.store.describe(manifest.key)} cannot be used: {error}."
                if not waiting:  # It speaks for the month: an older delivery must not hide that.
                    return self._failed(problem)
                unreadable = unreadable or f" {problem}"
                continue
            delivery, lacks = self._delivery(manifest, announced)
            if delivery is not None:
                return Finding(self.source, self.period, Status.NEW, delivery, waiting)
            waiting = waiting or f"Delivery {announced.delivery_id} {lacks}."
        return self._waiting(waiting + unreadable if waiting else no_manifest())

    def _delivery(self, manifest: StoredObject, announced: ResolvedManifest) -> tuple[Delivery | None, str]:
        """The delivery if all its files are there, else None and what it waits for."""
        if not announced.keys:
            return None, f"lists no files yet (manifest {self.store.describe(manifest.key)})"
        found: list[StoredObject] = []
        lacking: list[str] = []
        for key in announced.keys:
            each = self.lookup.find(key)
            if each is not None and each.size > 0:
                found.append(each)
            else:
                lacking.append(f"{self.store.describe(key)}, which is {'not there' if each is None else 'empty'}")
        if lacking:
            more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
            return None, f"waits for {lacking[0]}{more}"
        if obstacle := self.obstacle(announced.keys):
            return None, obstacle
        delivery = Delivery(
            source=self.source,
            table=TABLE,
            billing_period=self.period,
            delivery_id=announced.delivery_id,
            objects=tuple(found),
            manifest=manifest,
            file_format=announced.file_format,
            report_name=self.report_name,
            delivered_at=manifest.last_modified,
        )
        return delivery, ""

    def _waiting(self, reason: str) -> Finding:
        return Finding(self.source, self.period, Status.WAITING, reason=reason)

    def _failed(self, reason: str) -> Finding:
        return Finding(self.source, self.period, Status.FAILED, reason=reason)


def files_are_unchanged(store: ObjectStore, objects: Iterable[StoredObject]) -> bool:
    """Whether every file still is the one that was listed, by ETag and size."""
    lookup = Lookup(store)
    return all(
        (now := lookup.find(stored_object.key)) is not None and (now.etag, now.size) == (stored_object.etag, stored_object.size)
        for stored_object in objects
    )
