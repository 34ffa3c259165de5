"""What the lake holds of each source: which loads came to their commit, and which objects they brought, in which months."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import ADDING_TABLES, FILES

TAKEN_OUT = ""  # the etag in ``raw.files`` of an object whose rows a load took out of a month, because others replace it
_LAST_LOAD = "cost-lakehouse.last-load"


@dataclass(frozen=True)
class HeldObject:
    """An object whose rows the lake holds. ``rows`` has the months that it has rows in; its size counts in each of them.

    ``etag`` is empty where rows of some months were taken out again: what comes under its key is another object.
    ``content`` is the digest of what it says, where it is known; ``repeats`` the key of the object that has its rows.
    """

    etag: str
    size: int
    rows: Mapping[date, int]
    content: str = ""
    repeats: str = ""


@dataclass(frozen=True)
class Loads:
    """What one source's loads put into one raw table. Receipts are oldest first, one a load and month.

    ``objects`` are told of tables alone whose slices add up: elsewhere the last load of a month brought all that it holds.
    """

    committed: tuple[Receipt, ...] = ()
    killed: tuple[Receipt, ...] = ()  # on record, but their load was killed before its commit: it never happened
    refused: tuple[Receipt, ...] = ()
    objects: Mapping[str, HeldObject] = field(default_factory=dict)  # by key
    refused_objects: frozenset[tuple[str, str]] = frozenset()  # (key, etag) of what no later load has made good
    refusals: tuple[Receipt, ...] = ()  # the refused receipts that these are of

    @property
    def ids(self) -> set[str]:
        """The loads that came to their commit."""
        return {load.load_id for load in self.committed}

    @property
    def last_at(self) -> datetime | None:
        """When the newest load that is on record was put there (UTC, aware)."""
        return max((receipt.loaded_at for receipt in (*self.committed, *self.killed, *self.refused)), default=None)

    @cached_property
    def newest(self) -> Mapping[date, Receipt]:
        """The last receipt that was committed to each month."""
        return {receipt.billing_period: receipt for receipt in self.committed}

    @cached_property
    def proven(self) -> Mapping[date, Receipt]:
        """The newest receipt of each month whose proof is on record.

        A repeated load's control totals take the place of the earlier ones before its commit. Where it was killed in between,
        the month is left out: its next load makes it whole.
        """
        repeated = {(receipt.billing_period, receipt.delivery_id) for receipt in self.killed}
        return {month: item for month, item in self.newest.items() if (month, item.delivery_id) not in repeated}

    def of_month(self, month: date) -> list[Receipt]:
        """What was committed to one month, oldest first."""
        return [receipt for receipt in self.committed if receipt.billing_period == month]

    def refused_of(self, month: date) -> list[Receipt]:
        """What was refused of one month, oldest first."""
        return [receipt for receipt in self.refused if receipt.billing_period == month]

    def recovered(self) -> Loads:
        """The same once the records of killed loads are taken back."""
        return replace(self, killed=())

    def is_repetition(self, receipt: Receipt) -> bool:
        """Whether a committed load of the same objects into the same month is on record beside this one."""
        same = (receipt.billing_period, receipt.delivery_id, receipt.fingerprint)
        return any(same == (item.billing_period, item.delivery_id, item.fingerprint) for item in self.committed)


def last_load_property(source: str) -> str:
    """The table property that names a source's last load: it is set by that load's own commit."""
    return f"{_LAST_LOAD}.{source}"


def load_lock(source: str, table: str) -> str:
    """The lock of whoever writes a source's rows of one raw table."""
    return f"load-{source}-{table.rsplit('.', 1)[-1]}"


def held_loads(lake: Lake, all_receipts: Sequence[Receipt], source: str | None = None) -> dict[tuple[str, str], Loads]:
    """(source, raw table) -> what it holds, of every source or of one. ``all_receipts`` are oldest first.

    The one answer to "does the lake hold it?": loads of a source and table follow each other, each names itself in the table
    by its own commit, and what is on record after the last one that did never happened.
    """
    own: dict[tuple[str, str], list[Receipt]] = {}
    for receipt in all_receipts:
        if source in (None, receipt.source):
            own.setdefault((receipt.source, receipt.raw_table), []).append(receipt)
    tables = {table for _, table in own}
    last = {table: lake.current(table).properties for table in tables}
    files = _files(lake, source) if tables.intersection(ADDING_TABLES) else {}
    return {
        (name, table): _loads(found, last[table].get(last_load_property(name)), files.get((name, table), []))
        for (name, table), found in own.items()
    }


def proven_of(loads: Mapping[tuple[str, str], Loads], raw_table: str) -> dict[Slice, Receipt]:
    """The newest proven receipt of every slice of a table."""
    return {
        Slice(source, month): receipt
        for (source, table), own in loads.items()
        if table == raw_table
        for month, receipt in own.proven.items()
    }


# Findings in ``raw.files``: why an object has no rows in the lake.
REPEATED, EMPTY = "report repeats another one", "report without lines"


class _FileRow(NamedTuple):
    month: date
    load_id: str
    key: str
    etag: str
    size: int
    rows: int | None
    content: str | None
    finding: str | None
    detail: str | None


def _loads(found: Sequence[Receipt], last_load: str | None, files: Sequence[_FileRow]) -> Loads:
    """Loads of one source follow each other: what is on record after the last one that was committed never happened."""
    accepted = [receipt for receipt in found if receipt.state == ACCEPTED]
    ends = [index for index, item in enumerate(accepted, 1) if item.load_id == last_load]
    end = ends[-1] if ends else 0
    committed, killed = accepted[:end], accepted[end:]
    refused = [receipt for receipt in found if receipt.state == REFUSED]
    order = {item.load_id: index for index, item in enumerate(committed)}
    versions: dict[tuple[str, str], list[_FileRow]] = {}
    for row in files:
        if row.load_id in order:
            versions.setdefault((row.key, row.load_id), []).append(row)
    objects: dict[str, HeldObject] = {}
    since: dict[str, int] = {}  # key -> the place of the load that its rows come from
    versions = dict(sorted(versions.items(), key=lambda one: order[one[0][1]]))
    for (key, load_id), rows in versions.items():
        first = rows[0]
        if first.etag == TAKEN_OUT:
            _take_out(objects, key, {row.month for row in rows})
        else:
            by_month = {row.month: row.rows for row in rows if row.rows}
            repeats = (first.detail or "") if first.finding == REPEATED else ""
            objects[key] = HeldObject(first.etag, first.size, by_month, first.content or "", repeats)
            since[key] = order[load_id]
    _forget_repeats(objects, since)
    held_since = {row.key: committed[order[row.load_id]].loaded_at for rows in versions.values() for row in rows}
    refused_at = {receipt.load_id: receipt.loaded_at for receipt in refused}
    bad = [
        row
        for row in files
        if row.load_id in refused_at and (row.key not in held_since or held_since[row.key] < refused_at[row.load_id])
    ]
    standing = {row.load_id for row in bad}
    return Loads(
        tuple(committed),
        tuple(killed),
        tuple(refused),
        objects,
        frozenset((row.key, row.etag) for row in bad),
        tuple(receipt for receipt in refused if receipt.load_id in standing),
    )


def _forget_repeats(objects: dict[str, HeldObject], since: Mapping[str, int]) -> None:
    """An object whose rows another one had is new again once that one was replaced or taken out: nobody may have them now."""
    for key, found in list(objects.items()):
        other = objects.get(found.repeats)
        if found.repeats and (other is None or other.etag == TAKEN_OUT or since[found.repeats] > since[key]):
            del objects[key]


def _take_out(objects: dict[str, HeldObject], key: str, months: set[date]) -> None:
    held = objects.pop(key, None)
    rest = {month: rows for month, rows in held.rows.items() if month not in months} if held else {}
    if held and rest:
        objects[key] = HeldObject(TAKEN_OUT, held.size, rest)


_FILE_COLUMNS = pa.schema(
    [
        FILES.field(name)
        for name in (
            "source",
            "raw_table",
            "billing_period",
            "load_id",
            "key",
            "etag",
            "size",
            "rows",
            "content",
            "finding",
            "finding_detail",
        )
    ]
)


def _files(lake: Lake, source: str | None) -> dict[tuple[str, str], list[_FileRow]]:
    rows = ledger_rows(lake, "raw.files", _FILE_COLUMNS, source=source)
    found: dict[tuple[str, str], list[_FileRow]] = {}
    for name, table, *rest in rows:
        if table in ADDING_TABLES:
            found.setdefault((name, table), []).append(_FileRow(*rest))
    return found
