"""Where the lake's files are: a folder of this machine, or (``s3_warehouse``) an S3-compatible store."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import duckdb
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties


@dataclass(frozen=True)
class FoundFile:
    """A file of the warehouse. ``location`` is spelled as Iceberg spells it; ``modified`` is aware UTC."""

    location: str
    size: int
    modified: datetime


class Warehouse(Protocol):
    """What the lake needs of the place where its files are. Folders are relative to it, ``raw/aws_cur/data`` for example."""

    location: str
    """``file:///folder`` or ``s3://bucket/prefix``, without a slash at the end."""
    file_io: FileIO
    """Reads and writes the tables' metadata."""

    def writing(self, folder: str, load_id: str) -> AbstractContextManager[Path]:
        """A folder of this machine to write the files of one load into, before ``keep`` takes them over."""
        ...

    def keep(self, files: Sequence[Path], folder: str) -> list[str]:
        """Files written under ``writing`` -> their locations in the warehouse, whole and safe.

        Raises LakeError where the store does not take them.
        """
        ...

    def read(self, name: str) -> bytes | None:
        """A small file of the warehouse; None where it is not there. Raises LakeError."""
        ...

    def write(self, name: str, content: bytes, *, only_new: bool) -> None:
        """Write a small file whole, in the place of an older one.

        Raises LakeError; FileExistsError where only a new one is wanted, and there is one.
        """
        ...

    def list(self, folder: str) -> list[FoundFile]:
        """Every file below a folder, sorted by location; none where it does not exist. Raises LakeError."""
        ...

    def delete(self, locations: Sequence[str]) -> None:
        """Remove files; one that is not there is fine. Raises LakeError."""
        ...

    def let_duckdb_read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Give a DuckDB connection what it needs to read the warehouse's files."""
        ...


class FolderIO(PyArrowFileIO):
    """Takes what follows ``file://`` for a path as it is: pyiceberg's own reads a URL, which ends at a ``#`` or ``?``."""

    @staticmethod
    def parse_location(location: str, properties: Properties = EMPTY_DICT) -> tuple[str, str, str]:
        """Scheme, host and path of a location."""
        if location.startswith("file://"):
            return "file", "", location.removeprefix("file://")
        return PyArrowFileIO.parse_location(location, properties)


class FolderWarehouse:
    """A folder: files are written where they stay."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where the folder cannot be made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.location = f"file://{folder}"  # not ``as_uri``: pyiceberg takes a %20 literally
        self.file_io: FileIO = FolderIO()

    @contextmanager
    def writing(self, folder: str, load_id: str) -> Iterator[Path]:
        """The folder itself: nobody sees a file before the commit that names it."""
        yield self.folder / folder

    def keep(self, files: Sequence[Path], folder: str) -> list[str]:
        """They are where they belong."""
        return [f"file://{path}" for path in files]

    def read(self, name: str) -> bytes | None:
        """A small file of the warehouse; None where it is not there."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes, *, only_new: bool) -> None:
        """Write a small file aside, and put it into its place."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
        try:
            with aside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if only_new:
                _link(aside, target)
            else:
                aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)

    def list(self, folder: str) -> list[FoundFile]:
        """Every file below a folder, sorted by location."""
        found = []
        for path in sorted((self.folder / folder).rglob("*")):
            try:
                about = path.stat()
            except FileNotFoundError:  # another process removed it just now
                continue
            if path.is_file():
                found.append(FoundFile(f"file://{path}", about.st_size, datetime.fromtimestamp(about.st_mtime, UTC)))
        return found

    def delete(self, locations: Sequence[str]) -> None:
        """Remove files; one that is not there is fine."""
        for location in locations:
            Path(location.removeprefix("file://")).unlink(missing_ok=True)

    def let_duckdb_read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB reads local files as they are."""


def _link(file: Path, target: Path) -> None:
    """Give a whole file its name, unless that is taken. Raises FileExistsError."""
    try:
        os.link(file, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: whoever reads in this moment may see a part
        with target.open("xb") as copy:
            copy.write(file.read_bytes())
