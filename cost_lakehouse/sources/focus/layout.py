"""Where FOCUS files lie below a location, and what must not be taken for them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cost_lakehouse.sources.aws.cur_layout import last_part, parts
from cost_lakehouse.sources.aws.data_export_layout import billing_period_of, is_manifest
from cost_lakehouse.storage.object_store import StoredObject

OCI_FOLDER = "FOCUS Reports"
_SUFFIXES = (".csv", ".csv.gz", ".csv.zip", ".gz", ".zip", ".parquet")
# What AWS calls an execution's folder: its time and its id.
_EXECUTION = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+Z-[0-9a-fA-F-]{36}")


@dataclass(frozen=True)
class SortedFiles:
    """The files below a location: those to read, and those that are not read, by their keys."""

    objects: tuple[StoredObject, ...]
    empty: tuple[str, ...]
    unknown: tuple[str, ...]  # neither CSV nor Parquet, as far as their names tell


def is_export(folders: Iterable[str]) -> bool:
    """Whether a folder with these folders in it is an AWS Data Export."""
    return {"data", "metadata"} <= {last_part(folder) for folder in folders}


def sort_files(listed: Iterable[StoredObject], prefix: str) -> SortedFiles:
    """Which files to read. Names that start with a dot or an underscore are hidden, as Spark and others agree.

    ``prefix`` is the location's own, "" or with a slash at its end: its names hide nothing.
    """
    objects: list[StoredObject] = []
    empty: list[str] = []
    unknown: list[str] = []
    for stored_object in sorted(listed, key=lambda found: found.key):
        if any(name.startswith((".", "_")) for name in parts(stored_object.key.removeprefix(prefix))):
            continue
        if not stored_object.key.lower().endswith(_SUFFIXES):
            unknown.append(stored_object.key)
        elif stored_object.size == 0:
            empty.append(stored_object.key)
        else:
            objects.append(stored_object)
    return SortedFiles(tuple(objects), tuple(empty), tuple(unknown))


def trap(listed: Sequence[StoredObject]) -> str:
    """Why the files must not simply be added up, or "": some replace others, and something else says which."""
    for stored_object in listed:
        if is_manifest(stored_object.name) or stored_object.name.lower() == "manifest.json":
            return f"{stored_object.key} is a manifest, which lists the files of one delivery"
        if "_delta_log" in parts(stored_object.key):
            return f"{stored_object.key} belongs to a Delta table, whose log says which of its files count"
        if stored_object.name.endswith(".metadata.json"):
            return f"{stored_object.key} belongs to an Iceberg table, whose metadata say which of its files count"
    executions: dict[str, set[str]] = {}
    for stored_object in listed:
        names = parts(stored_object.key)
        for above, name in pairwise(names):
            month = billing_period_of(above)
            if month is not None and _EXECUTION.fullmatch(name):
                executions.setdefault(above, set()).add(name)
    for month_folder, found in sorted(executions.items()):
        if len(found) > 1:
            return f"{month_folder} has {len(found)} deliveries of one month side by side, and no manifest says which counts"
    return ""
