"""Replaces slices: one commit takes the old files out and the new ones in; a reader sees the old bill or the new one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from sqlalchemy.exc import OperationalError

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import data_files
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
    slices: Sequence[Slice],
    files: Sequence[str],
    drop: Callable[[Table, DataFile], bool],
    properties: Mapping[str, str] | None = None,
    guard: Callable[[], None] | None = None,
    table_properties: Mapping[str, str] | None = None,
) -> None:
    """As ``replace_slices``, but of the slices' present files only those that ``drop`` picks are taken out.

    ``table_properties`` become the table's own in the same commit.
    """

    def change(table: Table) -> None:
        if guard is not None:
            guard()
        present = data_files(table, slices)
        if files and {*files} <= {file.file_path for file in present}:
            return  # the attempt before this one did land; only its answer was lost
        old = [file for file in present if drop(table, file)]
        if old or files or table_properties:
            _commit(table, old, files, dict(properties or {}), dict(table_properties or {}))

    commit_with_retries(lake, table_name, change, f"commit {', '.join(map(str, slices))}")


def commit_with_retries(lake: Lake, table_name: str, change: Callable[[Table], None], what: str) -> None:
    """Make a change that looks at the table as it is at every attempt; ``what`` says in an infinitive what it does.

    Raises LakeError when it keeps colliding with others.
    """
    for attempt in range(COMMIT_ATTEMPTS):
        try:
            change(lake.table(table_name))
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


def _commit(
    table: Table, old: Sequence[DataFile], files: Sequence[str], properties: dict[str, str], table_properties: dict[str, str]
) -> None:
    with table.transaction() as transaction:
        if table_properties:
            transaction.set_properties(table_properties)
        if not old and not files:
            return
        update = transaction.update_snapshot(snapshot_properties=properties)
        # Where nothing is taken out, manifests are merged on the way: a ledger's thousand loads stay quick to look through.
        with update.overwrite() if old else update.merge_append() as snapshot:
            for file in old:
                snapshot.delete_data_file(file)
            for location in files:
                snapshot.append_data_file(parquet_file_to_data_file(table.io, table.metadata, location))
