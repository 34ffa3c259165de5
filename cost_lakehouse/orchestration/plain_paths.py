"""Folders for the database files of Dagster and dbt, which take some characters of a path for something else."""

from __future__ import annotations

import os
import secrets
import tempfile
from hashlib import sha256
from pathlib import Path

from cost_lakehouse.errors import ConfigurationError

_MEAN_SOMETHING = frozenset("?%")


def plain_path(folder: Path) -> Path:
    """The folder itself, or a link to it where its path holds what a URL takes for its query or an escape.

    Dagster writes the paths of its SQLite files into URLs as text. Raises ConfigurationError where the place for such links
    belongs to another user.
    """
    if not _MEAN_SOMETHING.intersection(str(folder)):
        return folder
    link = _own_place(folder) / _digest(folder)
    if not link.is_symlink() or link.readlink() != folder:
        fresh = link.with_name(f".{secrets.token_hex(4)}")
        fresh.symlink_to(folder, target_is_directory=True)
        fresh.replace(link)
    return link


def scratch_root(home: Path, name: str) -> Path:
    """The folder of that name for dbt's scratch databases: in the home, or outside of it where its path holds a ``?``.

    DuckDB follows links before it names its further files, and takes what comes after a ``?`` for no part of the name. Raises
    ConfigurationError as ``plain_path``.
    """
    return home / name if "?" not in str(home) else _own_place(home) / f"{_digest(home)}-{name}"


def _own_place(folder: Path) -> Path:
    place = Path(tempfile.gettempdir()) / f"cost-lakehouse-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.getuid():
        raise ConfigurationError(
            f"Databases cannot be kept in {folder}: its name holds a ? or %, and {place} belongs to another user.",
            "Set DAGSTER_HOME to a folder without these characters.",
        )
    return place


def _digest(folder: Path) -> str:
    return sha256(str(folder).encode()).hexdigest()[:16]
