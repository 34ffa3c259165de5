"""Which folder stands for the bucket, where an export lies in a local folder instead of in S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cost_lakehouse.errors import CostLakehouseError, SourceError
from cost_lakehouse.sources.aws.cur_layout import last_part, parts
from cost_lakehouse.sources.aws.data_export_layout import billing_period_of, is_manifest
from cost_lakehouse.sources.aws.data_export_manifest import parse_export_manifest
from cost_lakehouse.sources.aws.manifest import ManifestError
from cost_lakehouse.storage.local_folder import LocalFolder

SEARCH_LEVELS = 3


def find_export_root(location: Path) -> Path:
    """The ancestor of an export's folder that its manifests' keys start from.

    Without any manifest the answer matters only for the search for exports nearby, and is a few levels up. Raises SourceError
    where ``location`` is no folder, or cannot be listed.
    """
    if not location.is_dir():
        raise SourceError(
            f"There is no folder {location}.",
            "Correct `location`, or create the folder and copy the export into it as AWS lays it out.",
        )
    named: Path | None = None
    for keys in _listed(location):
        # The location itself is no candidate: every key starts with at least the export's name.
        roots = [
            root
            for root in location.parents
            if keys and all(_lies_in(location.relative_to(root).parts, tuple(parts(key))) for key in keys)
        ]
        for root in roots:
            if any((root / key.lstrip("/")).is_file() for key in keys):
                return root
        if roots and named is None:
            named = roots[-1]
    above = [location, *location.parents]
    return named or above[min(SEARCH_LEVELS, len(above) - 1)]


def _lies_in(folder: tuple[str, ...], key: tuple[str, ...]) -> bool:
    return key[: len(folder)] == folder and len(key) > len(folder)


def _listed(location: Path) -> Iterator[list[str]]:
    """The keys of each manifest that can be understood, newest months first; the caller stops at the first that helps."""
    store = LocalFolder(location)
    months = [
        element for element in store.list_folder("metadata/").folders if billing_period_of(last_part(element)) is not None
    ]
    for folder in sorted(months, key=str.lower, reverse=True):
        try:
            manifests = [entry for entry in store.list(folder) if is_manifest(entry.name)]
        except CostLakehouseError:
            continue  # Discovery tells what is wrong with it, month by month.
        for found in sorted(manifests, key=lambda one: one.key.count("/")):
            try:
                yield [file.key for file in parse_export_manifest(store.read(found)).files]
            except (CostLakehouseError, ManifestError):
                continue
