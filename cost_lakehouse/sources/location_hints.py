"""What lies at and around a location that holds no bill, so that a wrong one is answered with the right one.

Legacy reports, Data Exports and Oracle's reports are told by the names of their folders; no file is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cost_lakehouse.errors import DeliveryFailed, SourceError
from cost_lakehouse.sources.aws.cur_layout import last_part, parts, period_of
from cost_lakehouse.sources.aws.data_export_layout import billing_period_of
from cost_lakehouse.storage.local_folder import LocalFolder
from cost_lakehouse.storage.object_store import Listing, ObjectStore

LEVELS_UP = 3
LEVELS_DOWN = 3
LISTINGS = 60
SHOWN = 5
# AWS puts it where a report will be delivered.
_TEST_OBJECT = "aws-programmatic-access-test-object"
_BY_DAY = re.compile(r"date=\d{4}-\d{2}-\d{2}", re.IGNORECASE)
_ORACLE = {"cost-csv", "usage-csv", "FOCUS Reports"}

LEGACY = "a legacy Cost and Usage Report"
EXPORT = "an AWS Data Export"
NO_METADATA = "an AWS Data Export of which there is no metadata/"
NO_DATA = "an AWS Data Export of which there is no data/"
NO_BILL = "a Data Export of recommendations (Cost Optimization Hub), which is no bill"
ORACLE = "reports of Oracle Cloud"
KINDS = {
    LEGACY: ("aws_cur",),
    EXPORT: ("aws_data_export", "focus"),
    NO_METADATA: ("aws_data_export", "focus"),
    NO_DATA: ("aws_data_export", "focus"),
    ORACLE: ("oci_cost_reports",),
}
"""What is found -> the kinds of source that read it."""


@dataclass(frozen=True)
class Found:
    """Something at ``folder``, a key with its slash ("" is the whole store)."""

    folder: str
    what: str


class LocationHints:
    """Looks around one folder with a bounded number of listings; ``folder`` is a key with its slash, or "" """

    def __init__(self, store: ObjectStore, folder: str) -> None:
        self._store = store
        self._folder = folder
        self._seen: dict[str, Listing] = {}

    def here(self) -> str:
        """What the folder itself is, or "" """
        return self._what(self._folder)

    def find(self) -> list[Found]:
        """What the folder lies in, else what lies below it, else what lies near it under another spelling of its slashes."""
        return self._above() or list(self._below(self._folder, LEVELS_DOWN)) or self._with_other_slashes()

    def beside(self) -> list[Found]:
        """What lies under the same prefix: the location may be misspelt, or not delivered yet."""
        if not self._folder:
            return []
        siblings = self._look(_parent(self._folder)).folders
        return [Found(sibling, what) for sibling in siblings if sibling != self._folder and (what := self._what(sibling))]

    def content(self) -> str:
        """What lies directly in the folder, for people; "" where nothing does, or only what AWS puts there at first."""
        level = self._look(self._folder)
        names = [f"{self._name(folder, self._folder) or '(no name)'}/" for folder in level.folders]
        names += [stored_object.name for stored_object in level.objects if stored_object.name != _TEST_OBJECT]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"{', '.join(names[:SHOWN])}{more}"

    def _above(self) -> list[Found]:
        folder = self._folder
        for _ in range(LEVELS_UP):
            if not folder:
                break
            folder = _parent(folder)
            if what := self._what(folder):
                return [Found(folder, what)]
        return []

    def _below(self, folder: str, levels: int) -> Iterator[Found]:
        level = [folder]
        for _ in range(levels):
            deeper: list[str] = []
            for child in (child for above in level for child in self._look(above).folders):
                if what := self._what(child):
                    yield Found(child, what)
                else:
                    deeper.append(child)
            level = deeper

    def _with_other_slashes(self) -> list[Found]:
        """S3 takes ``cur//hourly`` and ``/cur/hourly`` for other keys than ``cur/hourly``."""
        own = parts(self._folder)
        folder = "" if isinstance(self._store, LocalFolder) else self._folder
        for _ in range(LEVELS_UP):
            if not folder:
                break
            folder = _parent(folder)
            if found := [item for item in self._below(folder, LEVELS_DOWN) if parts(item.folder) == own]:
                return found
        return []

    def _what(self, folder: str) -> str:
        names = {self._name(candidate, folder): candidate for candidate in self._look(folder).folders}
        if any(period_of(name) is not None for name in names):
            return LEGACY
        data, metadata = names.get("data"), names.get("metadata")
        if data or metadata:
            inside = [last_part(candidate) for candidate in self._look(data or metadata or "").folders]
            if any(_BY_DAY.fullmatch(name) for name in inside):
                return NO_BILL
            has_months = any(billing_period_of(name) is not None for name in inside)
            if data and metadata:
                return EXPORT
            if has_months:
                return NO_METADATA if data else NO_DATA
        if _ORACLE & names.keys():
            return ORACLE
        reports = names.get("reports")
        if reports and _ORACLE & {last_part(candidate) for candidate in self._look(reports).folders}:
            return ORACLE
        return ""

    def _look(self, folder: str) -> Listing:
        if folder in self._seen:
            return self._seen[folder]
        if len(self._seen) >= LISTINGS:
            return Listing((), ())
        try:
            self._seen[folder] = self._store.list_folder(folder)
        except (SourceError, DeliveryFailed):
            # Often the credentials may list the report's own prefix only. That is no fault of the source.
            self._seen[folder] = Listing((), ())
        return self._seen[folder]

    @staticmethod
    def _name(folder: str, above: str) -> str:
        """A folder's own name, "" where two slashes follow each other."""
        return folder[len(above) :].removesuffix("/")


def wrong_place(source: str, kind: str, store: ObjectStore, folder: str, found: list[Found]) -> SourceError:
    """The error of a source whose location holds no bill of its kind, while ``found`` lies around."""
    place = store.describe(folder)
    here = next((entry for entry in found if entry.folder == folder), None)
    if here is not None:
        return SourceError(f"Source {source}: {place} is {here.what}, which kind {kind} does not read.", _fix(kind, here, ""))
    said = ", ".join(f"{store.describe(entry.folder)} ({entry.what})" for entry in found)
    says = f"Source {source}: {place} {'is not a report' if folder else 'names no report'}"
    if len(found) == 1:
        return SourceError(f"{says}, but there are: {said}.", _fix(kind, found[0], store.describe(found[0].folder)))
    there = f", but there are: {said}" if found else ""
    return SourceError(f"{says}{there}.", "Set `location` to bucket/prefix/report name, one source a report.")


def _fix(kind: str, found: Found, place: str) -> str:
    kinds = KINDS.get(found.what, ())
    if not kinds:
        return "Create an export of CUR 2.0 (kind aws_data_export) or FOCUS (kind focus), and set `location` to it."
    change = "" if kind in kinds else f"`kind: {kinds[0]}`"
    if len(kinds) > 1 and change:
        change = f"{change} (CUR 2.0) or `kind: {kinds[1]}` (FOCUS)"
    where = f"`location` to {place.removesuffix('/')}" if place else ""
    return f"Set {' and '.join(item for item in (where, change) if item)}."


def _parent(folder: str) -> str:
    above, slash, _ = folder[:-1].rpartition("/")
    return f"{above}{slash}"
