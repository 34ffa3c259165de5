"""One run of a mirror: lists both sides, compares, and copies what is new or different."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from cost_lakehouse.config import Settings
from cost_lakehouse.config.mirror import MirrorSettings
from cost_lakehouse.errors import CostLakehouseError, MirrorFailed
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.locks import FileLocks
from cost_lakehouse.mirror.destination import Destination
from cost_lakehouse.mirror.folder_destination import STATE, FolderDestination
from cost_lakehouse.mirror.report import MirrorReport
from cost_lakehouse.mirror.vault_keys import with_vault_keys
from cost_lakehouse.sources.base import Progress
from cost_lakehouse.sources.oci.client import DEFAULT_ATTEMPTS
from cost_lakehouse.sources.oci.store import ListedObject, OciStore
from cost_lakehouse.storage.object_store import StoredObject

FAILURES_IN_A_ROW = 20
COMPARED_AT_ONCE = 8


def run_mirror(
    settings: Settings, mirror: MirrorSettings, *, dry_run: bool = False, progress: Progress | None = None
) -> MirrorReport:
    """Copy what is new or different; a failing object does not keep the others from being copied, it is in the report.

    Raises SourceError where Oracle's bucket, MirrorFailed where the destination, and LakeError where another run of this
    mirror is under way.
    """
    with _alone(settings, mirror):
        return _Run(mirror, open_original(settings, mirror), open_destination(settings, mirror), dry_run, progress).run()


def open_original(settings: Settings, mirror: MirrorSettings, attempts: int = DEFAULT_ATTEMPTS) -> OciStore:
    """The tenancy's own bucket of reports.

    Raises SourceError where there is no such identity.
    """
    connections = mirror.objects_at_once * mirror.parts_at_once
    return OciStore.of(mirror.tenancy, mirror.oci.relative_to(settings.base), attempts=attempts, connections=connections)


def open_destination(settings: Settings, mirror: MirrorSettings) -> Destination:
    """Where the copies go; keys from a vault are fetched for it.

    Raises SourceError where they may not be read, MirrorFailed where the destination's settings cannot be used.
    """
    if not mirror.is_s3:
        return FolderDestination(settings.path(mirror.destination), mirror.part_size, mirror.parts_at_once)
    from cost_lakehouse.mirror.s3_destination import S3Destination  # boto3 takes half a second, which a folder does not need

    return S3Destination.of(with_vault_keys(mirror, mirror.oci.relative_to(settings.base)))


@contextmanager
def _alone(settings: Settings, mirror: MirrorSettings) -> Iterator[None]:
    """One run at a time per destination, among all processes of this lake, and of this machine where it is a folder."""
    place = mirror.destination if mirror.is_s3 else str(settings.path(mirror.destination))
    name = f"mirror-{hashlib.sha256(place.encode()).hexdigest()[:16]}"
    what = f"The mirror at {place}"
    with Lake(settings).lock(name, what):
        if mirror.is_s3:
            yield
        else:
            _make_folder(Path(place) / STATE)
            with FileLocks(Path(place) / STATE).hold("mirror", what, 0):
                yield


def _make_folder(folder: Path) -> None:
    """Raises MirrorFailed where it cannot be made: a file is in the way, or a right is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        in_the_way = next(
            (candidate for candidate in (folder, *folder.parents) if candidate.exists() and not candidate.is_dir()), None
        )
        if in_the_way is not None:
            raise MirrorFailed(
                f"{in_the_way} is a file, where the mirror's destination {folder.parent} is to be a folder.",
                "Remove the file, or correct the mirror's `destination`.",
            ) from None
        raise MirrorFailed(
            f"The mirror's destination {folder.parent} cannot be written: {error.strerror}.",
            "Give this user write access, or correct `destination`.",
        ) from None


@dataclass(frozen=True)
class _Original:
    """One object of the tenancy's bucket."""

    store: OciStore
    listed: ListedObject

    def read(self, start: int, end: int) -> BinaryIO:
        return self.store.open_range(self.listed.stored, start, end)


class _Run:
    def __init__(
        self, mirror: MirrorSettings, store: OciStore, destination: Destination, dry_run: bool, progress: Progress | None
    ) -> None:
        self._mirror = mirror
        self._store = store
        self._destination = destination
        self._progress = progress
        self._report = MirrorReport(mirror.name, destination.describe(""), dry_run)
        self._lock = threading.Lock()
        self._failures_in_a_row = 0

    def run(self) -> MirrorReport:
        started = time.monotonic()
        originals, held = self._list()
        self._report.listed = len(originals)
        self._report.version = _version(originals.values())
        due = self._compare(originals, held)
        self._report.keys = [item.stored.key for item in due]
        if self._report.dry_run:
            self._report.copied = len(due)
            self._report.copied_bytes = sum(item.stored.size for item in due)
        else:
            self._copy(due)
        self._handle_extra([key for key in sorted(held) if key not in originals], bool(originals))
        if self._report.ok and not self._report.dry_run:
            self._destination.finish()
        self._report.seconds = time.monotonic() - started
        return self._report

    def _list(self) -> tuple[dict[str, ListedObject], dict[str, StoredObject]]:
        """Both sides at once."""
        prefixes = self._mirror.prefixes
        with ThreadPoolExecutor(2 * len(prefixes)) as pool:
            originals = [pool.submit(lambda prefix: list(self._store.list_with_checksums(prefix)), entry) for entry in prefixes]
            held = [pool.submit(lambda prefix: list(self._destination.list(prefix)), entry) for entry in prefixes]
        return (
            {item.stored.key: item for page in originals for item in page.result()},
            {stored_object.key: stored_object for page in held for stored_object in page.result()},
        )

    def _compare(self, originals: dict[str, ListedObject], held: dict[str, StoredObject]) -> list[ListedObject]:
        """Those that are to be copied, by name. Some comparisons ask the destination, so several go on at once."""

        def is_held(each: ListedObject) -> bool:
            found = held.get(each.stored.key)
            return found is not None and self._destination.holds(each, found)

        ordered = [originals[key] for key in sorted(originals)]
        with ThreadPoolExecutor(COMPARED_AT_ONCE) as pool:
            answers = list(pool.map(is_held, ordered))
        same = [item for item, holds in zip(ordered, answers, strict=True) if holds]
        self._report.skipped = len(same)
        self._report.skipped_bytes = sum(item.stored.size for item in same)
        return [item for item, holds in zip(ordered, answers, strict=True) if not holds]

    def _copy(self, due: list[ListedObject]) -> None:
        if self._progress is not None:
            self._progress.start(self._mirror.name, sum(listed_object.stored.size for listed_object in due))
        try:
            with ThreadPoolExecutor(self._mirror.objects_at_once, thread_name_prefix="mirror") as pool:
                waiting = iter(due)
                under_way: set[Future[None]] = set()
                while not self._stopped:
                    # Few at a time: with a year of reports, a million futures would only wait.
                    free = 2 * self._mirror.objects_at_once - len(under_way)
                    under_way |= {pool.submit(self._copy_one, item) for item in islice(waiting, free)}
                    if not under_way:
                        break
                    done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    for item in done:
                        item.result()
                for run in under_way:
                    run.result()
        finally:
            if self._progress is not None:
                self._progress.finish()
        self._report.not_tried = len(due) - self._report.copied - len(self._report.failures)
        self._report.failures.sort(key=lambda one: one.key)

    def _copy_one(self, listed: ListedObject) -> None:
        if self._stopped:
            return
        key = listed.stored.key
        try:
            self._destination.write(_Original(self._store, listed), self._advance)
        except CostLakehouseError as error:
            with self._lock:
                self._failures_in_a_row += 1
                self._report.note_failure(key, error)
            return
        with self._lock:
            self._failures_in_a_row = 0
            self._report.copied += 1
            self._report.copied_bytes += listed.stored.size
        self._advance(0, 1)

    @property
    def _stopped(self) -> bool:
        """Whether so many failed one after the other that the next would too."""
        return self._failures_in_a_row >= FAILURES_IN_A_ROW

    def _advance(self, count: int, objects: int = 0) -> None:
        if self._progress is not None:
            with self._lock:
                self._progress.advance(count, objects)

    def _handle_extra(self, extra: list[str], source_has_any: bool) -> None:
        """What is at the destination only stays, unless the mirror says `delete: true` and all else went well.

        An empty listing deletes nothing: it is rather a wrong bucket than a tenancy without any report.
        """
        if not self._mirror.delete or not source_has_any or not self._report.ok:
            self._report.kept = len(extra)
            return
        self._report.deleted_keys = extra
        self._report.deleted = len(extra)
        for key in extra if not self._report.dry_run else ():
            self._destination.delete(key)


def _version(originals: Iterable[ListedObject]) -> str:
    digest = hashlib.sha256()
    for listed_object in sorted(originals, key=lambda one: one.stored.key):
        digest.update(f"{listed_object.stored.key}\0{listed_object.stored.etag}\n".encode())
    return digest.hexdigest()[:16]
