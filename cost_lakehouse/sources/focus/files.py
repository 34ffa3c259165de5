"""FOCUS from any provider: AWS Data Exports with their manifests, Oracle's FOCUS reports, or a folder of files.

An export's manifests say what a month's bill is. Oracle's reports add up; they are deleted after a year, and stay in
the lake. In any other folder the files that are there are the bill: what takes another's place takes out its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.aws.cur_layout import last_part, parts
from cost_lakehouse.sources.aws.data_export import discover_export
from cost_lakehouse.sources.aws.data_export_layout import ExportLocation, billing_period_of
from cost_lakehouse.sources.aws.data_export_root import find_export_root
from cost_lakehouse.sources.base import Delivered
from cost_lakehouse.sources.delivery import Finding, short_name
from cost_lakehouse.sources.focus.layout import OCI_FOLDER, is_export, sort_files, trap
from cost_lakehouse.storage.object_store import ObjectStore

KIND = "focus"
TABLE = "raw.focus"
_NAMED = 3
_NOTHING = "no FOCUS file is there yet"


def list_focus(store: ObjectStore, location: ExportLocation, source: str, month: date | None = None) -> Delivered:
    """What lies at ``location``; ``month`` restricts the look to one month where manifests tell months apart.

    Raises SourceError where the place cannot be listed, or where its files must not be added up.
    """
    level = store.list_folder(location.folder)
    if is_export(level.folders) or _has_months(store, location):
        findings = discover_export(store, location, source, month, KIND)
        return Delivered(tuple(_as_focus(finding) for finding in findings), nothing=_NOTHING)
    names = parts(location.prefix)
    if OCI_FOLDER in names:
        return _files(store, location.folder, is_complete=False)
    below = f"{location.folder}{OCI_FOLDER}/"
    if below in level.folders:
        return _files(store, below, is_complete=False)
    if any(name in ("data", "metadata") for name in names):
        _refuse_part_of_export(store, names)
    return _files(store, location.folder, is_complete=True)


def focus_root(location: Path) -> Path:
    """Which folder stands for the bucket.

    Of an export the one that its manifests' keys start from, of Oracle's reports the one that holds them, else the location.
    Raises SourceError where there is no such folder, or where it is a part of an export.
    """
    if not location.is_dir():
        raise SourceError(f"There is no folder {location}.", "Correct the source's location, or copy the FOCUS files there.")
    if (location / "metadata").is_dir() or any(billing_period_of(path.name) for path in location.glob("data/*")):
        return find_export_root(location)
    above = [location, *location.parents]
    for inside, export in pairwise(above):
        if inside.name in ("data", "metadata") and (export / "data").is_dir() and (export / "metadata").is_dir():
            raise _part_of_export(str(location), str(export))
        if inside.name == OCI_FOLDER:
            return export
    return location


def _has_months(store: ObjectStore, location: ExportLocation) -> bool:
    """Whether an export's first files are being written: AWS writes its manifest last."""
    return any(billing_period_of(last_part(folder)) is not None for folder in store.list_folder(location.data).folders)


def _as_focus(finding: Finding) -> Finding:
    """The month's delivery as one of FOCUS, whatever the export is called."""
    if finding.delivery is None:
        return finding
    return replace(finding, delivery=replace(finding.delivery, table=TABLE, report_name=short_name(TABLE)))


def _files(store: ObjectStore, folder: str, is_complete: bool) -> Delivered:
    listed = list(store.list(folder))
    if is_complete and (why := trap(listed)):
        raise SourceError(
            f"{store.describe(folder)} holds more than the files of a bill: {why}.",
            "Set `location` to the export itself (the folder that holds `data` and `metadata`), or to a folder that holds "
            "nothing but each month's present FOCUS files.",
        )
    found = sort_files(listed, folder)
    said: Mapping[str, tuple[str, ...]] = {"neither CSV nor Parquet": found.unknown, "empty": found.empty}
    note = "; ".join(f"not read, because {why}: {_names(keys)}" for why, keys in said.items() if keys)
    return Delivered((), {TABLE: found.objects}, is_complete, frozenset(entry.key for entry in listed), note, _NOTHING)


def _names(keys: tuple[str, ...]) -> str:
    more = f" (and {len(keys) - _NAMED} more)" if len(keys) > _NAMED else ""
    return f"{', '.join(keys[:_NAMED])}{more}"


def _refuse_part_of_export(store: ObjectStore, names: list[str]) -> None:
    """Files of an export's ``data`` folder without its manifests: those of older deliveries lie among them."""
    for index, name in enumerate(names):
        if name in ("data", "metadata"):
            export = "".join(f"{candidate}/" for candidate in names[:index])
            if is_export(store.list_folder(export).folders):
                raise _part_of_export(store.describe("/".join(names)), store.describe(export))


def _part_of_export(place: str, export: str) -> SourceError:
    return SourceError(
        f"{place} is a part of the export {export}: only its manifests tell which files make up a month.",
        f"Set `location` to {export}.",
    )
