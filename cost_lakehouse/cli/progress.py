"""Progress on the terminal (stderr): a bar for the load that runs, a spinner for work without a measure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TransferSpeedColumn

from cost_lakehouse.cli.output import console as make_console


class LoadBar:
    """A bar that counts delivered bytes and rows (or what else ``unit`` names); without a terminal it stays silent.

    It is a ``progress.Progress``.
    """

    def __init__(self, unit: str = "rows") -> None:
        self.console: Console = make_console(stderr=True)
        self.position = ""  # such as "[2/14] "
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn(f"{{task.fields[rows]:,}} {unit}, {{task.fields[rate]:,.0f}} {unit}/s", markup=False),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        self._task: TaskID | None = None
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def start(self, label: str, total_bytes: int) -> None:
        """Draw the bar of the next load."""
        self._rows = 0
        self._bars.start()
        self._task = self._bars.add_task(f"{self.position}{label}", total=total_bytes, rows=0, rate=0.0)

    def advance(self, bytes_read: int, rows: int) -> None:
        """Move the bar on."""
        if self._task is None:
            return
        self._rows += rows
        elapsed = next(each.elapsed or 0.0 for each in self._bars.tasks if each.id == self._task)
        self._bars.update(self._task, advance=bytes_read, rows=self._rows, rate=self._rows / elapsed if elapsed else 0.0)

    def finish(self) -> None:
        """Take the bar away: the table at the end says what happened."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self._bars.stop()


@contextmanager
def working(what: str, terminal: Console) -> Iterator[None]:
    """A spinner while something goes on that has no measure."""
    if not terminal.is_terminal:
        yield
        return
    with terminal.status(what):
        yield
