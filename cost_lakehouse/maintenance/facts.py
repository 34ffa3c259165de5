"""Reads from Iceberg's metadata what the rules decide by: snapshots with their deliveries, files with who refers to them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from pyiceberg.io import FileIO
from pyiceberg.manifest import ManifestEntry, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from cost_lakehouse.lake.data_files import committed_slices
from cost_lakehouse.lake.manifests import file_tasks, slice_of
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.maintenance.rules import FileFacts, Rules, SnapshotFacts, file_key, groups_to_merge

KEEP_TAG = "cost-lakehouse-keep-"
"""Tags of this beginning are ours: they tell Trino what not to expire."""

_READERS = 8
_VERSION = re.compile(r"metadata/(\d+)-[^/]*\.metadata\.json")


def snapshot_facts(table: Table) -> list[SnapshotFacts]:
    """Every snapshot of the table."""
    protected = {ref.snapshot_id for name, ref in table.metadata.refs.items() if not name.startswith(KEEP_TAG)}
    return [
        SnapshotFacts(
            snapshot.snapshot_id,
            snapshot.sequence_number or 0,
            datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
            _deliveries(table, snapshot),
            snapshot.snapshot_id in protected,
        )
        for snapshot in table.metadata.snapshots
    ]


def keep_tags(table: Table) -> dict[str, int]:
    """Our own tags: name -> snapshot."""
    return {name: ref.snapshot_id for name, ref in table.metadata.refs.items() if name.startswith(KEEP_TAG)}


def reachable(table: Table, snapshot_ids: Collection[int] | None = None) -> set[str]:
    """The keys of every file that snapshots need, all of the table's or these: metadata, data, deletes, statistics."""
    snapshots = [
        snapshot for snapshot in table.metadata.snapshots if snapshot_ids is None or snapshot.snapshot_id in snapshot_ids
    ]
    ids = {snapshot.snapshot_id for snapshot in snapshots}
    found = {file_key(snapshot.manifest_list) for snapshot in snapshots}
    found |= {file_key(statistic.statistics_path) for statistic in table.metadata.statistics if statistic.snapshot_id in ids}
    found |= {
        file_key(partition_statistic.statistics_path)
        for partition_statistic in table.metadata.partition_statistics
        if partition_statistic.snapshot_id in ids
    }
    with ThreadPoolExecutor(_READERS, thread_name_prefix="manifests") as pool:
        manifests = {
            item.manifest_path: item for element in pool.map(lambda one: one.manifests(table.io), snapshots) for item in element
        }
        found |= {file_key(manifest) for manifest in manifests}
        for entries in pool.map(lambda one: _files_in(one, table.io), manifests.values()):
            found |= entries
    return found


def metadata_files(table: Table) -> set[str]:
    """The keys of the table's metadata versions: the current one and those of its log."""
    versions = [table.metadata_location, *(logged.metadata_file for logged in table.metadata.metadata_log)]
    return {file_key(version) for version in versions} | {"metadata/version-hint.text"}


def versions_ahead(table: Table, found: Iterable[str]) -> list[int]:
    """The numbers of metadata versions among the file keys found that are later than the table's own, sorted.

    One can be left by a commit that was killed. Several are those of a lake that went on without this catalog.
    """
    current = _version(file_key(table.metadata_location))
    numbers = {number for key in found if (number := _version(key)) is not None}
    return sorted(candidate for candidate in numbers if current is not None and candidate > current)


def _version(key: str) -> int | None:
    match = _VERSION.fullmatch(key)
    return int(match.group(1)) if match else None


@dataclass(frozen=True)
class SlicePlan:
    """What is to be merged in one slice: each group of files becomes one."""

    slice_: Slice
    groups: list[list[FileFacts]]

    @property
    def files(self) -> list[FileFacts]:
        """Every file that is to be rewritten."""
        return [item for group in self.groups for item in group]

    @property
    def deletes(self) -> frozenset[str]:
        """The delete files that go with it."""
        return frozenset(location for file in self.files for location in file.deletes)


def merge_plans(table: Table, rules: Rules) -> list[SlicePlan]:
    """What is to be merged in the table's current snapshot, a slice each, sorted.

    A table without slices is always written as a whole, into one file: there is nothing to merge.
    """
    if table.spec().is_unpartitioned():
        return []
    by_slice: dict[Slice, list[FileFacts]] = {}
    for task in file_tasks(table):
        facts = FileFacts(
            task.file.file_path,
            task.file.file_size_in_bytes,
            task.file.record_count,
            frozenset(delete_file.file_path for delete_file in task.delete_files),
        )
        by_slice.setdefault(slice_of(task.file), []).append(facts)
    plans = [SlicePlan(slice_, groups_to_merge(files, rules)) for slice_, files in sorted(by_slice.items())]
    return [plan for plan in plans if plan.groups]


def _deliveries(table: Table, snapshot: Snapshot) -> frozenset[tuple[Slice, str]]:
    """What a load committed with a snapshot. Commits of before they had labels are asked for what they changed."""
    delivery_id = snapshot.summary.additional_properties.get("delivery-id") if snapshot.summary is not None else None
    if delivery_id is None:
        return frozenset()
    slices: Iterable[Slice] = committed_slices(snapshot) or {
        slice_of(entry.data_file)
        for manifest in snapshot.manifests(table.io)
        if manifest.added_snapshot_id == snapshot.snapshot_id
        for entry in _entries(manifest, table.io, discard_deleted=False)
        if entry.snapshot_id == snapshot.snapshot_id
    }
    return frozenset((slice_, delivery_id) for slice_ in slices)


def _files_in(manifest: ManifestFile, io: FileIO) -> set[str]:
    return {file_key(entry.data_file.file_path) for entry in _entries(manifest, io)}


def _entries(manifest: ManifestFile, io: FileIO, discard_deleted: bool = True) -> list[ManifestEntry]:
    return manifest.fetch_manifest_entry(io, discard_deleted=discard_deleted)
