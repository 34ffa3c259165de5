"""Publishes the account names that dbt built and tested: the table ``marts.aws_accounts``, always as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake, table_folder
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.lake.slice_writer import SliceWriter, new_load_id
from cost_lakehouse.lake.tables import ACCOUNT_NAMES, ACCOUNT_NAMES_COLUMNS, AWS_ACCOUNTS
from cost_lakehouse.summaries.built import BuiltSummaries

BUILT_FROM = "cost-lakehouse.built-from"
"""The table's property that says what its rows were made from."""

_WAIT_SECONDS = 600.0
_ORDER = "account_id, valid_from"
# What makes the names, beside the log: below the dbt project's folder.
_FILES = ("seeds/aws_account_names.csv", "models/staging/aws/stg_aws__accounts.sql", "models/marts/aws_accounts.sql")


def built_from(lake: Lake, project: Path) -> str:
    """A digest of what the names are made from: the log's files, the seed and the models."""
    digest = sha256()
    for item in sorted(file.file_path for file in data_files(lake.current(AWS_ACCOUNTS))):
        digest.update(f"{item}\0".encode())
    for name in _FILES:
        file = project / name
        digest.update(file.read_bytes() if file.exists() else b"")
        digest.update(b"\0")
    return digest.hexdigest()


def seed_is_filled(project: Path) -> bool:
    """Whether the seed names an account: it holds more than its header."""
    file = project / _FILES[0]
    return file.exists() and any(line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()[1:])


def is_up_to_date(lake: Lake, digest: str) -> bool:
    """Whether the published names were made from just that."""
    return lake.current(ACCOUNT_NAMES).properties.get(BUILT_FROM) == digest


def publish_account_names(lake: Lake, built: BuiltSummaries, digest: str) -> tuple[int, bool]:
    """Make the build's names the lake's, in one commit: how many rows, and whether they differ from those before.

    Call it only after every test of the build passed. ``digest`` says what it was built from, and was taken before. Raises
    LakeError where the build lacks the table, or the commit keeps colliding with others.
    """
    with built.connect() as scratch:
        columns = ", ".join(ACCOUNT_NAMES_COLUMNS.names)
        new = scratch.execute(f"select {columns} from {ACCOUNT_NAMES} order by {_ORDER}").to_arrow_table()
    new = new.cast(ACCOUNT_NAMES_COLUMNS)
    with lake.lock("publish-accounts", "Publishing account names", _WAIT_SECONDS) as lock:
        differs = _rows(new) != _rows(_published(lake))
        files = _write(lake, new) if differs else []

        replace_files(
            lake,
            ACCOUNT_NAMES,
            None,
            files,
            lambda table, file: differs,
            guard=lock.ensure_held,
            table_properties={BUILT_FROM: digest},
        )
    return new.num_rows, differs


def _published(lake: Lake) -> pa.Table:
    with connect(lake, [ACCOUNT_NAMES]) as connection:
        columns = ", ".join(ACCOUNT_NAMES_COLUMNS.names)
        return connection.execute(f"select {columns} from {ACCOUNT_NAMES} order by {_ORDER}").to_arrow_table()


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return list(table.to_pylist())


def _write(lake: Lake, rows: pa.Table) -> Sequence[str]:
    """One file with all rows, which nobody sees before the commit that names it; none where there is no row."""
    load_id = new_load_id()
    folder = f"{table_folder(ACCOUNT_NAMES)}/data"
    with lake.warehouse.writing(folder, load_id) as local:
        writer = SliceWriter(local, load_id, [])
        for batch in rows.combine_chunks().to_batches():
            writer.write(batch)
        writer.close()
        if len(writer.files) > 1:
            raise LakeError(f"{ACCOUNT_NAMES} has more rows than fit one file.", "This is a defect: please report it.")
        return lake.warehouse.keep(writer.files, folder)
