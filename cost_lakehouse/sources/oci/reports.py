"""Oracle Cloud's reports: which objects are whose kind of report, and which of them the lake does not hold yet.

Oracle lays them out as ``reports/cost-csv/0001000002420479-00001.csv.gz``, ``reports/usage-csv/...`` and
``FOCUS Reports/2026/10/01/...`` (Cost and Usage Reports Overview, docs.oracle.com). A mirror may keep them below any prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cost_lakehouse.errors import SourceError
from cost_lakehouse.storage.object_store import ObjectStore, StoredObject

TABLES: Mapping[str, str] = {"cost-csv": "raw.oci_cost", "usage-csv": "raw.oci_usage", "FOCUS Reports": "raw.focus"}
"""The folder of each kind of report -> the raw table that its rows belong in."""

NO_REPORTS = (
    "A new tenancy's first reports come within a day. Else compare the tenancy's OCID with the console, and the region with "
    "its home region."
)
_REPORTS = "reports"
_SUFFIXES = (".csv.gz", ".csv", ".csv.zip", ".parquet")


def list_reports(store: ObjectStore, prefix: str) -> dict[str, list[StoredObject]]:
    """Every report below ``prefix`` ("" or without a slash at its end): raw table -> its objects, sorted by key.

    Raises SourceError where the place cannot be listed.
    """
    found: dict[str, dict[str, StoredObject]] = {table: {} for table in TABLES.values()}
    for folder, table in _folders(prefix):
        for entry in store.list(folder):
            if entry.key.lower().endswith(_SUFFIXES):
                found[table][entry.key] = entry
    return {table: [objects[key] for key in sorted(objects)] for table, objects in found.items()}


def reports_root(location: Path) -> Path:
    """The folder that stands for the bucket: ``FOCUS Reports`` lies beside ``reports``, so that one's parent.

    Raises SourceError where there is no such folder.
    """
    if not location.is_dir():
        raise SourceError(
            f"There is no folder {location}.", "Correct the source's location, or let the mirror copy the reports there first."
        )
    return location.parent if location.name == _REPORTS else location


def _folders(prefix: str) -> list[tuple[str, str]]:
    """The folders to look into: below the prefix, below its ``reports``, and beside it where it is ``reports`` itself."""
    base = f"{prefix}/" if prefix else ""
    folders = [(f"{base}{name}/", table) for name, table in TABLES.items()]
    parent, _, last = prefix.rpartition("/")
    if last == _REPORTS:
        beside = f"{parent}/" if parent else ""
        folders.append((f"{beside}FOCUS Reports/", TABLES["FOCUS Reports"]))
    else:
        folders += [(f"{base}{_REPORTS}/{name}/", table) for name, table in TABLES.items()]
    return folders
