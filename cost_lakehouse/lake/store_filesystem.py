"""Lets DuckDB read the store through our own client, where its httpfs lacks an option (SSE-C, client certificates)."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

from cost_lakehouse.lake.store_io import StoreInput, StoreIO

BUFFER = 1024 * 1024


class StoreFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The store's objects as files to read; slower than httpfs, as every read passes through Python."""

    protocol = "s3"
    cachable = False

    def __init__(self, files: StoreIO) -> None:
        super().__init__()
        self._files = files
        self._known: dict[str, StoreInput] = {}

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Name and size. Raises FileNotFoundError, LakeError."""
        file = self._file(path)
        return {"name": file.location, "size": len(file), "type": "file"}

    def glob(self, path: str, **kwargs: Any) -> list[str]:
        """The path itself: every file is named, nothing is searched for."""
        return [self._file(path).location]

    def modified(self, path: str) -> datetime:
        """Always the same: the lake's files never change."""
        return datetime(1970, 1, 1, tzinfo=UTC)

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        """The content, in blocks. Raises ValueError where it is not only to be read."""
        if mode not in ("r", "rb"):
            raise ValueError("the store is only read here")
        return io.BufferedReader(self._file(path).open(), BUFFER)

    def _file(self, path: str) -> StoreInput:
        """The file of that path; DuckDB asks for its size again and again."""
        place = f"s3://{str(path).removeprefix('s3://')}"
        return self._known.setdefault(place, self._files.new_input(place))
