"""What other lakehouses push as a source: their manifests say what counts, and every file is read by its digest."""

from __future__ import annotations

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from pydantic import SecretStr

from cost_lakehouse.config import Settings
from cost_lakehouse.config.aws_access import ACCESS_KEYS
from cost_lakehouse.config.federated_store import read_federated_store
from cost_lakehouse.config.source import LakehouseSettings
from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed
from cost_lakehouse.sources.base import Check, Delivered
from cost_lakehouse.sources.bucket import BucketSource, check_of_months
from cost_lakehouse.sources.delivery import Delivery, Finding, Status
from cost_lakehouse.sources.lakehouse.layout import MANIFEST, Manifest
from cost_lakehouse.sources.lakehouse.months import findings
from cost_lakehouse.storage.object_store import StoredObject, read_small

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AT_ONCE = 16
_NOTHING = "no lakehouse has pushed there yet"
_REMEMBERED = 4096

# Manifests that were read in this process, by their place: one that did not change is not read again.
_manifests: dict[str, tuple[str, int, Manifest]] = {}
# Clients of boto3, by what makes them what they are: hundreds of writers in one bucket share one, which takes long to make.
_clients: dict[str, S3Client] = {}


def _alike(source: LakehouseSettings) -> str:
    """A digest of how a source's bucket is reached: sources that have the same are reached by one client."""
    given = {name: getattr(source, name) for name in (*ACCESS_KEYS, "requester_pays")}
    shown = {name: item.get_secret_value() if isinstance(item, SecretStr) else item for name, item in given.items()}
    return hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).hexdigest()


class LakehouseSource(BucketSource[LakehouseSettings]):
    """One writer's folder, or a place with a folder for each of many."""

    @classmethod
    def of(cls, settings: Settings, source: LakehouseSettings) -> Self:
        """Open the store, with the options of a ``federated-store.yaml`` where one is named. Raises SourceError."""
        if source.store_config is not None:
            store = read_federated_store(
                settings.path(source.store_config), source.location, f"source {source.name}'s `location`"
            )
            keys = {name: getattr(store, name) for name in ("endpoint", "region", "access_key", "secret_key")}
            source = source.model_copy(update=keys)
        if not source.is_s3:
            return super().of(settings, source)
        from cost_lakehouse.storage.s3_store import S3Store, split_location

        alike = _alike(source)
        bucket = S3Store.of(source, client=_clients.get(alike))
        _clients[alike] = bucket.client
        return cls(source, bucket, split_location(source.location)[1])

    def list_deliveries(self, month: date | None = None) -> Delivered:
        """A finding for each month that a writer's manifest has. Asks for a listing, and once or twice a writer.

        A manifest that cannot be understood is told for the whole source; other writers' months are there.
        """
        manifests, broken = self._manifests()
        found = findings(self.settings.name, manifests, month)
        if not (manifests or broken):
            self.refuse_wrong_place()
        told = [Finding(self.settings.name, None, Status.FAILED, reason=reason) for reason in broken]
        return Delivered((*found, *told), nothing=_NOTHING)

    def newest_pushes(self) -> dict[str, datetime]:
        """When each writer that is there has pushed last, by its folder's name."""
        manifests, _ = self._manifests()
        return {
            folder.rstrip("/").rpartition("/")[2]: max(month.pushed_at for month in manifest.months)
            for folder, manifest in manifests.items()
            if manifest.months
        }

    def _manifests(self) -> tuple[dict[str, Manifest], list[str]]:
        """Each writer's manifest by the writer's folder, and what is wrong with the others."""
        start = f"{self.prefix}/" if self.prefix else ""
        if self.settings.writer is not None:
            folders: tuple[str, ...] = (f"{start}{self.settings.writer}/",)
        else:
            level = self.store.list_folder(start)
            folders = (start,) if level.find(f"{start}{MANIFEST}") else level.folders
        manifests: dict[str, Manifest] = {}
        broken: list[str] = []
        if not folders:
            return manifests, broken
        with ThreadPoolExecutor(min(AT_ONCE, len(folders)), thread_name_prefix="manifests") as pool:
            for folder, answer in zip(folders, pool.map(self._manifest_of, folders), strict=True):
                if isinstance(answer, Manifest):
                    manifests[folder] = answer
                elif answer:
                    broken.append(answer)
        return manifests, broken

    def _manifest_of(self, folder: str) -> Manifest | str:
        """A writer's manifest, or what is wrong with it: "" where there is none, as in a folder that is no writer's."""
        found = self.store.head(f"{folder}{MANIFEST}")
        if found is None:
            return ""
        place = self.store.describe(found.key)
        known = _manifests.get(place)
        if known is not None and known[:2] == (found.etag, found.size):
            return known[2]
        try:
            manifest = Manifest.of_bytes(read_small(self.store, found), place)
        except DeliveryChanged:
            return self._manifest_of(folder)  # written anew just now
        except DeliveryFailed as error:
            return str(error)
        if len(_manifests) >= _REMEMBERED:
            _manifests.clear()
        _manifests[place] = (found.etag, found.size, manifest)
        return manifest

    def open(self, obj: StoredObject) -> BinaryIO:
        """The content of a file that a manifest names; at its end it has the size and the digest that are said there.

        Raises DeliveryChanged where it is gone, DeliveryFailed where it is another.
        """
        place = self.store.describe(obj.key)
        there = self.store.head(obj.key)
        if there is None:
            raise DeliveryChanged(
                f"{place} is gone: its writer has pushed the month again.", "The next run reads what is there."
            )
        if there.size != obj.size:
            raise _another(place, f"has {there.size} bytes, and its manifest says {obj.size}")
        return cast(BinaryIO, io.BufferedReader(_Digested(self.store.open(there), obj.etag, place)))

    def is_unchanged(self, delivery: Delivery) -> bool:
        """Whether the manifests still say the same of the month."""
        months = self.list_deliveries(delivery.billing_period).months
        return any(one.delivery is not None and one.delivery.delivery_id == delivery.delivery_id for one in months)

    def check(self) -> Check:
        """Whether it can be listed and read, who writes there, and what the newest push is."""
        manifests, broken = self._manifests()
        found = findings(self.settings.name, manifests)
        if broken:
            return Check("failed", f"{self.settings.place}: {broken[0]}", "Let the writer push again.")
        checked, newest = check_of_months(self.settings.place, found)
        if newest is not None and newest.objects:
            with self.open(newest.objects[0]) as content:
                content.read(1)
        names = ", ".join(sorted(manifest.writer for manifest in manifests.values()))
        return replace(checked, says=f"{checked.says}; written by {names}") if names and checked.state == "ok" else checked


class _Digested(io.RawIOBase):
    """Hands content on and adds up its digest; at the end it has to be the one that is expected."""

    def __init__(self, content: BinaryIO, expected: str, place: str) -> None:
        super().__init__()
        self._content = content
        self._expected = expected
        self._place = place
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._content.read(len(buffer))
        if not data:
            if self._digest.hexdigest() != self._expected:
                raise _another(self._place, "is not the file that its manifest names: its SHA-256 is another")
            return 0
        self._digest.update(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._content.close()
        super().close()


def _another(place: str, what: str) -> DeliveryFailed:
    return DeliveryFailed(f"{place} {what}.", "What is loaded stays. Let the writer push the month again (`push --again`).")
