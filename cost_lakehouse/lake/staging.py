"""Folders of this machine that a load's files are written into before they go to the store; killed loads' are removed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cost_lakehouse.errors import LakeError

LOCK_SECONDS = 60
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOCK = ".lock"


@contextmanager
def staging_folder(load_id: str) -> Iterator[Path]:
    """A folder for one load, gone at the end.

    Raises LakeError where this machine has no room for it.
    """
    base = _base()
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if base.stat().st_uid != os.getuid():
            raise LakeError(f"{base} belongs to another user.", "Let TMPDIR name a folder of your own.")
        # One at a time, so that no folder is taken for abandoned between its making and its locking.
        with FileLock(base / _LOCK, timeout=LOCK_SECONDS):
            _remove_abandoned(base)
            folder = Path(tempfile.mkdtemp(prefix=f"{load_id}-", dir=base))
            own = FileLock(folder / _LOCK)
            own.acquire()
    except (OSError, Timeout) as error:
        raise LakeError(
            f"No folder can be made in {base} to write bills into: {error}.", "Let TMPDIR name a folder with room."
        ) from error
    try:
        yield folder
    except OSError as error:
        if not is_full(error):
            raise
        raise LakeError(
            f"There is no space left in {base}, where bills are written before they go to the store.",
            "Free some, or let TMPDIR name a folder with room for one month's bill as Parquet.",
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        own.release()


def _base() -> Path:
    return Path(tempfile.gettempdir()).resolve() / f"cost-lakehouse-{os.getuid()}"


def _remove_abandoned(base: Path) -> None:
    """Every folder holds a lock of the process that writes into it; the system frees it when the process ends."""
    for folder in base.iterdir():
        if not folder.is_dir():
            continue
        try:
            with FileLock(folder / _LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue


def is_full(error: OSError) -> bool:
    """Whether a disk, or what a user may have of it, is full."""
    # Arrow puts the number into its message.
    return error.errno in _FULL or any(f"errno {number}]" in str(error) for number in _FULL)
