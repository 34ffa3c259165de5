"""Replaces slices: one commit takes the old files out and the new ones in; a reader sees the old bill or the new one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from sqlalchemy.exc import OperationalError

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.commit import Change, commit
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.slices import Slice

COMMIT_ATTEMPTS = 30
_LONGEST_PAUSE_SECONDS = 2.0


def replace_slices(
    lake: Lake,
    table_name: str,
    slices: Sequence[Slice],
    files: Sequence[str],
    properties: Mapping[str, str] | None = None,
    guard: Callable[[], None] | None = None,
) -> None:
    """Make ``files`` (locations of Parquet files, none of 0 rows) the only files of ``slices``, in one atomic commit.

    ``guard`` is called in every attempt after the table's state was read, and may raise to call the commit off: what it
    saw still holds when the commit lands, because a commit on another state is refused and tried again.
    Raises LakeError when the commit keeps colliding with others.
    """
    replace_files(lake, table_name, slices, files, lambda table, file: True, properties, guard)


def replace_files(
    lake: Lake,
    table_name: str,
    slices: Sequence[Slice] | None,
    files: Sequence[str],
    drop: Callable[[Table, DataFile], bool],
    properties: Mapping[str, str] | None = None,
    guard: Callable[[], None] | None = None,
    table_properties: Mapping[str, str] | None = None,
    snapshots: int | None = None,
) -> None:
    """As ``replace_slices``, but of the slices' present files only those that ``drop`` picks are taken out.

    ``slices`` is None for a table without slices, or to look at all of them.
    ``table_properties`` become the table's own in the same commit. Of its ``snapshots`` so many newest ones stay, or all.
    """

    def change(table: Table) -> None:
        if guard is not None:
            guard()
        present = data_files(table, slices)
        if files and {*files} <= {file.file_path for file in present}:
            return  # the attempt before this one did land; only its answer was lost
        old = [file for file in present if drop(table, file)]
        if old or files or table_properties:
            commit(table, Change(old, files, properties or {}, table_properties or {}, snapshots=snapshots))

    commit_with_retries(lake, table_name, change, f"commit {', '.join(map(str, slices or ())) or table_name}")


def commit_with_retries(
    lake: Lake, table_name: str, change: Callable[[Table], None], what: str, *, history: bool = False
) -> None:
    """Make a change that looks at the table as it is at every attempt; ``what`` says in an infinitive what it does.

    With ``history`` it sees all the table's snapshots, which costs the more the more there are.

    Raises LakeError when it keeps colliding with others.
    """
    for attempt in range(COMMIT_ATTEMPTS):
        try:
            change(lake.table(table_name) if history else lake.current(table_name))
            return
        except (CommitFailedException, ValidationException):
            pause = min(_LONGEST_PAUSE_SECONDS, 0.05 * 2**attempt)
        except OperationalError as error:
            if "locked" not in str(error) and not error.connection_invalidated:
                raise
            pause = _LONGEST_PAUSE_SECONDS
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # spreads the retries, hides nothing
    raise LakeError(
        f"{table_name} was changed by others during {COMMIT_ATTEMPTS} attempts to {what}.",
        "Run it again when fewer loads are under way.",
    )
