"""A server process of the tests: started in a process group of its own, logged to a file, ended by its id."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

LOG_LINES = 15
PAUSE_SECONDS = 0.1


class ServiceError(RuntimeError):
    """A service cannot be had; the message says why and ends with the last lines of its log."""


class ServiceProcess:
    """One running server. Its own process group keeps a terminal's Ctrl-C away from it: who started it ends it."""

    def __init__(self, name: str, command: Sequence[str], log: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait_until(self, answers: Callable[[], None], retry_on: tuple[type[Exception], ...], seconds: float) -> None:
        """Call ``answers`` until it raises none of ``retry_on``.

        Raises ServiceError where the process ends or ``seconds`` pass before that.
        """
        pause = Event()
        problem: Exception | None = None
        for _ in range(int(seconds / PAUSE_SECONDS)):
            if not self.is_running:
                raise ServiceError(f"{self.name} ended at once with exit code {self._process.returncode}:\n{self._tail()}")
            try:
                answers()
                return
            except retry_on as error:
                problem = error
            pause.wait(PAUSE_SECONDS)
        raise ServiceError(f"{self.name} did not answer within {seconds:g} s ({problem}):\n{self._tail()}")

    def end(self, how: signal.Signals = signal.SIGKILL, seconds: float = 20) -> None:
        """Send the signal, wait until the process has ended, and kill what is left of its group."""
        if self.is_running and how is not signal.SIGKILL:
            self._process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        if self.is_running:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _tail(self) -> str:
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:])
