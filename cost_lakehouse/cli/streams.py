"""What the command does where its output cannot be taken: a full disk, a reader that has gone, a terminal without Unicode."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EPIPE
from io import TextIOWrapper

EXIT_NOT_WRITTEN = 1


@contextmanager
def stream_errors() -> Iterator[None]:
    """End with one line on stderr instead of a traceback; a reader that has seen enough (``| head``) is no failure."""
    for stream in (sys.stdout, sys.stderr):
        # What people read is shown as far as it can be; a result for programs is checked where it is printed.
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    code = 0
    try:
        try:
            yield
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
            raise
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _leave(code)
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno == EPIPE:
            _leave(code)
        with suppress(OSError):
            sys.stderr.write(f"Error: The output cannot be written: {error.strerror}.\n")
            sys.stderr.write("  Fix: Make room where stdout goes, or let it go elsewhere. What was done, is done.\n")
            sys.stderr.flush()
        _leave(EXIT_NOT_WRITTEN)


def _leave(code: int) -> None:
    drop_output()
    raise SystemExit(code)


def drop_output() -> None:
    """Say nothing more: Python would write out what is left once more at its end, and complain."""
    sink = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(sink, stream.fileno())
