"""What keeps Dagster's instance from being opened or used: its home, its ``dagster.yaml``, or its records."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from dagster import DagsterError
from dagster_shared.check import CheckError
from sqlalchemy.exc import DBAPIError

from cost_lakehouse.errors import ConfigurationError, LakeError


@contextmanager
def explained_home(home: Path) -> Iterator[None]:
    """Raises ConfigurationError where the home is a file, or cannot be made or written."""
    try:
        yield
    except OSError as error:
        if in_the_way := next((parent for parent in (home, *home.parents) if parent.exists() and not parent.is_dir()), None):
            raise ConfigurationError(
                f"Dagster's home {home} cannot be a folder: {in_the_way} is a file.",
                "Set DAGSTER_HOME to another folder, or unset it: then it is `.dagster` beside lakehouse.yaml.",
            ) from None
        raise ConfigurationError(
            f"Dagster's home {home} cannot be written: {error.strerror or error}.",
            "Give this user write access, or set DAGSTER_HOME to another folder.",
        ) from None


@contextmanager
def explained_rules(rules: Path) -> Iterator[None]:
    """Raises ConfigurationError where ``dagster.yaml`` is no YAML, or says what Dagster does not take."""
    try:
        yield
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{rules}{place}: not valid YAML.", _HOW_TO_MEND) from None
    except (DagsterError, CheckError, ImportError, AttributeError, TypeError) as error:
        said = " ".join(str(error).split())[:300]
        raise ConfigurationError(f"{rules} is not accepted by Dagster: {said}", _HOW_TO_MEND) from None


@contextmanager
def explained_records(home: Path) -> Iterator[None]:
    """Raises LakeError where Dagster's records of runs are damaged, locked or out of reach."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        said = str(getattr(error, "orig", None) or error)
        line = (said.splitlines() or ["no message"])[0]
        words = said.lower()
        if "malformed" in words or "not a database" in words or "no such column" in words:
            raise LakeError(
                f"Dagster's records of runs in {home} are damaged: {line}.",
                f"Move {home / 'history'} and {home / 'schedules'} aside, or restore them: bills are not kept there, and the "
                "command makes new ones.",
            ) from None
        if "locked" in words:
            raise LakeError(
                f"Dagster's records of runs in {home} are locked by another program: {line}.",
                "End what keeps them open. On a network drive SQLite's locks do not work: set DAGSTER_HOME to a local folder.",
            ) from None
        raise LakeError(
            f"Dagster's records of runs cannot be used (home {home}): {line}.",
            "Check the disk, or the database that DAGSTER_HOME's dagster.yaml or `lake.catalog` names; then try again.",
        ) from None


_HOW_TO_MEND = "Correct it, or take it away: the command writes a new one on its next start."
