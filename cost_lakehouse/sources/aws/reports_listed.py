"""Which reports lie in a bucket, found by listing it: for those who may read it, and may not ask AWS what it delivers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cost_lakehouse.sources.aws.cur_layout import last_part, period_of
from cost_lakehouse.sources.aws.data_export_layout import billing_period_of, is_manifest
from cost_lakehouse.sources.aws.manifest_resolver import MANIFEST_SUFFIX
from cost_lakehouse.sources.aws.reports import FoundReport
from cost_lakehouse.storage.object_store import Listing, ObjectStore, StoredObject

LISTINGS = 200
# A column that each version of FOCUS has, and no Cost and Usage Report.
_FOCUS_COLUMN = b'"billedcost"'


@dataclass(frozen=True)
class Listed:
    """``is_whole`` says that the place was looked through: false where it holds more folders than are worth listing."""

    reports: tuple[FoundReport, ...]
    is_whole: bool = True


def listed_reports(store: ObjectStore, prefix: str, listings: int = LISTINGS) -> Listed:
    """The reports below ``prefix`` that have a manifest, the upper folders first.

    Raises SourceError where the bucket cannot be listed, DeliveryFailed where a manifest cannot be read.
    """
    walk = _Walk(store, listings)
    reports = tuple(walk.reports(f"{prefix}/" if prefix else ""))
    return Listed(reports, walk.left >= 0)


class _Walk:
    def __init__(self, store: ObjectStore, listings: int) -> None:
        self._store = store
        self.left = listings

    def reports(self, top: str) -> list[FoundReport]:
        found: list[FoundReport] = []
        waiting = deque([top])
        while waiting:
            folder = waiting.popleft()
            level = self._level(folder)
            report = self._report(folder, level)
            if report is not None:
                found.append(report)
            else:
                waiting.extend(level.folders)
        return found

    def _level(self, folder: str) -> Listing:
        self.left -= 1
        return self._store.list_folder(folder) if self.left >= 0 else Listing((), ())

    def _report(self, folder: str, level: Listing) -> FoundReport | None:
        """The report whose location the folder is: its months lie in it, each with a manifest."""
        name = last_part(folder)
        if not name:
            return None
        months = [candidate for candidate in level.folders if period_of(last_part(candidate)) is not None]
        if months and self._newest(months, lambda one: one == f"{name}{MANIFEST_SUFFIX}"):
            return self._found("aws_cur", folder, name)
        metadata = f"{folder}metadata/"
        if f"{folder}data/" not in level.folders or metadata not in level.folders:
            return None
        periods = [
            candidate for candidate in self._level(metadata).folders if billing_period_of(last_part(candidate)) is not None
        ]
        manifest = self._newest(periods, is_manifest)
        if manifest is None:
            return None
        kind = "focus" if _FOCUS_COLUMN in self._store.read(manifest).lower() else "aws_data_export"
        return self._found(kind, folder, name)

    def _newest(self, months: list[str], fits: Callable[[str], bool]) -> StoredObject | None:
        """A manifest of the newest month that has one."""
        for folder in sorted(months, reverse=True):
            for stored_object in self._level(folder).objects:
                if fits(stored_object.name):
                    return stored_object
        return None

    def _found(self, kind: str, folder: str, name: str) -> FoundReport:
        return FoundReport(kind, self._store.describe(folder).rstrip("/"), name, "its manifests in the bucket")
