"""Which folder stands for the bucket, where a report lies in a local folder instead of in S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cost_lakehouse.errors import CostLakehouseError, DeliveryFailed, SourceError
from cost_lakehouse.sources.aws.cur_layout import last_part, month_of, parts, period_of, year_of
from cost_lakehouse.sources.aws.manifest import CurManifest, ManifestError, parse_manifest
from cost_lakehouse.storage.local_folder import LocalFolder

SEARCH_LEVELS = 3


def find_bucket_root(location: Path) -> Path:
    """The ancestor of a report's folder under which its manifests' keys exist.

    Where none exists, the one under which they would lie in ``location``. Without any manifest the answer matters only for the
    search for reports nearby, and is a few levels up. Raises SourceError where ``location`` is no folder, or cannot be listed.
    """
    if not location.is_dir():
        raise SourceError(
            f"There is no folder {location}.",
            "Correct `location`, or create the folder and copy the report into it as AWS lays it out.",
        )
    named: Path | None = None
    for manifest in _manifests(location):
        # The location itself is no candidate: every key starts with at least the report's name.
        candidates = [root for root in location.parents if _would_hold(root, location, manifest)]
        for root in candidates:
            if any((root / key.lstrip("/")).is_file() for key in manifest.keys):
                return root
        if candidates and named is None:
            named = candidates[-1]
    above = [location, *location.parents]
    return named or above[min(SEARCH_LEVELS, len(above) - 1)]


def _would_hold(root: Path, location: Path, manifest: CurManifest) -> bool:
    """Whether the manifest's keys, seen from this root, lie in the location."""
    own = location.relative_to(root).parts
    return bool(manifest.keys) and all(tuple(parts(key)[: len(own)]) == own for key in manifest.keys)


def _manifests(location: Path) -> Iterator[CurManifest]:
    """Manifests that can be understood, newest months first; the caller stops at the first that tells the root."""
    store = LocalFolder(location)
    name = f"{location.name}-Manifest.json"
    for folder in _folders(store, location.name):
        for holder in _holders(store, folder):
            try:
                found = store.head(f"{holder}{name}")
                if found is not None:
                    yield parse_manifest(store.read(found))
            except (CostLakehouseError, ManifestError):
                continue  # Discovery tells what is wrong with it, month by month.


def _holders(store: LocalFolder, folder: str) -> Iterator[str]:
    """Where a month's manifests lie: in its folder, and in each assembly's (looked at only if the first is of no help)."""
    yield folder
    try:
        yield from sorted(store.list_folder(folder).folders, reverse=True)
    except DeliveryFailed:
        return  # The folder leads out of the location; discovery tells.


def _folders(store: LocalFolder, report: str) -> Iterator[str]:
    """Folders that hold a month: AWS's period folders, then the Athena integration's."""
    months = [folder for folder in store.list_folder("").folders if period_of(last_part(folder)) is not None]
    yield from sorted(months, reverse=True)
    for year in store.list_folder(f"{report}/").folders:
        if year_of(last_part(year)) is not None:
            yield from (folder for folder in store.list_folder(year).folders if month_of(last_part(folder)) is not None)
