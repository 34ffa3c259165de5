"""Which data files hold which slice and delivery, by Iceberg's manifests alone; and the removal of what killed loads left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import StringType

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.manifests import data_files, slice_of
from cost_lakehouse.lake.slices import Slice

_LOAD_FILE = re.compile(r"(load-[0-9a-f]{16})-\d{5}\.parquet")


def delivery_of(table: Table, file: DataFile) -> str:
    """The delivery id of a data file's rows, of which a file of a slice has one: both bounds are it.

    Where another engine wrote the file and cut the bounds short (they differ then), or none, the file itself is asked.
    """
    field_id = table.schema().find_field("delivery_id").field_id
    lower, upper = (file.lower_bounds or {}).get(field_id), (file.upper_bounds or {}).get(field_id)
    if lower is not None and lower == upper:
        return str(from_bytes(StringType(), lower))
    with table.io.new_input(file.file_path).open() as stream, pq.ParquetFile(stream) as parquet:
        return str(next(parquet.iter_batches(1, columns=["delivery_id"])).column(0)[0])


def stored_deliveries(lake: Lake, slices: Sequence[Slice] | None = None, table_name: str = "raw.aws_cur") -> dict[Slice, str]:
    """Every slice of a table that has rows (of the given ones) -> a delivery that they come from. Reads no data."""
    table = lake.current(table_name)
    first: dict[Slice, DataFile] = {}
    for file in data_files(table, slices):
        first.setdefault(slice_of(file), file)
    return {slice_: delivery_of(table, file) for slice_, file in first.items()}


def commit_labels(delivery_id: str, load_id: str, slices: Sequence[Slice]) -> dict[str, str]:
    """What a load's commit says of itself in its snapshot's summary, for those who look at the history later."""
    return {"delivery-id": delivery_id, "load-id": load_id, "slices": ", ".join(map(str, slices))}


def committed_slices(snapshot: Snapshot) -> list[Slice]:
    """The slices that a load committed with this snapshot, by its labels; none where it is no load's commit."""
    labels = snapshot.summary.additional_properties if snapshot.summary is not None else {}
    found = []
    for part in filter(None, labels.get("slices", "").split(", ")):
        source, _, month = part.partition(" ")
        found.append(Slice(source, date.fromisoformat(f"{month}-01")))
    return found


def file_name(load_id: str, number: int) -> str:
    """The name of a load's data file; it tells later which load a file is of."""
    return f"{load_id}-{number:05d}.parquet"


def load_of(file: DataFile) -> str | None:
    """The load that wrote a data file, by its name."""
    return _load_of_location(file.file_path)


def remove_files_of_killed_loads(
    lake: Lake, table_name: str, source: str, month: date | None, known_loads: set[str]
) -> list[str]:
    """Delete a source's data files of loads that never came to their commit, and return their locations.

    ``known_loads`` did. ``month`` is the only one to look into, None looks into all. Files of the current snapshot, and files
    that no load of ours wrote, stay. Costs a look into a folder, not into history. Call it only while holding the lock of
    whoever loads them: a load under way is not known yet.
    """
    folder = lake.source_folder(table_name, source) if month is None else lake.data_folder(table_name, Slice(source, month))
    found = {
        entry.location for entry in lake.warehouse.list(folder) if _load_of_location(entry.location) not in (None, *known_loads)
    }
    if not found:
        return []
    current = {file.file_path for file in data_files(lake.current(table_name)) if slice_of(file).source == source}
    unneeded = sorted(found - current)
    lake.warehouse.delete(unneeded)
    return unneeded


def remove_unneeded_files(lake: Lake, table_name: str, slice_: Slice) -> list[str]:
    """Delete the slice's data files that no snapshot of the table knows, and return their locations.

    Reads every snapshot's manifests, so it is for the rare case that a writer was killed. Call it only while no other
    writer of the slice is at work.
    """
    found = {entry.location for entry in lake.warehouse.list(lake.data_folder(table_name, slice_))}
    table = lake.table_or_none(table_name)
    if not found or table is None:
        return []
    unneeded = sorted(found - _files_of_all_snapshots(table))
    lake.warehouse.delete(unneeded)
    return unneeded


def _files_of_all_snapshots(table: Table) -> set[str]:
    """The data files of every snapshot; manifests that snapshots share are read once."""
    manifests = {
        candidate.manifest_path: candidate
        for snapshot in table.metadata.snapshots
        for candidate in snapshot.manifests(table.io)
    }
    return {
        entry.data_file.file_path
        for manifest in manifests.values()
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
    }


def _load_of_location(location: str) -> str | None:
    match = _LOAD_FILE.fullmatch(location.rsplit("/", 1)[-1])
    return match.group(1) if match else None
