"""Why a lake cannot be opened, and what to do: a catalog that is locked, damaged or out of reach, or files that are gone."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import LakeError

OPENING_FAILS = (OSError, DBAPIError, ValidationError)
"""What pyiceberg, SQLAlchemy and the system raise where a lake cannot be opened."""

# What a database says, in small letters -> what is wrong with the catalog, and what to do.
_SQLITE = {
    "database is locked": (
        "is locked by another program, which has kept it for a minute",
        "End what keeps it open (a backup, a database browser); on a network drive SQLite's locks do not work: move it.",
    ),
    "not a database": (
        "is no SQLite database: it is damaged, or another file",
        "Correct `lake.catalog`, or take the file aside and rebuild it from the warehouse: `cost-lakehouse lake adopt`.",
    ),
    "malformed": (
        "is damaged",
        "Take the file aside and rebuild the catalog from the warehouse: `cost-lakehouse lake adopt`.",
    ),
    "readonly": ("cannot be written: it is read-only here", "Give this user write access to the file and to its folder."),
    "unable to open": ("cannot be opened", "Let `lake.catalog` name a file (not a folder) that this user may read and write."),
    "disk is full": ("cannot be written: the disk is full", "Make room, then try again: nothing was changed."),
    "disk i/o error": ("cannot be read: the disk reports an error", "Check the disk and its mount, then try again."),
}
_POSTGRES = {
    "password authentication failed": ("refuses the login", "Correct user and password in `lake.catalog`."),
    "no password supplied": ("wants a password", "Write `lake.catalog: postgresql://USER:${PASSWORD}@HOST/DATABASE`."),
    "no pg_hba.conf entry": ("does not let this user in from here", "Add this machine and user to the server's pg_hba.conf."),
    "does not exist": ("has no such database or user", "Create it, or correct `lake.catalog`."),
    "permission denied": ("does not let this user create or change tables", "Grant the user CREATE on database and schema."),
    "too many": ("has no connection left", "Raise the server's max_connections, or let fewer processes work at once."),
    "could not translate host name": ("cannot be reached: its host has no address", "Correct the host in `lake.catalog`."),
    "connection refused": ("cannot be reached: nothing listens there", "Start the server, or correct host and port."),
    "timeout": ("cannot be reached: it does not answer", "Check host, port, firewall and that the server runs."),
    "ssl": ("cannot be reached safely", "Check `sslmode` and the certificates in `lake.catalog`."),
    "read-only": ("is a read-only replica", "Let `lake.catalog` name the primary server."),
    "terminating connection": ("ended the connection", "It was restarted or stopped: try again when it runs."),
    "server closed the connection": ("ended the connection", "It was restarted or stopped: try again when it runs."),
}


def cannot_be_opened(settings: Settings, error: Exception) -> LakeError:
    """The error of opening the lake as cause and fix."""
    place = settings.catalog_url.render_as_string(hide_password=True)
    said = str(getattr(error, "orig", None) or error)
    if isinstance(error, DBAPIError):
        known = _SQLITE if settings.lake.is_sqlite else _POSTGRES
        for word, (problem, fix) in known.items():
            if word in said.lower():
                return LakeError(f"The lake cannot be opened: its catalog {place} {problem}.", fix)
    elif isinstance(error, ValidationError):
        return LakeError(
            f"The lake cannot be opened: a table's metadata file in {settings.warehouse} is damaged.",
            "Restore the warehouse's files, or take the newest whole state of each table: `cost-lakehouse lake adopt`.",
        )
    elif isinstance(error, FileNotFoundError) and (missing := error.filename or _path_in(said)):
        return LakeError(
            f"The lake cannot be opened: its catalog {place} names the file {missing}, which is not there.",
            "Where the warehouse was moved, move it back or run `cost-lakehouse lake move`; where its files were deleted, "
            "restore them.",
        )
    elif isinstance(error, FileExistsError | NotADirectoryError) and error.filename:
        wanted = Path(error.filename)
        in_the_way = next((path for path in (wanted, *wanted.parents) if path.exists() and not path.is_dir()), wanted)
        return LakeError(
            f"The lake cannot be opened: {in_the_way} is a file where a folder is needed.",
            "Remove it, or correct `lake.catalog` and `lake.warehouse`.",
        )
    elif isinstance(error, PermissionError) and error.filename:
        return LakeError(
            f"The lake cannot be opened: this user may not use {error.filename}.",
            "Give this user read and write access to the catalog's folder and to the warehouse.",
        )
    line = (said.splitlines() or ["no message"])[0]
    return LakeError(
        f"The lake cannot be opened (catalog {place}, warehouse {settings.warehouse}): {type(error).__name__}: {line}.",
        "Check that both places exist, can be reached and written with these credentials, and have free space.",
    )


def _path_in(said: str) -> str:
    """The path that a message of pyarrow's or pyiceberg's quotes."""
    return next((word for word in said.replace("'", " ").split() if Path(word.removeprefix("file://")).is_absolute()), "")
