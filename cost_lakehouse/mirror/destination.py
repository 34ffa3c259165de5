"""What a copy asks of the place that it writes to, be it a bucket or a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from cost_lakehouse.sources.oci.store import ListedObject
from cost_lakehouse.storage.object_store import StoredObject

Copied = Callable[[int], None]
"""Hears of so many more bytes that were read."""


class Original(Protocol):
    """One object where it comes from."""

    @property
    def listed(self) -> ListedObject:
        """As the listing showed it."""

    def read(self, start: int, end: int) -> BinaryIO:
        """Its bytes from ``start`` up to (not with) ``end``, only while it is the listed one; raises like a store."""


class Destination(Protocol):
    """A bucket, or a folder laid out like one. Its methods may be called by several threads.

    Every method raises MirrorFailed where the place cannot be used.
    """

    def describe(self, key: str) -> str:
        """The key for people: ``s3://bucket/key`` or an absolute path."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """What lies there already; keys as at the original's."""

    def holds(self, original: ListedObject, found: StoredObject) -> bool:
        """Whether what lies there has the original's content: by checksum, or by size and what was noted when it was copied."""

    def write(self, original: Original, copied: Copied) -> None:
        """Copy one object and prove the copy; it appears under its key whole or not at all.

        A copy that was interrupted goes on where it was. Raises DeliveryFailed where the original cannot be read to its end,
        or what arrived is not what was listed.
        """

    def delete(self, key: str) -> None:
        """Remove one object."""

    def finish(self) -> None:
        """The copy ended well: remove what is only of use for an interrupted one."""
