"""A real file system of a few megabytes, to be filled to its last byte."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str, user_id: int) -> Iterator[Path]:
    """An empty one at ``folder`` that a user owns; ``size`` as ``mount`` takes it. Skips where this user may mount none."""
    folder.mkdir()
    options = f"size={size},mode=0700,uid={user_id}"
    try:
        done = subprocess.run(
            [shutil.which("mount") or "", "-t", "tmpfs", "-o", options, "small", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        said = "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
    except OSError as error:
        said = str(error)
    if said:
        pytest.skip(f"this user may mount no file system to fill: {said}")
    try:
        yield folder
    finally:
        subprocess.run([shutil.which("umount") or "", "--lazy", str(folder)], check=True)
