"""Commits of our own to an Iceberg table: what a commit costs depends on what it changes, not on the table's history.

pyiceberg's transaction copies the table's whole metadata some twenty times a commit, every snapshot and property in it, reads
every manifest, and leaves one more behind: a load into a lake of 200 months took four times as long as into an empty one. Here
the new manifests, manifest list and metadata are made after Iceberg's specification (format version 2), by pyiceberg's writers:

* A manifest tells of few files, of slices that are near each other: replacing a month reads and writes one small manifest.
* Manifests that are less than half full are merged with the new ones on the way.
* Manifests without a file that is still there are left out, as Iceberg's own library does.
* The metadata file gets one snapshot more; nothing else in it is looked at.
* The catalog's row is switched only where it still names the metadata that the commit was made from.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import (
    DataFile,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriter,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.table import Table, TableProperties
from pyiceberg.table.metadata import TableMetadataV2
from pyiceberg.table.snapshots import Operation, SnapshotSummaryCollector, Summary, update_snapshot_summaries
from sqlalchemy import text

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.manifests import entries_of, is_live, is_sliced, manifests_of, may_hold, slice_of
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.table_metadata import Document, read_document, write_document

_FORMAT_VERSION: Literal[2] = 2
_VERSIONS_KEPT = TableProperties.METADATA_PREVIOUS_VERSIONS_MAX_DEFAULT
_FULL = 64  # entries of a manifest that we write, at most
_VERSION = re.compile(r"(\d+)-[0-9a-f-]+(?:\.gz)?\.metadata\.json")
_SWITCH = text(
    "update iceberg_tables set metadata_location = :new, previous_metadata_location = :old "
    "where catalog_name = :catalog and table_namespace = :namespace and table_name = :name and metadata_location = :old"
)


@dataclass(frozen=True)
class Change:
    """What a commit changes. ``files`` are locations of Parquet files; deletes of ``without_deletes`` go with their rows."""

    old: Sequence[DataFile] = ()
    files: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)  # of the new snapshot
    properties: Mapping[str, str] = field(default_factory=dict)  # of the table
    without_deletes: Collection[Slice] = ()
    snapshots: int | None = None  # how many of the newest are kept, beside those with a name; None: all


def commit(table: Table, change: Change) -> None:
    """Commit a change of the table's current snapshot, in one step.

    Raises CommitFailedException where the table has changed since it was read: nothing was committed then. Raises LakeError
    where it is of another format version.
    """
    if not isinstance(table.metadata, TableMetadataV2):
        raise LakeError(
            f"{'.'.join(table.name())} is an Iceberg table of format version {table.format_version}.",
            f"Only version {_FORMAT_VERSION} can be written; somebody else changed the table.",
        )
    document = read_document(table.io, table.metadata_location)
    made = _Commit(table, table.metadata, change)
    if change.old or change.files or change.labels:
        document = _without_old_snapshots(_with_snapshot(document, made.snapshot()), change.snapshots)
    document = _with_properties(document, change.properties)
    _switch(table, document, made.written)


class _Commit:
    """The files of one new snapshot."""

    def __init__(self, table: Table, metadata: TableMetadataV2, change: Change) -> None:
        self._table = table
        self._metadata = metadata
        self._change = change
        self._id = self._metadata.new_snapshot_id()
        self._name = uuid.uuid4()
        self._compression: Any = table.properties.get(
            TableProperties.WRITE_AVRO_COMPRESSION, TableProperties.WRITE_AVRO_COMPRESSION_DEFAULT
        )
        self._is_sliced = is_sliced(table)
        self.written: list[str] = []

    def snapshot(self) -> dict[str, Any]:
        """Write manifests and manifest list; the snapshot as the metadata file holds it."""
        table, parent = self._table, self._table.current_snapshot()
        added = [parquet_file_to_data_file(table.io, self._metadata, location) for location in self._change.files]
        for file in added:
            file.spec_id = self._metadata.default_spec_id
        removed: list[DataFile] = []
        manifests = self._manifests(added, removed)
        sequence = self._metadata.last_sequence_number + 1
        location = self._new(f"snap-{self._id}-0-{self._name}.avro")
        with write_manifest_list(
            format_version=_FORMAT_VERSION,
            output_file=table.io.new_output(location),
            snapshot_id=self._id,
            parent_snapshot_id=parent.snapshot_id if parent else None,
            sequence_number=sequence,
            avro_compression=self._compression,
        ) as writer:
            writer.add_manifests(manifests)
        snapshot: dict[str, Any] = {"snapshot-id": self._id}
        if parent:
            snapshot["parent-snapshot-id"] = parent.snapshot_id
        return {
            **snapshot,
            "sequence-number": sequence,
            "timestamp-ms": max(time.time_ns() // 1_000_000, self._metadata.last_updated_ms),
            "manifest-list": location,
            "summary": self._summary(added, removed),
            "schema-id": self._metadata.current_schema_id,
        }

    def _manifests(self, added: Sequence[DataFile], removed: list[DataFile]) -> list[ManifestFile]:
        """Every manifest of the new snapshot, new ones first; ``removed`` is told of the files that go."""
        gone = {old_file.file_path for old_file in self._change.old}
        touched = {slice_of(data_file_) for data_file_ in (*added, *self._change.old)} if self._is_sliced else set()
        entries: dict[int, list[ManifestEntry]] = {}  # by partition spec
        for file in added:
            entries.setdefault(file.spec_id, []).append(self._entry(ManifestEntryStatus.ADDED, None, file))
        kept: list[ManifestFile] = []
        deletes: list[ManifestFile] = []
        for manifest in filter(is_live, manifests_of(self._table)):
            if manifest.content == ManifestContent.DELETES:
                deletes += self._without_deletes(manifest, removed)
                continue
            found: Sequence[ManifestEntry] = ()
            if gone and (not self._is_sliced or may_hold(manifest, touched)):
                found = entries_of(self._table.io, manifest)
            if not any(manifest_entry.data_file.file_path in gone for manifest_entry in found):
                kept.append(manifest)
                continue
            for manifest_entry in found:
                goes = manifest_entry.data_file.file_path in gone
                status = ManifestEntryStatus.DELETED if goes else ManifestEntryStatus.EXISTING
                entries.setdefault(manifest.partition_spec_id, []).append(
                    self._entry(status, manifest_entry, manifest_entry.data_file)
                )
        removed += self._change.old
        rest = self._merge(entries, kept, touched)
        new = [self._write(spec, part) for spec, listed in sorted(entries.items()) for part in self._parts(listed)]
        return [*new, *rest, *deletes]

    def _merge(
        self, entries: dict[int, list[ManifestEntry]], kept: Sequence[ManifestFile], touched: Collection[Slice]
    ) -> list[ManifestFile]:
        """Take the entries of small manifests in, first of those near; the manifests that stay as they are."""
        small = [other for other in kept if _count(other) <= _FULL // 2 and other.partition_spec_id in entries]
        taken: list[ManifestFile] = []
        for manifest in sorted(small, key=lambda one: self._is_sliced and not may_hold(one, touched)):
            into = entries[manifest.partition_spec_id]
            if len(into) + _count(manifest) <= _FULL:
                taken.append(manifest)
                into += [
                    self._entry(ManifestEntryStatus.EXISTING, item, item.data_file)
                    for item in entries_of(self._table.io, manifest)
                ]
        return [other for other in kept if other not in taken]

    def _parts(self, entries: Sequence[ManifestEntry]) -> list[Sequence[ManifestEntry]]:
        """Entries as manifests of like size, each of neighbouring slices."""
        ordered = sorted(entries, key=lambda one: slice_of(one.data_file)) if self._is_sliced else entries
        count = -(-len(ordered) // _FULL)
        size = -(-len(ordered) // count)
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def _entry(self, status: ManifestEntryStatus, known: ManifestEntry | None, file: DataFile) -> ManifestEntry:
        """``known`` is the entry that the file has had; what is new or goes belongs to this snapshot."""
        keeps = known is not None and status == ManifestEntryStatus.EXISTING
        return ManifestEntry.from_args(
            status=status,
            snapshot_id=known.snapshot_id if known is not None and keeps else self._id,
            sequence_number=known.sequence_number if known is not None else None,
            file_sequence_number=known.file_sequence_number if known is not None else None,
            data_file=file,
        )

    def _without_deletes(self, manifest: ManifestFile, removed: list[DataFile]) -> list[ManifestFile]:
        """A manifest of another engine's delete files, without those of slices that were rewritten whole."""
        entries = entries_of(self._table.io, manifest)
        going = [entry for entry in entries if self._is_sliced and slice_of(entry.data_file) in self._change.without_deletes]
        if not going:
            return [manifest]
        removed += [item.data_file for item in going]
        stays = [self._entry(ManifestEntryStatus.EXISTING, entry, entry.data_file) for entry in entries if entry not in going]
        return [self._write(manifest.partition_spec_id, stays, _DeletesWriter)] if stays else []

    def _write(
        self, spec_id: int, entries: Iterable[ManifestEntry], kind: type[ManifestWriterV2] = ManifestWriterV2
    ) -> ManifestFile:
        table = self._table
        location = self._new(f"{self._name}-m{len(self.written)}.avro")
        spec: PartitionSpec = table.specs()[spec_id]
        writer: ManifestWriter = kind(spec, table.schema(), table.io.new_output(location), self._id, self._compression)
        with writer:
            for manifest_entry in entries:
                writer.add_entry(manifest_entry)
        return writer.to_manifest_file()

    def _new(self, name: str) -> str:
        location = self._table.location_provider().new_metadata_location(name)
        self.written.append(location)
        return location

    def _summary(self, added: Sequence[DataFile], removed: Sequence[DataFile]) -> dict[str, str]:
        metadata, parent = self._metadata, self._table.current_snapshot()
        schema, specs = metadata.schema(), metadata.specs()
        counted = SnapshotSummaryCollector()
        for file in added:
            counted.add_file(file, schema, specs[file.spec_id])
        for file in removed:
            counted.remove_file(file, schema, specs[file.spec_id])
        summary = Summary(
            operation=Operation.OVERWRITE if removed or not added else Operation.APPEND,
            **counted.build(),
            **self._change.labels,
        )
        previous = parent.summary.additional_properties if parent and parent.summary else None
        summary = update_snapshot_summaries(summary, previous)
        return {"operation": summary.operation.value, **summary.additional_properties}


class _DeletesWriter(ManifestWriterV2):
    """Writes a manifest of delete files, which pyiceberg itself does not."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


def _count(manifest: ManifestFile) -> int:
    return (manifest.added_files_count or 0) + (manifest.existing_files_count or 0)


def _with_snapshot(document: Document, snapshot: Mapping[str, Any]) -> Document:
    """The metadata with one snapshot more, which is the current one."""
    refs = dict(document.get("refs", {}))
    refs["main"] = {"type": "branch", **refs.get("main", {}), "snapshot-id": snapshot["snapshot-id"]}
    logged = {"snapshot-id": snapshot["snapshot-id"], "timestamp-ms": snapshot["timestamp-ms"]}
    return {
        **document,
        "last-sequence-number": snapshot["sequence-number"],
        "current-snapshot-id": snapshot["snapshot-id"],
        "snapshots": [*document.get("snapshots", ()), snapshot],
        "snapshot-log": [*document.get("snapshot-log", ()), logged],
        "refs": refs,
    }


def _without_old_snapshots(document: Document, count: int | None) -> Document:
    """The metadata with its newest snapshots and those with a name. Files of others are orphans, which maintenance removes."""
    snapshots = document["snapshots"]
    if count is None or len(snapshots) <= count:
        return document
    named = {value["snapshot-id"] for value in document["refs"].values()}
    kept = [item for index, item in enumerate(snapshots, count - len(snapshots)) if index >= 0 or item["snapshot-id"] in named]
    ids = {item["snapshot-id"] for item in kept}
    return {
        **document,
        "snapshots": kept,
        "snapshot-log": [item for item in document["snapshot-log"] if item["snapshot-id"] in ids],
    }


def _with_properties(document: Document, properties: Mapping[str, str]) -> Document:
    return {**document, "properties": {**document.get("properties", {}), **properties}} if properties else document


def _switch(table: Table, document: Document, written: Sequence[str]) -> None:
    """Write the metadata and make it the table's, unless somebody else was faster; then what was written goes again."""
    old = table.metadata_location
    log = [*document.get("metadata-log", ()), {"metadata-file": old, "timestamp-ms": document["last-updated-ms"]}]
    properties: Mapping[str, str] = document.get("properties", {})
    kept = max(1, int(properties.get(TableProperties.METADATA_PREVIOUS_VERSIONS_MAX, _VERSIONS_KEPT)))
    outdated, log = log[:-kept], log[-kept:]
    now = max(time.time_ns() // 1_000_000, document["last-updated-ms"])
    version = _VERSION.fullmatch(old.rsplit("/", 1)[-1])
    new = table.location_provider().new_table_metadata_file_location(int(version.group(1)) + 1 if version else 0)
    write_document(table.io, new, {**document, "last-updated-ms": now, "metadata-log": log})
    catalog = table.catalog
    assert isinstance(catalog, SqlCatalog)  # noqa: S101  # a lake has no other
    namespace, name = table.name()[0], table.name()[-1]
    with catalog.engine.begin() as connection:
        switched = connection.execute(
            _SWITCH, {"new": new, "old": old, "catalog": catalog.name, "namespace": namespace, "name": name}
        ).rowcount
    if switched != 1:
        _delete(table, [new, *written])
        raise CommitFailedException(f"{namespace}.{name} was changed by another process")
    if properties.get(TableProperties.METADATA_DELETE_AFTER_COMMIT_ENABLED, "").lower() == "true":
        _delete(table, [item["metadata-file"] for item in outdated])


def _delete(table: Table, locations: Sequence[str]) -> None:
    """What cannot be deleted is an orphan, which maintenance removes."""
    for location in locations:
        with suppress(OSError, LakeError):
            table.io.delete(location)
