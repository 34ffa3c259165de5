"""Finds the reports near a location that holds none, so that a wrong prefix is answered with the right one."""

from __future__ import annotations

from cost_lakehouse.errors import DeliveryFailed, SourceError
from cost_lakehouse.sources.aws.cur_layout import ReportLocation, last_part, period_of
from cost_lakehouse.sources.object_store import Listing, ObjectStore

LEVELS_UP = 3
LEVELS_DOWN = 2
LISTINGS = 40


class NearbyReports:
    """Looks around a location with a bounded number of listings. Results are folders, for people."""

    def __init__(self, store: ObjectStore, location: ReportLocation) -> None:
        self._store = store
        self._location = location
        self._listings = 0

    def above(self) -> list[str]:
        """The report that the location lies in: it names a month, a delivery, or the Athena folder of it."""
        folder = self._location.folder
        for _ in range(LEVELS_UP):
            if not folder:
                return []
            folder = _parent(folder)
            if self._holds_months(self._look(folder)):
                return [self._store.describe(folder)]
        return []

    def below(self) -> list[str]:
        """The reports that lie in the location: it is only their prefix."""
        found: list[str] = []
        level = [self._location.folder]
        for _ in range(LEVELS_DOWN):
            level = [folder for above in level for folder in self._look(above).folders]
            reports = [folder for folder in level if self._holds_months(self._look(folder))]
            found += reports
            level = [folder for folder in level if folder not in reports]
        return [self._store.describe(folder) for folder in found]

    def beside(self) -> list[str]:
        """The reports under the same prefix: the location may be misspelt, or not delivered yet."""
        if not self._location.folder:
            return []
        siblings = self._look(_parent(self._location.folder)).folders
        return [self._store.describe(each) for each in siblings if self._holds_months(self._look(each))]

    def _look(self, folder: str) -> Listing:
        self._listings += 1
        if self._listings > LISTINGS:
            return Listing((), ())
        try:
            return self._store.list_folder(folder)
        except (SourceError, DeliveryFailed):
            # Often the credentials may list the report's own prefix only. That is no fault of the source.
            return Listing((), ())

    @staticmethod
    def _holds_months(level: Listing) -> bool:
        return any(period_of(last_part(folder)) is not None for folder in level.folders)


def _parent(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[0] + "/" if "/" in folder.rstrip("/") else ""
