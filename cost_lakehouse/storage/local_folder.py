"""A folder that is laid out like the bucket it was copied from; nothing outside of its root is ever read."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed, SourceError
from cost_lakehouse.storage.object_store import Listing, StoredObject, read_small

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_BYTES = 1024 * 1024


class LocalFolder:
    """An ObjectStore on a folder. ``root`` stands for the bucket. An etag is ``{size}-{mtime in ns}``.

    Links are followed only where they lead to a place below the root; opening or entering another raises DeliveryFailed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def describe(self, key: str) -> str:
        """The absolute path."""
        return str(self.root / key) if key else str(self.root)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every file whose key starts with ``prefix``."""
        folder = prefix[: prefix.rfind("/") + 1]
        yield from self._walk(folder, prefix, frozenset())

    def list_folder(self, folder: str) -> Listing:
        """One level; a folder that is not there is empty."""
        objects: list[StoredObject] = []
        folders: list[str] = []
        for name, path in self._entries(folder):
            if path.is_dir():
                folders.append(f"{folder}{name}/")
            elif (found := self._stat(f"{folder}{name}", path)) is not None:
                objects.append(found)
        return Listing(tuple(objects), tuple(folders))

    def head(self, key: str) -> StoredObject | None:
        """The file of that key; raises DeliveryFailed where the key leads out of the root."""
        path = self._path(key)
        return None if path.is_dir() else self._stat(key, path)

    def open(self, obj: StoredObject) -> BinaryIO:
        """The content; the file is compared with the listing when it is opened and again at its end."""
        path = self._path(obj.key)
        try:
            raw = _CheckedFile(path, obj)
        except (FileNotFoundError, IsADirectoryError):
            raise _changed(path) from None
        except OSError as error:
            raise DeliveryFailed(
                f"{path} cannot be opened: {error.strerror}.", "Check the file's permissions and disk."
            ) from None
        return cast(BinaryIO, io.BufferedReader(raw, READ_BYTES))

    def read(self, obj: StoredObject) -> bytes:
        """The whole content of a small file."""
        return read_small(self, obj)

    def _path(self, key: str) -> Path:
        path = (self.root / key).resolve()
        if not path.is_relative_to(self.root):
            raise DeliveryFailed(
                f"{self.root / key} leads out of {self.root}.", "Copy the file into the folder instead of linking to it."
            )
        return path

    def _entries(self, folder: str) -> Iterator[tuple[str, Path]]:
        """Name and real path of what lies in a folder, sorted.

        Links that lead out are listed, so that a bill behind one is not silently left out, but neither opened nor entered.
        """
        path = self._path(folder)
        try:
            names = sorted(os.listdir(path))  # noqa: PTH208 - names only, and many of them
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise SourceError(
                f"The folder {path} cannot be listed: {error.strerror}.", "Give this user the right to read it."
            ) from None
        for name in names:
            yield name, (path / name).resolve()

    def _walk(self, folder: str, prefix: str, above: frozenset[Path]) -> Iterator[StoredObject]:
        """Walk down; ``above`` holds the real folders on the way, so that a link to one of them does not go round for ever."""
        here = (self.root / folder).resolve()
        if here in above:
            return
        for name, path in self._entries(folder):
            key = f"{folder}{name}"
            if path.is_dir():
                if f"{key}/".startswith(prefix):
                    yield from self._walk(f"{key}/", prefix, above | {here})
            elif key.startswith(prefix) and (found := self._stat(key, path)) is not None:
                yield found

    def _stat(self, key: str, path: Path) -> StoredObject | None:
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None  # It vanished after it was listed.
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}.", "Give this user the right to read it.") from None
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        return StoredObject(key=key, etag=_etag(status), size=status.st_size, last_modified=modified)


class _CheckedFile(io.RawIOBase):
    """A file that notices when it was replaced, changed or cut while it was read."""

    def __init__(self, path: Path, expected: StoredObject) -> None:
        super().__init__()
        self._path = path
        self._expected = expected
        self._file = path.open("rb", buffering=0)
        self._read = 0
        try:
            self._check(os.fstat(self._file.fileno()))
        except BaseException:
            self._file.close()
            raise

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        try:
            count = self._file.readinto(buffer) or 0
        except OSError as error:
            raise DeliveryFailed(f"{self._path} cannot be read: {error.strerror}.", "Check the disk, then run again.") from None
        self._read += count
        if self._read >= self._expected.size:
            self._check_at_the_end(count)
        elif count == 0:
            raise _changed(self._path)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()

    def _check_at_the_end(self, count: int) -> None:
        """The last byte was handed out: by now a rewrite in place, or another file under this name, would show."""
        if self._read > self._expected.size:
            raise _changed(self._path)
        try:
            self._check(Path(self._path).stat())
        except OSError:
            raise _changed(self._path) from None

    def _check(self, status: os.stat_result) -> None:
        if _etag(status) != self._expected.etag:
            raise _changed(self._path)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _changed(path: Path) -> DeliveryChanged:
    return DeliveryChanged(f"{path} was changed or removed while it was read.", "The next run reads the new delivery.")
