"""Ctrl-C and SIGTERM end a whole command, and say what is kept; Dagster alone would end one run of it and go on."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

EXIT_INTERRUPTED = 130
# What runs is given so long to give back locks and remove its temporary files; a killed one leaves nothing half-done either.
GRACE_SECONDS = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CLEAR_LINE, _SHOW_CURSOR = "\r\x1b[K", "\x1b[?25h"


class Interruption:
    """Whether the command was told to stop; ``says`` is one line on what is kept and what was not looked at."""

    def __init__(self) -> None:
        self.says: Callable[[], str] = lambda: "Nothing was done."
        self.is_stopping = False
        self._lock = threading.RLock()  # the signal's handler and the listening thread both say it

    def check(self) -> None:
        """Raises KeyboardInterrupt once the command was told to stop: between two runs, as Dagster ends only the one."""
        if self.is_stopping:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """The command was told to stop: say so, once."""
        with self._lock:
            if not self.is_stopping:
                self.is_stopping = True
                _say(f"Stopped. {self.says()}")


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take SIGINT and SIGTERM while the work inside runs; it ends with exit code 130 then.

    A thread of its own hears of them, whatever the main thread waits for and whoever takes the signals there.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    threading.Thread(target=_listen, args=(ear, interruption), name="interrupts", daemon=True).start()

    def interrupted(number: int, frame: Any) -> NoReturn:
        interruption.stop()
        raise KeyboardInterrupt

    before = {item: signal.signal(item, interrupted) for item in _SIGNALS}
    wakeup = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    try:
        yield interruption
    except BaseException:
        if interruption.is_stopping:
            raise SystemExit(EXIT_INTERRUPTED) from None
        raise
    finally:
        if not interruption.is_stopping:  # else the thread ends the process, if nothing else does
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            mouth.close()
    if interruption.is_stopping:
        raise SystemExit(EXIT_INTERRUPTED)


def _listen(ear: socket.socket, interruption: Interruption) -> None:
    """End the process where it does not end by itself in time, or at once where it is asked to a second time."""
    with ear:
        if not _hears(ear):
            return
        interruption.stop()
        ear.settimeout(GRACE_SECONDS)
        with suppress(TimeoutError):
            _hears(ear)
        _end()


def _hears(ear: socket.socket) -> bool:
    """Wait for one of the signals; False where the work ended."""
    while heard := ear.recv(1):
        if heard[0] in _SIGNALS:
            return True
    return False


def _say(line: str) -> None:
    with suppress(OSError, ValueError):
        start = f"{_CLEAR_LINE}{_SHOW_CURSOR}" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{start}{line}\n")
        sys.stderr.flush()


def _end() -> NoReturn:
    with suppress(OSError, ValueError):
        if sys.stderr.isatty():
            sys.stderr.write(_SHOW_CURSOR)
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(EXIT_INTERRUPTED)
