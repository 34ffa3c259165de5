"""Progress on the terminal (stderr): a bar for the load that runs, a spinner for work without a measure."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TransferSpeedColumn

from cost_lakehouse.cli.output import console as make_console
from cost_lakehouse.cli.output import size

BEAT_SECONDS = 30.0


class LoadBar:
    """A bar that counts delivered bytes and rows (or what else ``unit`` names); without a terminal, a line every half minute.

    It is a ``progress.Progress``.
    """

    def __init__(self, unit: str = "rows") -> None:
        self.console: Console = make_console(stderr=True)
        self._unit = unit
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
        self._bytes = 0
        self._label = ""
        self._total = 0
        self._run = ""
        self._beat: Heartbeat | None = None

    def of_run(self, context: Any) -> Self:
        """The same bar, for the Dagster run of that context."""
        self._run = str(context.run.run_id)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end_beat()
        self._bars.stop()

    def start(self, label: str, total_bytes: int) -> None:
        """Draw the bar of the next load."""
        self._rows = self._bytes = 0
        self._label, self._total = label, total_bytes
        if not self.console.is_terminal:
            self._end_beat()
            self._beat = Heartbeat(self._how_far)
        self._bars.start()
        self._task = self._bars.add_task(f"{self.position}{label}", total=total_bytes, rows=0, rate=0.0)

    def advance(self, bytes_read: int, rows: int) -> None:
        """Move the bar on."""
        if self._task is None:
            return
        self._rows += rows
        self._bytes += bytes_read
        elapsed = next(task.elapsed or 0.0 for task in self._bars.tasks if task.id == self._task)
        self._bars.update(self._task, advance=bytes_read, rows=self._rows, rate=self._rows / elapsed if elapsed else 0.0)

    def finish(self) -> None:
        """Take the bar away: the table at the end says what happened."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self._end_beat()
        self._bars.stop()

    def _how_far(self, seconds: int) -> str:
        far = f"{size(self._bytes)} of {size(self._total)}, {self._rows:,} {self._unit}, {seconds} s"
        return f"{self.position}{self._label}: {far}{f' (Dagster run {self._run})' if self._run else ''}"

    def _end_beat(self) -> None:
        if self._beat is not None:
            self._beat.end()
            self._beat = None


class Heartbeat:
    """Says every half minute on stderr that work goes on, for logs that people watch: ``kubectl logs``, cron's mail."""

    def __init__(self, says: Callable[[int], str], every: float = BEAT_SECONDS) -> None:
        self._says = says
        self._every = every
        self._began = time.monotonic()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def end(self) -> None:
        """Say nothing more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            with suppress(OSError, ValueError):
                sys.stderr.write(f"{self._says(round(time.monotonic() - self._began))}\n")
                sys.stderr.flush()


@contextmanager
def working(what: str, terminal: Console) -> Iterator[None]:
    """A spinner while something goes on that has no measure; without a terminal, a line every half minute."""
    if not terminal.is_terminal:
        beat = Heartbeat(lambda seconds: f"{what}: {seconds} s")
        try:
            yield
        finally:
            beat.end()
        return
    with terminal.status(what):
        yield
