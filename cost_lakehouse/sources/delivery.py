"""What a provider has delivered: files that belong together, and the months that they are of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from cost_lakehouse.storage.object_store import StoredObject


class FileFormat(StrEnum):
    """How a bill's files are written. How a CSV file is packed (gzip, zip, not at all) its first bytes tell the reader."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True)
class Delivery:
    """Objects that are to be current together in one raw table, all of them or none.

    Where ``billing_period`` is known they are the whole bill of that month, and take the place of all that its slice holds.
    Where it is None, each row tells its month: the objects are added to what is there, each in the place of the one that had
    its key, and in the months that they have rows in, of those whose keys are ``gone``.

    ``delivery_id`` is the provider's (AWS's assemblyId or executionId), else a digest of the objects; ``delivered_at`` (UTC,
    aware), when the manifest or the newest object was written, orders deliveries of one month.
    """

    source: str
    table: str  # the raw table that the rows belong in
    objects: tuple[StoredObject, ...]
    delivery_id: str
    delivered_at: datetime
    report_name: str
    billing_period: date | None = None  # the first of the month
    manifest: StoredObject | None = None
    file_format: FileFormat = FileFormat.CSV  # of objects whose names do not tell
    gone: frozenset[str] = frozenset()
    announced: Mapping[str, Decimal] | None = None  # the cost by currency that it says it has

    @classmethod
    def of_files(
        cls, source: str, table: str, objects: tuple[StoredObject, ...], gone: frozenset[str] = frozenset()
    ) -> Delivery:
        """Files that no manifest announces: the same files are the same delivery, whoever asks. There is at least one."""
        digest = hashlib.sha256()
        for key, etag in sorted((stored_object.key, stored_object.etag) for stored_object in objects):
            digest.update(f"{key}\0{etag}\n".encode())
        return cls(
            source=source,
            table=table,
            objects=objects,
            delivery_id=digest.hexdigest()[:32],
            delivered_at=max(stored_object.last_modified for stored_object in objects),
            report_name=short_name(table),
            gone=gone,
        )

    def only(self, objects: tuple[StoredObject, ...]) -> Delivery:
        """The delivery of some of its files, which is one of its own. Files that are a whole together are not parted."""
        return self if self.is_whole else Delivery.of_files(self.source, self.table, objects)

    @property
    def is_whole(self) -> bool:
        """Whether the objects take the place of others, so that none of them can be left out."""
        return self.billing_period is not None or bool(self.gone)

    @property
    def bytes(self) -> int:
        """The size of all files as delivered, in bytes."""
        return sum(stored_object.size for stored_object in self.objects)

    @property
    def fingerprint(self) -> str:
        """A digest of the files' (key, etag, size): it differs when a file was replaced in place under the same id."""
        return fingerprint_of(self.objects)


def short_name(table: str) -> str:
    """A raw table's own name, such as ``oci_cost``: the kind of report that feeds it."""
    return table.rsplit(".", 1)[-1]


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

    ``billing_period`` is None where the whole source is meant (nothing delivered yet), or files of months not known yet.
    A NEW finding may carry a ``reason`` too: a newer delivery that is not complete yet.
    """

    source: str
    billing_period: date | None
    status: Status
    delivery: Delivery | None = None
    reason: str = ""
