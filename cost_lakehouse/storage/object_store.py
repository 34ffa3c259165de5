"""What discovery and loading ask of a place where bills lie, be it a bucket or a folder laid out like one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from cost_lakehouse.errors import DeliveryFailed

SMALL_OBJECT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, order=True)
class StoredObject:
    """One object (or file) as it was listed. ``key`` is relative to the store's root (the bucket)."""

    key: str
    etag: str
    size: int
    last_modified: datetime  # UTC, aware

    @property
    def name(self) -> str:
        """The last part of the key, for people."""
        return self.key.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Listing:
    """One level of a store: the objects right there, and the folders below (keys that end in ``/``)."""

    objects: tuple[StoredObject, ...]
    folders: tuple[str, ...]

    def find(self, key: str) -> StoredObject | None:
        """The object of that key, where it is on this level."""
        return next((stored_object for stored_object in self.objects if stored_object.key == key), None)


class ObjectStore(Protocol):
    """A bucket, or a folder laid out like one. Keys are relative to its root and use ``/``.

    Every method raises SourceError where the place cannot be used (denied, no bucket, unreachable). Folder markers (keys that
    end in ``/``) are never listed.
    """

    def describe(self, key: str) -> str:
        """The key for people: ``s3://bucket/key`` or an absolute path."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix``, at any depth, in any number."""

    def list_folder(self, folder: str) -> Listing:
        """One level only: ``folder`` is "" or ends in ``/``."""

    def head(self, key: str) -> StoredObject | None:
        """The object of that key; None where it is not there."""

    def open(self, obj: StoredObject) -> BinaryIO:
        """The content, to be read once from front to back.

        Opening and reading raise DeliveryChanged where the object is not the listed one any more, DeliveryFailed where it
        cannot be read to its end.
        """

    def read(self, obj: StoredObject) -> bytes:
        """The whole content of a small object such as a manifest; raises like ``open``."""


def read_small(store: ObjectStore, obj: StoredObject) -> bytes:
    """Read an object that ought to be small.

    Raises DeliveryFailed where it is larger than any manifest can be, so that a misnamed bill file never fills the memory.
    """
    if obj.size > SMALL_OBJECT_BYTES:
        raise DeliveryFailed(
            f"{store.describe(obj.key)} has {obj.size} bytes: that is no manifest.", "Move the file away from the report."
        )
    with store.open(obj) as content:
        return content.read()
