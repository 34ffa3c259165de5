"""Targets that keep files: a folder, or a prefix of a bucket, each writer in a folder of its own below it."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from cost_lakehouse.config import Settings
from cost_lakehouse.config.push import PushSettings
from cost_lakehouse.errors import DeliveryFailed, PushFailed
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.warehouse import FolderWarehouse, Warehouse
from cost_lakehouse.sources.lakehouse.layout import MANIFEST, Manifest, PushedMonth, month_folder

KEPT = timedelta(days=1)
"""What no manifest names any more stays so long: a reader that began before may still read it."""
_ASIDE = ".pushing-"
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class MonthToSend:
    """A month with its files on this machine: path below the writer's folder -> file."""

    month: PushedMonth
    files: Mapping[str, Path]
    manifest: bytes


class PushPlace(Protocol):
    """Where a target's months go."""

    def held(self) -> Mapping[Slice, str] | None:
        """The id of each month that is there now; None where only the ledger tells."""

    def send(self, month: MonthToSend) -> None:
        """Take a month's files; sent again, they count once. Raises PushFailed or LakeError."""

    def settle(self, now: datetime) -> None:
        """Make what was sent count, all at once. Raises PushFailed or LakeError."""


class FilePlace:
    """A writer's folder in a folder or bucket. ``manifest.json`` is written by ``settle``, after the files that it names."""

    def __init__(self, settings: Settings, target: PushSettings, writer: str, lake_id: str) -> None:
        """Raises PushFailed where the place cannot be used, or another lakehouse writes there under the same name."""
        self._target = target
        place = f"{target.to.rstrip('/')}/{writer}"
        with self._told():
            self._files: Warehouse = (
                S3Warehouse(place, settings.push_store(target)) if target.is_s3 else FolderWarehouse(Path(place))
            )
            content = self._files.read(MANIFEST)
        self._manifest = Manifest(writer, lake_id, _NEVER)
        if content is not None:
            self._manifest = self._known(content, f"{place}/{MANIFEST}")
        if self._manifest.lake_id != lake_id:
            raise PushFailed(
                f"push {target.name}: {place} is written by the lakehouse {self._manifest.lake_id}, and this one is {lake_id}.",
                "Give this one another `writer`; where it takes the other one's place, move that folder away first.",
            )
        self._new: dict[Slice, PushedMonth] = {}

    def held(self) -> Mapping[Slice, str] | None:
        """What the manifest names."""
        return {Slice(month.source, month.month): month.id for month in self._manifest.months}

    def send(self, month: MonthToSend) -> None:
        """Write the files under their own names, and remember the month for the manifest."""
        folder = month_folder(month.month.source, month.month.month)
        with self._told():
            with self._files.writing(folder, f"{_ASIDE}{month.month.id}") as local:
                local.mkdir(parents=True, exist_ok=True)
                kept = [self._taken(file, local, path.rpartition("/")[2]) for path, file in month.files.items()]
                self._files.keep(kept, folder)
            self._files.write(month.month.manifest.path, month.manifest, only_new=False)
        self._new[Slice(month.month.source, month.month.month)] = month.month

    def settle(self, now: datetime) -> None:
        """Write the manifest, then remove what nothing names any more and nobody reads."""
        if not self._new:
            return
        others = [month for month in self._manifest.months if Slice(month.source, month.month) not in self._new]
        self._manifest = replace(self._manifest, written_at=now, months=(*others, *self._new.values()))
        with self._told():
            self._files.write(MANIFEST, self._manifest.to_bytes(), only_new=False)
            self._remove_others({month_folder(slice_.source, slice_.billing_period) for slice_ in self._new}, now)
        self._new = {}

    def _remove_others(self, folders: Collection[str], now: datetime) -> None:
        named = {file.path for month in self._manifest.months for files in month.files.values() for file in files}
        named |= {month.manifest.path for month in self._manifest.months}
        start = f"{self._files.location}/"
        for folder in sorted(folders):
            found = self._files.list(folder)
            old = [one.location for one in found if one.location.removeprefix(start) not in named and now - one.modified > KEPT]
            self._files.delete(old)

    @staticmethod
    def _taken(file: Path, folder: Path, name: str) -> Path:
        """A file under its own name in the folder that ``keep`` takes it from; in one step, as a reader may look there."""
        aside = folder / f"{_ASIDE}{name}"
        if file.stat().st_dev == folder.stat().st_dev:
            file.replace(aside)
        else:
            shutil.copyfile(file, aside)
        return aside.replace(folder / name)

    def _known(self, content: bytes, where: str) -> Manifest:
        try:
            return Manifest.of_bytes(content, where)
        except DeliveryFailed as error:
            raise PushFailed(
                f"push {self._target.name}: {error.problem}", "Somebody changed it: move the folder away, and push again."
            ) from None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PushFailed(
                f"push {self._target.name}: {self._target.to} cannot be written: {error.strerror or error}.",
                "Give this user the right to write there, and room; the next run tries again.",
            ) from None
