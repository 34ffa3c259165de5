"""What dbt in this process sees of the lake's raw tables: which lake, and which slices of its bills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice

# dbt-duckdb makes its plugins itself, in a thread of its own: what a build has in hand waits here for them.
_shown: list[tuple[Lake, Sequence[Slice] | None]] = []


@contextmanager
def showing(lake: Lake, slices: Sequence[Slice] | None) -> Iterator[None]:
    """This lake, and of its bills these slices alone (None: all), as long as the context lasts."""
    _shown.append((lake, slices))
    try:
        yield
    finally:
        _shown.pop()


def shown() -> tuple[Lake, Sequence[Slice] | None] | None:
    """The lake and the slices to show; None where no build of ours is under way."""
    return _shown[-1] if _shown else None
