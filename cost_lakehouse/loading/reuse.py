"""Files of a month that come again as they were: their rows are taken from the slice, and not read a second time.

A file is what it was where the store says so (an ETag that is a digest, with the size), or where the SHA-256 of its bytes is
the same; names do not count. Nothing else is trusted: the rows of the slice have to be those of its load on record, written by
the rules of today, and all numbers together are summed and proven again before the commit.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa

from cost_lakehouse.audit.file_totals import FileTotals, from_text
from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.errors import CostLakehouseError, LakeError
from cost_lakehouse.formats.reader_version import reader_version
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import load_of
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.loads import Loads
from cost_lakehouse.lake.manifests import file_tasks
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.splice import Kept, NotSpliceable, StoredFile, digests_of, splice
from cost_lakehouse.lake.tables import FILES
from cost_lakehouse.loading.read import LoadedFiles
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.storage.object_store import StoredObject

# MD5 of the content or of its parts' MD5s; where a store encrypts, at least no other object's (AWS: Object.ETag). Of what a
# lakehouse pushes the manifest says SHA-256.
_DIGEST = re.compile(r"[0-9a-f]{32}(-\d+)?|[0-9a-f]{64}")
_LOG = logging.getLogger(__name__)
_KNOWN = ("load_id", "key", "etag", "size", "rows", "content", "control_totals", "rows_digest", "reader", "read_by")
_COLUMNS = pa.schema([FILES.field(name) for name in _KNOWN])


class Openable(Protocol):
    """Where the content of listed objects is."""

    def open(self, obj: StoredObject) -> BinaryIO:
        """The content, to be read once from front to back; raises DeliveryChanged, DeliveryFailed or SourceError."""


@dataclass(frozen=True)
class HeldFile:
    """A file whose rows a slice holds, as its load put it on record. ``read_by`` is the load that read it."""

    key: str
    etag: str
    size: int
    rows: int
    content: str
    control_totals: str
    rows_digest: str
    read_by: str


@dataclass(frozen=True)
class KeptFile:
    """A delivered file whose rows the slice holds already, under the key ``held.key``."""

    held: HeldFile
    totals: FileTotals


@dataclass
class Unchanged:
    """What of a delivery need not be read: by the delivered objects' keys, and where their rows are."""

    files: dict[str, KeptFile] = field(default_factory=dict)
    groups: list[Kept] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)  # the files that were spliced of them


def unchanged(lake: Lake, source: Openable, delivery: Delivery, loads: Loads) -> Unchanged:
    """The files of a whole month whose rows its slice holds; none where that cannot be told for sure.

    Raises what opening and reading the source's objects raises.
    """
    month = delivery.billing_period
    proven = loads.proven.get(month) if month is not None else None
    if month is None or proven is None or delivery.table != proven.raw_table:
        return Unchanged()
    slice_ = Slice(delivery.source, month)
    held = _held_files(lake, slice_, proven)
    try:
        stored = _stored_files(lake, delivery.table, slice_, proven) if held else []
    except (OSError, LakeError, NotSpliceable) as error:
        _LOG.warning("%s is read whole: its files in the lake cannot be looked into: %s", slice_, error)
        return Unchanged()
    alone = in_groups_of_their_own(stored)
    same = same_files(source, delivery.objects, [found for found in held if alone.get(found.key) == found.rows])
    return _of(same, stored)


def _held_files(lake: Lake, slice_: Slice, proven: Receipt) -> list[HeldFile]:
    """The files of the slice's load that were read by the rules of today."""
    rows = ledger_rows(lake, "raw.files", _COLUMNS, [slice_], load=proven.load_id)
    return [
        HeldFile(key, etag or "", size, count, content or "", totals, digest, read_by)
        for load_id, key, etag, size, count, content, totals, digest, reader, read_by in rows
        if load_id == proven.load_id and count and totals and digest and reader == reader_version()
    ]


def _stored_files(lake: Lake, table_name: str, slice_: Slice, proven: Receipt) -> list[StoredFile]:
    """Those of the slice's data files that are as the load on record wrote them: not merged, and nothing deleted in them."""
    table = lake.current(table_name)
    tasks = [task for task in file_tasks(table, [slice_]) if load_of(task.file) == proven.load_id and not task.delete_files]
    return [StoredFile.at(table.io, task.file.file_path) for task in tasks]


def in_groups_of_their_own(stored: Sequence[StoredFile]) -> dict[str, int]:
    """Delivered files -> how many of their rows are in row groups without rows of others. Pure."""
    rows: dict[str, int] = {}
    for group in (group for file in stored for group in file.groups):
        if group.file_name is not None:
            rows[group.file_name] = rows.get(group.file_name, 0) + group.rows
    return rows


def same_files(source: Openable, objects: Sequence[StoredObject], held: Sequence[HeldFile]) -> dict[str, HeldFile]:
    """Delivered objects that are files which the slice holds, each of them once: key -> the held file.

    Objects of the same size are read, but not understood, where their ETags do not tell.
    """
    left = {found.key: found for found in held}
    same: dict[str, HeldFile] = {}
    unsure: list[StoredObject] = []
    for found in objects:
        sized = [item for item in left.values() if item.size == found.size]
        match = next((item for item in sized if item.etag == found.etag and _DIGEST.fullmatch(found.etag)), None)
        if match is not None:
            same[found.key] = left.pop(match.key)
        elif sized:
            unsure.append(found)
    with ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        digests = list(pool.map(lambda each: _digest(source, each), unsure))
    for found, digest in zip(unsure, digests, strict=True):
        match = next((item for item in left.values() if digest and item.content == digest and item.size == found.size), None)
        if match is not None:
            same[found.key] = left.pop(match.key)
    return same


def _digest(source: Openable, each: StoredObject) -> str:
    """SHA-256 of an object's bytes; empty where they are not as many as were listed."""
    digest, count = hashlib.sha256(), 0
    try:
        with closing(source.open(each)) as stream:
            while data := stream.read(1 << 20):
                digest.update(data)
                count += len(data)
    except CostLakehouseError as error:
        error.key = error.key or each.key
        raise
    return digest.hexdigest() if count == each.size else ""


def _of(same: Mapping[str, HeldFile], stored: Sequence[StoredFile]) -> Unchanged:
    """Where the rows of these files are; a file whose control totals cannot be read is none of them."""
    files = {}
    for key, held in same.items():
        try:
            files[key] = KeptFile(held, from_text(held.control_totals))
        except ValueError as error:
            _LOG.warning("%s is read again: %s", key, error)
    new_names = {kept.held.key: key for key, kept in files.items()}
    groups = [
        Kept(file, {group.number: new_names[group.file_name] for group in file.groups if group.file_name in new_names})
        for file in stored
    ]
    return Unchanged(files, [part for part in groups if part.names])


def take_over(found: Unchanged, delivery_id: str, folder: Path, load_id: str) -> None:
    """Write the rows of unchanged files into new files of a load below ``folder``.

    Raises NotSpliceable where they are not those that were proven when they were read, OSError or LakeError.
    """
    spliced = splice(found.groups, delivery_id, folder, load_id)
    changed = [key for key, kept in found.files.items() if spliced.digests.get(key) != kept.held.rows_digest]
    if changed:
        for path in spliced.paths:
            path.unlink()
        raise NotSpliceable(f"the rows of {min(changed)} are not those that its load has put on record")
    found.paths = spliced.paths


def unchanged_rows(
    lake: Lake,
    source: Openable,
    delivery: Delivery,
    loads: Loads,
    load_id: str,
    label: str,
    folder_of: Callable[[date], Path],
) -> Unchanged:
    """The files of a whole month that come again as they were, their rows in new files of the load.

    None where the slice's rows cannot be taken over. ``label`` says for people what is loaded, ``folder_of`` is asked where
    there is something to write. Raises what opening and reading the source's objects raises.
    """
    month = delivery.billing_period
    if month is None or FORMATS[delivery.table].adds_up:
        return Unchanged()
    found = unchanged(lake, source, delivery, loads)
    if not found.groups:
        return Unchanged()
    try:
        take_over(found, delivery.delivery_id, folder_of(month), load_id)
    except (NotSpliceable, FileNotFoundError, LakeError) as error:
        _LOG.warning("%s: all files are read, as rows cannot be taken over: %s", label, error)
        return Unchanged()
    return found


def add_unchanged(loaded: LoadedFiles, found: Unchanged, month: date | None) -> None:
    """Add what was taken over to what was read: the delivery is the sum of both."""
    for key, kept in found.files.items():
        assert month is not None  # noqa: S101  # only files of whole months are taken over
        part = loaded.month(month)
        part.totals.merge(kept.totals.totals)
        part.rounded += kept.totals.rounded
        part.records[key] += kept.held.rows
        loaded.records[key] = kept.held.rows
        loaded.files[key] = kept.totals
        loaded.contents[key] = kept.held.content
        loaded.rows_digests[key] = kept.held.rows_digest
    if found.paths and month is not None:
        loaded.month(month).files += found.paths


def rows_digests(files: Sequence[Path], rows: Mapping[str, int]) -> dict[str, str]:
    """The digests of delivered files' rows in new data files, where all of a file's ``rows`` are in row groups of their own."""
    try:
        stored = [StoredFile.of_path(path) for path in files]
    except NotSpliceable:
        return {}
    alone = in_groups_of_their_own(stored)
    return {name: digest for name, digest in digests_of(stored).items() if alone[name] == rows.get(name)}
