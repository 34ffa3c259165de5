"""Nobody's costs come from two sources: a load is refused where another source holds the same accounts' month."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import duckdb

from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.formats.duckdb_paths import duckdb_path
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import BILLS, holders_of
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.slices import Slice

# The payer (tenancy, billing account) and the usage account (sub account); where there is none, the payer.
Account = tuple[str, str]
_NAMED = 3
LOCK_WAIT_SECONDS = 600


@contextmanager
def commit_lock(lake: Lake, what: str) -> Iterator[None]:
    """One commit of line items at a time, whatever its table: two sources of one payer never pass each other unseen."""
    with lake.lock("commit-line-items", f"The commit of {what}", LOCK_WAIT_SECONDS):
        yield


def refuse_other_holders(lake: Lake, raw_table: str, source: str, wanted: Mapping[date, Collection[Account]]) -> None:
    """Compare the accounts that a load has lines of, month by month, with those that other sources brought.

    Member accounts of one organisation may each have a report of their own: one payer, other usage accounts, which add up.
    Raises DeliveryRefused where a usage account's month is in another source's slice.
    """
    payers = {month: {payer for payer, _ in accounts} for month, accounts in wanted.items()}
    for month, others in sorted(holders_of(lake, raw_table, source, payers).items()):
        for other in sorted(others):
            both = sorted(accounts_of(lake, raw_table, Slice(other, month)).intersection(wanted[month]))
            if both:
                raise _refusal(source, other, month, both)


def accounts_of(lake: Lake, raw_table: str, slice_: Slice) -> set[Account]:
    """The accounts that a slice has lines of; of bills, in whichever of their tables it is. Reads two columns."""
    found: set[Account] = set()
    for name in BILLS if raw_table in BILLS else (raw_table,):
        files = [duckdb_path(file.file_path) for file in data_files(lake.current(name), [slice_])]
        if files:
            with duckdb.connect(":memory:") as connection:
                lake.warehouse.let_duckdb_read(connection)
                found.update(connection.execute(FORMATS[name].accounts_query, [files]).fetchall())
    return found


def _refusal(source: str, other: str, month: date, both: list[Account]) -> DeliveryRefused:
    payers = sorted({payer for payer, _ in both})
    accounts = sorted({account for payer, account in both if account != payer})
    more = f" and {len(accounts) - _NAMED} more" if len(accounts) > _NAMED else ""
    shared = f" Both have usage account {', '.join(accounts[:_NAMED])}{more}." if accounts else ""
    return DeliveryRefused(
        f"{Slice(source, month)}: the bill of payer {', '.join(payers)} for {month:%Y-%m} is in the lake already, from source "
        f"{other}; {source} would add it up twice.{shared}",
        f"Keep one of the two sources: set `paused: true` on {source}. Where it is {other} under another name, give it its old "
        "name back: a slice belongs to its source's name. Reports of member accounts add up as long as no usage account is in "
        "two of them.",
    )
