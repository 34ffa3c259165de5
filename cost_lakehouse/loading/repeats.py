"""Finds reports that say again what another one says: a copy under a second name, packed anew, or cut into other files.

Identity is content: the digest of a file's text, and in Oracle's reports the lines themselves. A line that comes again has the
same tenancy, the same reference number and the same values; a correction has a reference number of its own, and lines that
were split by their tags share one but differ, so neither is ever taken for a repeated line.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.formats.duckdb_paths import duckdb_list, parquet_rows
from cost_lakehouse.formats.header import FINDINGS
from cost_lakehouse.formats.table_format import FORMATS, TableFormat
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.loads import HeldObject, Loads
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.read import LoadedFiles
from cost_lakehouse.loading.records import WithoutRows
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.storage.object_store import StoredObject

_HELD = -1  # the rank of what the lake holds: before all that is new


@dataclass(frozen=True)
class Overlap:
    """How many lines of a new object are those of another one, which comes first or is held."""

    key: str
    other: str
    lines: int
    example: str  # the reference number of one of them


def in_order(objects: Sequence[StoredObject], records: Mapping[str, int]) -> list[str]:
    """The keys of new objects, that first which the others are compared with: the largest, then the oldest."""
    return [
        found.key for found in sorted(objects, key=lambda found: (-records.get(found.key, 0), found.last_modified, found.key))
    ]


def same_content(order: Sequence[str], contents: Mapping[str, str], held: Mapping[str, HeldObject]) -> dict[str, str]:
    """New objects whose text another one has, new or held: key -> the other's key. ``held`` are those to compare with. Pure."""
    first = {found.content: key for key, found in sorted(held.items()) if found.content and found.rows}
    copies: dict[str, str] = {}
    for key in order:
        content = contents.get(key)
        if content is not None and first.setdefault(content, key) != key:
            copies[key] = first[content]
    return copies


def overlaps(
    lake: Lake,
    table: TableFormat,
    order: Sequence[str],
    new: Sequence[str],
    held: Sequence[str],
    leaving: Collection[str],
) -> list[Overlap]:
    """New objects with lines that another object has.

    ``new`` are the locations of their rows' files, ``held`` those of files that are in the lake, in which the rows of the
    objects ``leaving`` do not count. Only reference numbers are read, unless some come twice.
    """
    if not table.reference or not new:
        return []
    tenant, number = table.reference
    fresh = parquet_rows(duckdb_list(new), "union_by_name = true")
    present = parquet_rows(duckdb_list(held), "union_by_name = true") if held else f"(from {fresh} limit 0)"
    columns = [name for name in table.columns if name != FINDINGS]
    line = f"hash({', '.join(columns)})"
    with duckdb.connect(":memory:") as connection:
        lake.warehouse.let_duckdb_read(connection)
        connection.execute(
            "create temp table ranks as select unnest(?) as file_name, unnest(range(?)) as rank", [order, len(order)]
        )
        connection.execute("create temp table leaving (file_name varchar)")
        if leaving:
            connection.executemany("insert into leaving values (?)", [[key] for key in sorted(leaving)])
        connection.execute(
            f"""
            create temp table twice as
            with fresh as (
                select hash({tenant}, {number}) as reference, rank from {fresh} join ranks using (file_name)
                where {number} is not null
            ),
            present as (
                select hash({tenant}, {number}) as reference, {_HELD} as rank from {present}
                where {number} is not null and file_name not in (select file_name from leaving)
                    and hash({tenant}, {number}) in (select reference from fresh)
            )
            select reference from (select * from fresh union all select * from present)
            group by reference having min(rank) <> max(rank)
            """  # noqa: S608 - column names of ours, and paths that are quoted
        )
        if not connection.execute("select count(*) from twice").fetchall()[0][0]:
            return []
        found = connection.execute(
            f"""
            with lines as (
                select file_name, rank, {tenant} as tenant, {number} as number, {line} as line
                from {fresh} join ranks using (file_name)
                where {number} is not null and hash({tenant}, {number}) in (select reference from twice)
                union all
                select file_name, {_HELD}, {tenant}, {number}, {line} from {present}
                where {number} is not null and file_name not in (select file_name from leaving)
                    and hash({tenant}, {number}) in (select reference from twice)
            ),
            firsts as (
                select tenant, number, line, min(rank) as rank, arg_min(file_name, rank) as file_name from lines group by all
            )
            select lines.file_name, min(firsts.file_name), count(*), min(lines.number)
            from lines
            join firsts on lines.tenant is not distinct from firsts.tenant
                and lines.number = firsts.number and lines.line = firsts.line
            where firsts.rank < lines.rank
            group by lines.file_name order by lines.file_name
            """  # noqa: S608
        ).fetchall()
    return [Overlap(*row) for row in found]


def refuse_partial(label: str, found: Overlap, records: int) -> None:
    """Raise DeliveryRefused, with the object's key, where only a part of its lines is in another one."""
    error = DeliveryRefused(
        f"{label}: {found.lines:,} of the {records:,} lines of {found.key} are in {found.other} too, such as the one with "
        f"reference number {found.example}: they would count twice.",
        f"Keep one of the two: remove {found.key}, or bring back the report as Oracle wrote it.",
    )
    error.key = found.key
    raise error


def repeated_objects(
    lake: Lake,
    label: str,
    delivery: Delivery,
    loaded: LoadedFiles,
    new: Sequence[str],
    loads: Loads,
    leaving: Collection[str],
) -> dict[str, WithoutRows]:
    """The objects of a delivery all of whose lines are in others, new ones or held ones; ``leaving`` (keys) do not count.

    ``new`` are the locations of the files with their rows.

    Raises DeliveryRefused where a part of an object's lines is; ``label`` says for people what is loaded.
    """
    order = in_order(delivery.objects, loaded.records)
    others = {key: item for key, item in loads.objects.items() if key not in leaving}
    copies = same_content(order, loaded.contents, others)
    slices = [Slice(delivery.source, month) for month in sorted(loaded.slices)]
    held = [file.file_path for file in data_files(lake.current(delivery.table), slices)]
    table = FORMATS[delivery.table]
    for found in overlaps(lake, table, [key for key in order if key not in copies], new, held, leaving):
        if found.lines < loaded.records[found.key]:
            refuse_partial(label, found, loaded.records[found.key])
        copies[found.key] = found.other
    months = {key: min(month for month, part in loaded.slices.items() if part.records[key]) for key in copies}
    return {key: WithoutRows(months[key], other, loaded.records[key]) for key, other in copies.items()}
