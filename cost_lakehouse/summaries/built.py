"""What a build left, whichever engine ran it: a DuckDB connection in which the built tables can be selected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from cost_lakehouse.errors import LakeError


class BuiltSummaries(Protocol):
    """The tables of one build, before anything of them is published."""

    @property
    def label(self) -> str:
        """What the build is called in messages."""
        ...

    def is_there(self) -> bool:
        """Whether the build came so far that there is something to read. Raises LakeError where that cannot be told."""
        ...

    def connect(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection with ``marts.<name>`` and ``intermediate.<name>``; a table that was not built is not there.

        Raises LakeError where the build cannot be read.
        """
        ...


@dataclass(frozen=True)
class DuckdbScratch:
    """A build by DuckDB, in a scratch database of its own."""

    file: Path

    @property
    def label(self) -> str:
        """The file."""
        return str(self.file)

    def is_there(self) -> bool:
        """Whether there is a file."""
        return self.file.is_file()

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The scratch database, read-only. Raises LakeError where it is not there or still being written."""
        if not self.file.is_file():
            raise LakeError(f"There is no scratch database {self.file}.", "Build the summaries first.")
        try:
            connection = duckdb.connect(str(self.file), read_only=True)
        except duckdb.IOException as error:
            raise LakeError(f"{self.file} cannot be read: {error}", "Wait until the build that writes it has ended.") from error
        with connection:
            connection.execute("set timezone = 'UTC'")
            yield connection
