"""The locks of loads: whose wait ends in an error that names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cost_lakehouse.lake.catalog import Lake

LOCK_WAIT_SECONDS = 600


@contextmanager
def commit_lock(lake: Lake, what: str) -> Iterator[None]:
    """One commit of line items at a time, whatever its table: two sources of one payer never pass each other unseen."""
    with lake.lock("commit-line-items", f"The commit of {what}", LOCK_WAIT_SECONDS):
        yield
