"""A server process of the tests: in a process group of its own, logged to a file, ended by its id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOG_LINES = 15
PAUSE_SECONDS = 0.1
# Becomes the server after asking Linux to end it with the thread that started it: PR_SET_PDEATHSIG is 1.
_WITH_ITS_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class ServiceError(RuntimeError):
    """A service cannot be had; the message says why and ends with the last lines of its log."""


class LastingThread(threading.Thread):
    """A thread that starts servers and does not end before they have."""


class ServiceProcess:
    """One running server. Its own process group keeps a terminal's Ctrl-C away from it: who started it ends it.

    Where this process is killed, the server ends too (on Linux, if it was started by the main or by a lasting thread).
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                [*_with_its_parent(), *command],
                cwd=folder,
                env=None if environment is None else dict(environment),
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
        pause = threading.Event()
        problem: Exception | None = None
        for _ in range(int(seconds / PAUSE_SECONDS)):
            if not self.is_running:
                raise ServiceError(self.how_it_ended())
            try:
                answers()
                return
            except retry_on as error:
                problem = error
            pause.wait(PAUSE_SECONDS)
        raise ServiceError(f"{self.name} did not answer within {seconds:g} s ({problem}):\n{self._tail()}")

    def how_it_ended(self) -> str:
        """One line with its exit code, and its last words."""
        return f"{self.name} ended by itself with exit code {self._process.returncode}:\n{self._tail()}"

    def end(self, how: signal.Signals = signal.SIGKILL, seconds: float = 20) -> None:
        """Send the signal, wait until the process has ended, and kill it with its group where it takes too long."""
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


def ends_with_its_parent() -> bool:
    """Whether a server that is started now is to end with this process: Linux ends it with the *thread* that started it."""
    thread = threading.current_thread()
    return sys.platform == "linux" and (thread is threading.main_thread() or isinstance(thread, LastingThread))


def _with_its_parent() -> list[str]:
    if not ends_with_its_parent():
        return []
    return [sys.executable, "-I", "-S", "-c", _WITH_ITS_PARENT, str(os.getpid())]
