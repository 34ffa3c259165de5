"""What a proof asks of whichever engine the lake has: DuckDB or Trino (``proof/engines.py``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pyiceberg.table import Table

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.dbt_project import ParsedProject


class Reader(Protocol):
    """Reads the lake's tables by their names (``marts.daily_costs``)."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a SELECT, a bounded number in memory at a time."""

    def columns(self, relation: str) -> list[str]:
        """The columns of something to select from."""


class Engine(Reader, Protocol):
    """Knows the lines behind a mart too, and keeps what is read more than once."""

    def lines(
        self,
        lake: Lake,
        project: ParsedProject,
        mart: str,
        slices: Sequence[Slice],
        tables: Mapping[str, Table] | None = None,
        until: datetime | None = None,
        picked: Mapping[str, str] | None = None,
    ) -> str:
        """The lines of a mart in these months, as something to select from until lines are asked for again.

        ``tables`` are raw tables as they were at another moment, ``until`` (UTC without zone) the last load that counts then.
        Of the lines, those that are ``picked`` alone (``candidates``), where it is given.
        """

    def raw(self, name: str) -> str:
        """The raw table that the lines are read from, as it is or was then."""

    def same(self, left: str, right: str) -> str:
        """The condition of a join that two columns have the same value, or both none."""

    def keep(self, name: str, sql: str) -> str:
        """A SELECT's result, to be read more than once, as something to select from."""
