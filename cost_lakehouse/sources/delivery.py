"""What a provider has delivered: one complete set of files for a (source, billing period)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from cost_lakehouse.storage.object_store import StoredObject


class FileFormat(StrEnum):
    """How a bill's files are written. How a CSV file is packed (gzip, zip, not at all) its first bytes tell the reader."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True)
class Delivery:
    """One complete delivery: all its files are there.

    ``delivery_id`` is AWS's assemblyId or executionId; ``delivered_at`` the manifest's LastModified (UTC), which orders
    deliveries.
    """

    source: str
    billing_period: date  # the first of the month
    delivery_id: str
    objects: tuple[StoredObject, ...]
    manifest: StoredObject
    file_format: FileFormat
    report_name: str
    delivered_at: datetime

    @property
    def bytes(self) -> int:
        """The size of all files as delivered, in bytes."""
        return sum(stored_object.size for stored_object in self.objects)

    @property
    def fingerprint(self) -> str:
        """A digest of the files' (key, etag, size): it differs when a file was replaced in place under the same id."""
        return fingerprint_of(self.objects)


@dataclass(frozen=True)
class Increment:
    """Files that add to a bill, such as OCI's: their months are known only once they are read.

    ``table`` is the raw table that they belong in. ``objects`` are loaded together, by one commit. Where a manifest announces
    them they are the whole bill of ``billing_period``, and take the place of all that the lake holds of it. ``gone`` are keys
    of objects that are no part of the bill any more: their rows go from the months that the new objects have rows in.
    """

    source: str
    table: str
    objects: tuple[StoredObject, ...]
    billing_period: date | None = None
    manifest: StoredObject | None = None
    manifest_id: str = ""  # the manifest's; empty where there is none
    file_format: FileFormat = FileFormat.CSV  # of objects whose names do not tell
    gone: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether the objects take the place of others, so that none of them can be left out."""
        return self.billing_period is not None or bool(self.gone)

    @property
    def delivery_id(self) -> str:
        """The manifest's id, else a digest of the objects' (key, etag): the same files are the same delivery, whoever asks."""
        if self.manifest_id:
            return self.manifest_id
        digest = hashlib.sha256()
        for key, etag in sorted((stored_object.key, stored_object.etag) for stored_object in self.objects):
            digest.update(f"{key}\0{etag}\n".encode())
        return digest.hexdigest()[:32]

    @property
    def bytes(self) -> int:
        """The size of all files as delivered, in bytes."""
        return sum(stored_object.size for stored_object in self.objects)

    @property
    def fingerprint(self) -> str:
        """A digest of the files' (key, etag, size)."""
        return fingerprint_of(self.objects)

    @property
    def delivered_at(self) -> datetime:
        """When the manifest, or the newest of the files, was written (UTC, aware)."""
        if self.manifest is not None:
            return self.manifest.last_modified
        return max(stored_object.last_modified for stored_object in self.objects)

    @property
    def report_name(self) -> str:
        """The kind of report: the raw table's own name."""
        return self.table.rsplit(".", 1)[-1]


def fingerprint_of(objects: Iterable[StoredObject]) -> str:
    """A digest of (key, etag, size) of some objects, in whatever order."""
    digest = hashlib.sha256()
    for stored_object in sorted(objects):
        digest.update(f"{stored_object.key}\0{stored_object.etag}\0{stored_object.size}\n".encode())
    return digest.hexdigest()


class Status(StrEnum):
    """Where a delivery stands: what discovery says of it, what the lake makes of it, and what a load did."""

    NEW = "new"  # complete, and as far as is known not in the lake: to be loaded
    CURRENT = "current"  # the lake holds exactly this
    OLDER = "older"  # the lake holds a newer one, which stays
    REFUSED = "refused"  # tried, and on record as refused: only a manual run tries again
    WAITING = "waiting"  # no manifest yet, or a listed file is missing or empty, or AWS is refreshing it
    FAILED = "failed"  # the manifest cannot be understood
    EARLY = "before first month"  # the lake begins later: delivered, and left out on purpose
    LOADED = "loaded"  # a load committed it
    UNCHANGED = "unchanged"  # a load found that the lake holds it already


@dataclass(frozen=True)
class Finding:
    """The newest delivery of one (source, billing period), or why there is none.

    ``billing_period`` is None where the whole source is meant (nothing delivered yet), or an increment of unknown months.
    A NEW finding may carry a ``reason`` too: a newer delivery that is not complete yet.
    """

    source: str
    billing_period: date | None
    status: Status
    delivery: Delivery | Increment | None = None
    reason: str = ""
