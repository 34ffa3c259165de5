"""How long work tells how far it is; the command draws a bar, Dagster writes log lines, tests count."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hears how far the load of one delivery is. Calls may come from another thread, one at a time."""

    def start(self, label: str, total_bytes: int) -> None:
        """A load begins: ``label`` for people, ``total_bytes`` as delivered (packed)."""

    def advance(self, bytes_read: int, rows: int) -> None:
        """So many more delivered bytes were read, and so many more rows were written, since the last call."""

    def finish(self) -> None:
        """The load ended, well or not."""
