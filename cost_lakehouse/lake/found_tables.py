"""Which tables a warehouse's own files tell of, without any catalog."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyiceberg.io import FileIO
from pyiceberg.manifest import read_manifest_list

from cost_lakehouse.lake.relocate import read_metadata
from cost_lakehouse.lake.warehouse import Warehouse

_METADATA = re.compile(r"(?P<folder>[^/]+/[^/]+)/metadata/(?P<number>\d+)-[^/]+\.metadata\.json")
_LOOKED_AT = 3
_UNIQUE = re.compile(r"-[0-9a-f]{32}$")


@dataclass(frozen=True)
class Version:
    """One version of a table's metadata, or a view's."""

    location: str
    number: int
    modified: datetime


@dataclass(frozen=True)
class FoundFiles:
    """What lies in a warehouse: each table's (or view's) versions under ``namespace.name``, and every file's location."""

    tables: Mapping[str, Sequence[Version]]
    locations: Collection[str]


@dataclass(frozen=True)
class Candidate:
    """A version with what is written in it."""

    version: Version
    document: dict[str, Any]

    @property
    def updated(self) -> int:
        """When it was written, by its writer's clock, in milliseconds; of a view, 0."""
        return int(self.document.get("last-updated-ms", 0))

    @property
    def is_view(self) -> bool:
        """Whether it is a view's."""
        return "view-uuid" in self.document

    def root(self, warehouse: str) -> str:
        """The warehouse that it was written for, by the location it gives itself and the place where it lies."""
        folder = self.version.location.removeprefix(warehouse).rsplit("/metadata/", 1)[0]
        return str(self.document["location"]).rstrip("/").removesuffix(folder)


def scan_warehouse(warehouse: Warehouse) -> FoundFiles:
    """List the whole warehouse. Raises LakeError.

    A table's folder has the table's name; Trino adds a number to it. What is deeper belongs to builds, which end with a run.
    """
    found = warehouse.list("")
    versions: dict[str, list[Version]] = {}
    for entry in found:
        match = _METADATA.fullmatch(entry.location.removeprefix(f"{warehouse.location}/"))
        if match is not None:
            name = _UNIQUE.sub("", match["folder"]).replace("/", ".", 1)
            versions.setdefault(name, []).append(Version(entry.location, int(match["number"]), entry.modified))
    return FoundFiles(dict(sorted(versions.items())), {entry.location for entry in found})


def newest_first(
    io: FileIO, versions: Sequence[Version], also: str | None = None, accepted: Callable[[Candidate], bool] = lambda found: True
) -> list[Candidate]:
    """The likeliest versions to be a table's present state, the best first: of those that are ``accepted``, none where none is.

    Numbers tell the order within one table. Of several that bore the name one after the other, it is the one written last.
    ``also`` is the location of a version that is looked at in any case.
    """
    by_number = sorted(versions, key=lambda one: one.number, reverse=True)
    by_time = sorted(versions, key=lambda one: one.modified, reverse=True)
    known = [element for element in versions if element.location == also]
    read: dict[str, Candidate] = {}
    candidates: dict[str, Candidate] = {}
    for ordered in (known, by_number, by_time):
        for item in _some(io, ordered, accepted, read):
            candidates[item.version.location] = item
    if not candidates:
        return []
    last = max(candidates.values(), key=lambda one: (one.updated, one.version.number))
    same = [candidate for candidate in candidates.values() if _identity(candidate) == _identity(last)]
    return sorted(same, key=lambda one: (one.version.number, one.updated), reverse=True)


def _some(
    io: FileIO, ordered: Sequence[Version], accepted: Callable[[Candidate], bool], read: dict[str, Candidate]
) -> Iterator[Candidate]:
    """The first few that are accepted; ``read`` remembers what was read."""
    left = _LOOKED_AT
    for version in ordered:
        if version.location not in read:
            read[version.location] = Candidate(version, read_metadata(io, version.location))
        if accepted(read[version.location]):
            yield read[version.location]
            left -= 1
            if not left:
                return


def _identity(candidate: Candidate) -> object:
    return candidate.document.get("table-uuid") or candidate.document.get("view-uuid")


def missing_file(io: FileIO, document: dict[str, Any], present: Collection[str]) -> str | None:
    """A file that the current state of the table needs and that is not there; None where all are."""
    current = document.get("current-snapshot-id")
    for snapshot in document.get("snapshots", ()):
        if snapshot["snapshot-id"] != current:
            continue
        if snapshot["manifest-list"] not in present:
            return str(snapshot["manifest-list"])
        for manifest in read_manifest_list(io.new_input(snapshot["manifest-list"])):
            if manifest.manifest_path not in present:
                return manifest.manifest_path
            for entry in manifest.fetch_manifest_entry(io):
                if entry.data_file.file_path not in present:
                    return entry.data_file.file_path
    return None
