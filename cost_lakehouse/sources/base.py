"""What a source is to everybody else: where its bill is listed, opened, watched and examined, whatever kind it is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import BinaryIO, Protocol

from cost_lakehouse.config import SourceSettings
from cost_lakehouse.sources.delivery import Delivery, Finding
from cost_lakehouse.storage.object_store import StoredObject


@dataclass(frozen=True)
class Delivered:
    """What lies at a source.

    ``months`` are findings about whole months; ``files`` (raw table -> objects, sorted by key) add to a bill one by one.
    ``is_complete`` says that a file which is not there any more is no part of the bill, ``keys`` are all that are listed.
    ``note`` tells people what is not read, ``nothing`` what there is none of where nothing is there.
    """

    months: tuple[Finding, ...] = ()
    files: Mapping[str, tuple[StoredObject, ...]] = field(default_factory=dict)
    is_complete: bool = False
    keys: frozenset[str] = frozenset()
    note: str = ""
    nothing: str = "nothing is there yet"

    @property
    def objects(self) -> tuple[StoredObject, ...]:
        """The files of all tables."""
        return tuple(found for objects in self.files.values() for found in objects)


@dataclass(frozen=True)
class Check:
    """What an examination of a source found. ``state`` is ok, warning (nothing is broken) or failed."""

    state: str
    says: str
    fix: str = ""


class Progress(Protocol):
    """Hears how far the load of one delivery is. Calls may come from another thread, one at a time."""

    def start(self, label: str, total_bytes: int) -> None:
        """A load begins: ``label`` for people, ``total_bytes`` as delivered (packed)."""

    def advance(self, bytes_read: int, rows: int) -> None:
        """So many more delivered bytes were read, and so many more rows were written, since the last call."""

    def finish(self) -> None:
        """The load ended, well or not."""


class Source(Protocol):
    """One configured source, opened. Every method raises SourceError where the place cannot be used."""

    @property
    def settings(self) -> SourceSettings:
        """What lakehouse.yaml says of it."""

    def list_deliveries(self, month: date | None = None) -> Delivered:
        """What is delivered; ``month`` (its first day) restricts the look to one where months can be told apart."""

    def open(self, obj: StoredObject) -> BinaryIO:
        """The content of a listed object, to be read once from front to back.

        Opening and reading raise DeliveryChanged where the object is not the listed one any more, DeliveryFailed where it
        cannot be read to its end.
        """

    def is_unchanged(self, delivery: Delivery) -> bool:
        """Whether what was listed still is what lies there; asked after the data was read, before the commit.

        Raises DeliveryFailed where the place does not answer, DeliveryRefused where what was read is not the whole.
        """

    def check(self) -> Check:
        """Whether it can be listed and read, and what lies there; for ``cost-lakehouse doctor``."""

    def follow(self, progress: Progress, tell: Callable[[str], None]) -> Progress:
        """The progress to load with; ``tell`` is told in sentences what takes long."""

    def spent(self) -> Mapping[str, int | Decimal]:
        """What reading cost so far, by name; empty where it is not counted."""

    def forget(self, month: date) -> None:
        """Remove what is kept on this machine of a month: it is in the lake."""
