"""Sources whose bill lies in a bucket, or in a folder that is laid out like one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, Generic, Self, TypeVar

from cost_lakehouse.config import Settings
from cost_lakehouse.config.source import BucketSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.base import Check, Delivered, Progress
from cost_lakehouse.sources.delivery import Delivery, Finding, Status
from cost_lakehouse.sources.location_hints import KINDS, LEVELS_UP, Found, LocationHints, wrong_place
from cost_lakehouse.storage.local_folder import LocalFolder
from cost_lakehouse.storage.object_store import ObjectStore, StoredObject

Place = TypeVar("Place", bound=BucketSettings)


class BucketSource(ABC, Generic[Place]):
    """A source in a store; ``prefix`` is the key prefix below which its reports are ("" or without a slash at its end).

    ``folder`` is the configured location where that is a folder.
    """

    def __init__(self, settings: Place, store: ObjectStore, prefix: str, folder: Path | None = None) -> None:
        self._settings = settings
        self._folder = folder
        self.store = store
        self.prefix = prefix

    @staticmethod
    def root_of(location: Path) -> Path:
        """Which folder stands for the bucket, where the location is a folder."""
        return location

    @classmethod
    def of(cls, settings: Settings, source: Place) -> Self:
        """Open the store. Raises SourceError where folder, profile or region do not exist."""
        if source.oracle is not None:
            from cost_lakehouse.sources.oci.store import OciStore  # Oracle's SDK takes a second, which others do not need

            tenancy, oci = source.oracle
            return cls(source, OciStore.of(tenancy, oci.relative_to(settings.base)), "")
        if source.is_s3:
            from cost_lakehouse.storage.s3_store import S3Store, split_location

            return cls(source, S3Store.of(source), split_location(source.location)[1])
        location = settings.path(source.location)
        if location.is_file():
            raise SourceError(
                f"{location} is a file; a source's location is a folder.",
                f"Set `location` to {location.parent}, or one above it.",
            )
        store = LocalFolder(cls.root_of(location))
        prefix = location.relative_to(store.root).as_posix()
        return cls(source, store, "" if prefix == "." else prefix, location)

    @property
    def settings(self) -> Place:
        """What lakehouse.yaml says of it."""
        return self._settings

    @abstractmethod
    def list_deliveries(self, month: date | None = None) -> Delivered:
        """What is delivered."""

    @abstractmethod
    def is_unchanged(self, delivery: Delivery) -> bool:
        """Whether what was listed still is what lies there."""

    @abstractmethod
    def check(self) -> Check:
        """Whether it can be listed and read, and what lies there."""

    def open(self, obj: StoredObject) -> BinaryIO:
        """The content of a listed object."""
        return self.store.open(obj)

    def follow(self, progress: Progress, tell: Callable[[str], None]) -> Progress:
        """Bytes and rows say it all."""
        return progress

    def spent(self) -> Mapping[str, int | Decimal]:
        """Requests are not counted."""
        return {}

    def forget(self, month: date) -> None:
        """Nothing is kept."""

    def refuse_wrong_place(self) -> None:
        """Raise SourceError where a location that holds nothing has bills at or around it."""
        if not self._settings.location:
            return
        store, prefix = self.store, self.prefix
        if self._folder is not None:
            store = LocalFolder([self._folder, *self._folder.parents][: LEVELS_UP + 1][-1])
            prefix = self._folder.relative_to(store.root).as_posix()
        folder = f"{prefix}/" if prefix not in ("", ".") else ""
        hints = LocationHints(store, folder)
        here = hints.here()
        found = [Found(folder, here)] if here else hints.find()
        if found and not (here and self._settings.kind in KINDS.get(here, ())):
            raise wrong_place(self._settings.name, self._settings.kind, store, folder, found)

    def read_beginning(self, objects: Sequence[StoredObject]) -> None:
        """Read the beginning of a bill's first file in S3: a policy or a KMS key may allow the manifest alone.

        Raises SourceError or DeliveryFailed where it cannot be read.
        """
        if self._settings.is_s3 and objects:
            with self.open(objects[0]) as content:
                content.read(1)

    def check_months(self, found: Sequence[Finding]) -> Check:
        """What is to be said of a source whose manifests announce months; the newest delivery is read."""
        place = self._settings.place
        checked, newest = check_of_months(place, found)
        if newest is not None:
            self.read_beginning(newest.objects)
        return checked


def check_of_months(place: str, found: Sequence[Finding]) -> tuple[Check, Delivery | None]:
    """What findings of months say, and the newest delivery that is there."""
    deliveries = [finding.delivery for finding in found if finding.delivery is not None]
    broken = [finding for finding in found if finding.status is Status.FAILED]
    if broken:
        return Check("failed", f"{place}: {broken[-1].reason}", "See what the provider delivered there."), None
    if not deliveries:
        why = found[0].reason if found else "no delivery"
        fix = "Compare the location with bucket, prefix and report name at the provider; a new report takes up to 24 hours."
        return Check("warning", f"{place} can be listed, but holds no complete delivery: {why}", fix), None
    newest = max(deliveries, key=lambda delivery: delivery.delivered_at)
    months = f"{len(deliveries)} month{'' if len(deliveries) == 1 else 's'}"
    return Check("ok", f"{place}: {months}, newest delivery {newest.delivered_at:%Y-%m-%d %H:%M} UTC"), newest
