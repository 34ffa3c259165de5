"""A mirror in a folder of this machine. Files are written aside and moved into place when they are whole and proven."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cost_lakehouse.errors import CostLakehouseError, DeliveryFailed, MirrorFailed
from cost_lakehouse.mirror.destination import Copied, Original
from cost_lakehouse.mirror.folder_memory import FolderMemory, PartialFile
from cost_lakehouse.mirror.parts import CHUNK, Part, check_md5, for_each, parts_of
from cost_lakehouse.sources.oci.store import ListedObject
from cost_lakehouse.storage.local_folder import LocalFolder
from cost_lakehouse.storage.object_store import StoredObject

STATE = ".cost-lakehouse-mirror"


class FolderDestination:
    """A Destination below ``root``. A file has the modification time of its original."""

    def __init__(self, root: Path, part_size: int, parts_at_once: int) -> None:
        self.root = root
        self._part_size = part_size
        self._parts_at_once = parts_at_once
        self._folder = LocalFolder(root)
        self._memory = FolderMemory(root / STATE)
        self._lock = threading.Lock()

    def describe(self, key: str) -> str:
        """The absolute path."""
        return str(self.root / key) if key else str(self.root)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """The files below a prefix."""
        try:
            yield from self._folder.list(prefix)
        except CostLakehouseError as error:
            raise MirrorFailed(error.problem, error.fix) from None

    def holds(self, original: ListedObject, found: StoredObject) -> bool:
        """By MD5, which is remembered for as long as size and modification time of the file stay the same."""
        if found.size != original.stored.size:
            return False
        noted = self._memory.recall(found.key)
        if noted is not None and noted.file == found.etag:
            return noted.etag == original.stored.etag or (original.md5 is not None and noted.checksum == original.checksum)
        if original.md5 is None:
            return False
        with self._told(found.key):
            same = _md5_of(self._path(found.key)) == original.md5
        if same:
            self._memory.note(found.key, found.etag, original)
        return same

    def write(self, original: Original, copied: Copied) -> None:
        """Copy into a partial file, read it back, and move it into place."""
        listed = original.listed
        target = self._path(listed.stored.key)
        with self._told(listed.stored.key):
            partial = PartialFile(self.root / STATE, listed, self._part_size)
            descriptor = partial.open()
            try:
                self._fill(descriptor, partial, original, copied)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            try:
                if listed.md5 is not None:
                    check_md5(str(target), listed.md5, _md5_of(partial.path))
                elif partial.path.stat().st_size != listed.stored.size:
                    raise DeliveryFailed(f"{target} has another size than its original.", "The next run tries again.")
            except DeliveryFailed:
                partial.remove()
                raise
            nanoseconds = int(listed.stored.last_modified.timestamp() * 1000) * 1_000_000
            os.utime(partial.path, ns=(nanoseconds, nanoseconds))
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.path.replace(target)
            partial.remove()
            found = self._folder.head(listed.stored.key)
        if found is not None:
            self._memory.note(listed.stored.key, found.etag, listed)

    def delete(self, key: str) -> None:
        """Remove a file, and folders that are empty then."""
        path = self._path(key)
        with self._told(key):
            path.unlink(missing_ok=True)
            for parent in path.parents:
                if parent == self.root or any(parent.iterdir()):
                    break
                parent.rmdir()

    def finish(self) -> None:
        """Remove partial files of objects that are not to be copied any more."""
        with self._told(""):
            self._memory.finish()

    def _fill(self, descriptor: int, partial: PartialFile, original: Original, copied: Copied) -> None:
        parts = parts_of(original.listed.stored.size, self._part_size)

        def fetch(part: Part) -> None:
            at = part.start
            with original.read(part.start, part.end) as stream:
                while chunk := stream.read(CHUNK):
                    os.pwrite(descriptor, chunk, at)
                    at += len(chunk)
                    copied(len(chunk))
            with self._lock:
                partial.note(part.number)

        for part in parts:
            if part.number in partial.done:
                copied(part.size)
        missing = [candidate for candidate in parts if candidate.number not in partial.done]
        if len(missing) == 1:
            fetch(missing[0])
        else:
            for_each(missing, fetch, self._parts_at_once)

    def _path(self, key: str) -> Path:
        path = self.root / key
        parts = key.split("/")
        if not key or any(part in ("", ".", "..") for part in parts) or not path.resolve().is_relative_to(self.root.resolve()):
            raise MirrorFailed(f"The object {key!r} cannot be kept as a file below {self.root}.", "Mirror it to a bucket.")
        return path

    def _told(self, key: str) -> _Verification:
        return _Verification(self.describe(key))


class _Verification:
    """Turns the file system's errors into what a user can act on."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError):
            raise MirrorFailed(
                f"{self._place} cannot be written: {error.strerror or error}.",
                "Give this user write access, and room; run it again.",
            ) from None


def _md5_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
