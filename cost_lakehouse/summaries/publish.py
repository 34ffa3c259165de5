"""Takes the marts that dbt built and tested into the lake: one atomic commit a mart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import schema_to_pyarrow

from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import remove_unneeded_files
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.invoiced import invoiced_label
from cost_lakehouse.lake.replace import replace_slices
from cost_lakehouse.lake.slice_writer import SliceWriter, new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from cost_lakehouse.summaries.built import BuiltSummaries
from cost_lakehouse.summaries.closings import Closing, closed_months, closings, is_held, with_closing
from cost_lakehouse.summaries.correction_log import record_late_corrections
from cost_lakehouse.summaries.first_invoiced import newly_invoiced
from cost_lakehouse.summaries.gap_findings import BILL_FINDINGS, findings_with_gaps
from cost_lakehouse.summaries.marts import Mart
from cost_lakehouse.summaries.stale import BILL_STATUS

UNFINISHED = ".publishing/unfinished.json"
"""Where in the warehouse a publication that is under way says which slices it writes."""

_ROWS_PER_BATCH = 128 * 1024
_LOCK_WAIT_SECONDS = 600.0


@dataclass(frozen=True)
class PublishedSlice:
    """What publishing changed in one slice of one mart: its rows now, and its totals by currency before and after.

    ``old`` is None where the slice was not published before. A currency is '' where the bill names none.
    """

    table: str
    source: str
    billing_period: date
    rows: int
    old: dict[str, Decimal] | None
    new: dict[str, Decimal]


@dataclass(frozen=True)
class _Built:
    """A mart as a build left it: where its rows are, and its columns."""

    mart: Mart
    relation: str
    schema: pa.Schema


def publish(lake: Lake, built: BuiltSummaries, slices: Sequence[Slice], marts: Sequence[Mart]) -> list[PublishedSlice]:
    """Make a build's rows of ``slices`` the rows of them in ``marts``, in that order; other slices stay untouched.

    Call it only after every test of the build passed. A slice without rows is emptied. Publishing again is harmless.
    Of a month that was closed with another delivery, ``bill_status`` alone is published: it says what is held back.
    Raises LakeError where the build cannot be read or lacks a slice: nothing is published then.
    """
    chosen = sorted(set(slices))
    if not chosen:
        return []
    with built.connect() as scratch, lake.lock("publish", "Publishing summaries", _LOCK_WAIT_SECONDS):
        _check_built(scratch, built.label, chosen)
        as_built = [_as_built(scratch, mart) for mart in marts]
        before = _old_totals(lake, chosen, marts)
        published = published_statuses(lake, chosen)
        statuses, held = _of_closed_months(lake, scratch, published)
        free = [slice_ for slice_ in chosen if slice_ not in held]
        instead = {BILL_STATUS: statuses, BILL_FINDINGS: findings_with_gaps(lake, scratch, _loaded(scratch, free))}
        record_late_corrections(lake, scratch, published)
        labels = {BILL_STATUS: invoiced_label(newly_invoiced(scratch, free, published))}
        with _unfinished(lake, chosen, marts):
            return [
                changed
                for mart in as_built
                for slices in [chosen if mart.mart.table == BILL_STATUS else free]
                if slices
                for changed in _publish_mart(
                    lake, scratch, mart, slices, before, instead.get(mart.mart.table, {}), labels.get(mart.mart.table, {})
                )
            ]


def published_status(lake: Lake, slice_: Slice) -> list[dict[str, Any]]:
    """A month's rows of ``bill_status``, sorted; none where it is not published, or by a version that knew no closed months."""
    return published_statuses(lake, [slice_])[slice_]


def published_statuses(lake: Lake, slices: Sequence[Slice]) -> dict[Slice, list[dict[str, Any]]]:
    """The same of several months, read at once."""
    wanted = " or ".join(f"({slice_.condition})" for slice_ in slices)
    return {slice_: [] for slice_ in slices} | _statuses(lake, wanted)


def all_published_statuses(lake: Lake) -> dict[Slice, list[dict[str, Any]]]:
    """The same of all months that are published."""
    return _statuses(lake, "true")


def _statuses(lake: Lake, condition: str) -> dict[Slice, list[dict[str, Any]]]:
    found: dict[Slice, list[dict[str, Any]]] = {}
    table = lake.table_or_none(BILL_STATUS)
    if table is not None and "pending_delivery_id" in table.schema().column_names:
        with connect(lake, [BILL_STATUS]) as connection:
            select = f"select * from {BILL_STATUS} where {condition} order by bill_status_id"
            for row in connection.execute(select).to_arrow_table().to_pylist():
                found.setdefault(Slice(row["source"], row["billing_period"]), []).append(row)
    return found


def mark_closed(lake: Lake, slice_: Slice, closing: Closing | None) -> None:
    """Make ``bill_status`` say that a published month is closed, or with None that it is not, without building anything.

    For a month of which nothing is held back. Call it with the lock ``publish`` held.
    """
    rows = published_status(lake, slice_)
    if closing is None:
        open_again = {"closed_at": None, "closed_by": None, "closing_note": None}
        marked = [{**row, "state": row["bill_state"], **open_again} for row in rows]
    else:
        marked = with_closing(closing, rows, rows)
    if marked != rows:
        replace_rows(
            lake, BILL_STATUS, schema_to_pyarrow(lake.current(BILL_STATUS).schema(), include_field_ids=False), {slice_: marked}
        )


def _publish_mart(
    lake: Lake,
    scratch: duckdb.DuckDBPyConnection,
    built: _Built,
    slices: Sequence[Slice],
    before: Mapping[tuple[str, Slice], dict[str, Decimal]],
    instead: Mapping[Slice, pa.Table],
    labels: Mapping[str, str],
) -> list[PublishedSlice]:
    """Publish one mart; ``instead`` has the rows of slices that are not published as they were built.

    ``labels`` are put on the snapshot.
    """
    table, relation = built.mart.table, built.relation
    _fit_table(lake, table, built.schema)
    files: list[str] = []
    written: dict[Slice, int] = {}
    load_id = new_load_id()
    for slice_ in slices:
        folder = lake.data_folder(table, slice_)
        with lake.warehouse.writing(folder, load_id) as local:
            writer = SliceWriter(local, load_id, [])
            reader = (
                instead[slice_].to_reader()
                if slice_ in instead
                else scratch.execute(
                    f"select * from {relation} where source = ? and billing_period = ?", [slice_.source, slice_.billing_period]
                ).to_arrow_reader(_ROWS_PER_BATCH)
            )
            written[slice_] = 0
            for batch in reader:
                writer.write(batch)
                written[slice_] += batch.num_rows
            writer.close()
            files += lake.warehouse.keep(writer.files, folder)
    replace_slices(lake, table, slices, files, {"cost-lakehouse.slices": str(len(slices)), **labels})
    new = _totals(scratch, relation, built.mart.total, slices) if slices else {}
    for slice_, rows in instead.items():
        new[slice_] = _totals_of(rows, built.mart.total)
    known = {slice_ for name, slice_ in before if name == BILL_STATUS}
    return [
        PublishedSlice(
            table,
            slice__.source,
            slice__.billing_period,
            written[slice__],
            before.get((table, slice__), {}) if slice__ in known else None,
            new.get(slice__, {}),
        )
        for slice__ in slices
    ]


def _of_closed_months(
    lake: Lake, scratch: duckdb.DuckDBPyConnection, published: Mapping[Slice, Sequence[Mapping[str, Any]]]
) -> tuple[dict[Slice, pa.Table], set[Slice]]:
    """The rows of ``bill_status`` of those months that are closed, and which of them are held back.

    ``published`` are the published rows of all months of the build.
    """
    closed = {slice_: entry for slice_, entry in closed_months(closings(lake)).items() if slice_ in published}
    if not closed:
        return {}, set()
    statuses: dict[Slice, pa.Table] = {}
    held = set()
    for slice_, closing in closed.items():
        built = scratch.execute(
            f"select * from {BILL_STATUS} where {slice_.condition} order by bill_status_id"
        ).to_arrow_table()
        before = published[slice_]
        statuses[slice_] = pa.Table.from_pylist(with_closing(closing, built.to_pylist(), before), schema=built.schema)
        if before and is_held(closing, built.to_pylist()):
            held.add(slice_)
    return statuses, held


def _loaded(scratch: duckdb.DuckDBPyConnection, slices: Sequence[Slice]) -> dict[Slice, tuple[str, date]]:
    """Which delivery a build has of each slice, and the day on which it was loaded."""
    rows = scratch.execute(f"select distinct source, billing_period, delivery_id, loaded_at from {BILL_STATUS}").fetchall()
    found = {Slice(source, month): (delivery_id, loaded_at.date()) for source, month, delivery_id, loaded_at in rows}
    return {slice_: found[slice_] for slice_ in slices}


def _totals_of(rows: pa.Table, column: str | None) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for row in rows.to_pylist() if column is not None else ():
        currency = row["currency_code"] or ""
        totals[currency] = EXACT.add(totals.get(currency, Decimal(0)), row[column])
    return totals


def _as_built(scratch: duckdb.DuckDBPyConnection, mart: Mart) -> _Built:
    """Where a build keeps the mart: in the schema that its model names, or among the marts where an engine has one schema.

    A mart is published slice by slice, and its total by currency. Raises LakeError where it lacks a column for that.
    """
    (named,) = scratch.execute(
        "select count(*) from information_schema.tables where table_schema || '.' || table_name = ?",
        [mart.relation.replace('"', "")],
    ).fetchall()[0]
    relation = mart.relation if named else mart.table
    try:
        schema = scratch.execute(f"select * from {relation} limit 0").to_arrow_table().schema
    except duckdb.CatalogException as error:
        raise LakeError(f"The build has no table of model {mart.model}.", "Build the summaries again.") from error
    wanted = {"source", "billing_period"} | ({"currency_code", mart.total} if mart.total is not None else set())
    missing = sorted(wanted - {*schema.names})
    if missing:
        raise LakeError(
            f"The model {mart.model} cannot be published: it lacks {', '.join(missing)}.",
            "Select source and billing_period, and where it names a total, that column and currency_code.",
        )
    return _Built(mart, relation, schema)


def _fit_table(lake: Lake, name: str, schema: pa.Schema) -> None:
    """Create the mart's table, or add the columns that its model has gained since."""
    if lake.table_or_none(name) is None:
        lake.create_table(name, schema)
    else:
        lake.add_columns(name, schema)


def _check_built(scratch: duckdb.DuckDBPyConnection, label: str, slices: Sequence[Slice]) -> None:
    """Every slice has a row in ``bill_status``, also an empty one: without it, the build was of other slices."""
    try:
        rows = scratch.execute("select distinct source, billing_period from marts.bill_status").fetchall()
    except duckdb.CatalogException as error:
        raise LakeError(f"{label} holds no marts: the build did not end.", "Build the summaries again.") from error
    built = {Slice(source, billing_period) for source, billing_period in rows}
    missing = [str(slice_) for slice_ in slices if slice_ not in built]
    if missing:
        raise LakeError(f"{label} was not built for {', '.join(missing)}.", "Build the summaries of these slices again.")


def _old_totals(lake: Lake, slices: Sequence[Slice], marts: Sequence[Mart]) -> dict[tuple[str, Slice], dict[str, Decimal]]:
    existing = [mart for mart in marts if lake.table_or_none(mart.table) is not None]
    found: dict[tuple[str, Slice], dict[str, Decimal]] = {}
    with connect(lake, [mart.table for mart in existing]) as connection:
        for mart in existing:
            for slice_, totals in _totals(connection, mart.table, mart.total, slices).items():
                found[mart.table, slice_] = totals
    return found


def _totals(
    connection: duckdb.DuckDBPyConnection, relation: str, column: str | None, slices: Sequence[Slice]
) -> dict[Slice, dict[str, Decimal]]:
    """Each slice that has rows -> currency -> the sum of the mart's cost column; nothing of a mart that names none."""
    if column is None:
        return {}
    wanted = " or ".join(f"({slice_.condition})" for slice_ in slices)
    rows = connection.execute(
        f"select source, billing_period, coalesce(currency_code, ''), sum({column}) "
        f"from {relation} where {wanted} group by 1, 2, 3"
    ).fetchall()
    found: dict[Slice, dict[str, Decimal]] = {}
    for source, billing_period, currency, total in rows:
        found.setdefault(Slice(source, billing_period), {})[currency] = total if total is not None else Decimal(0)
    return found


@contextmanager
def _unfinished(lake: Lake, slices: Sequence[Slice], marts: Sequence[Mart]) -> Iterator[None]:
    """Remember what is being written, so that the files of a publication that was killed are removed by the next one."""
    mark = f"{lake.warehouse.location}/{UNFINISHED}"
    left = _read_mark(lake.warehouse.file_io, mark)
    for mart in marts if left else ():
        for slice_ in left:
            remove_unneeded_files(lake, mart.table, slice_)
    with lake.warehouse.file_io.new_output(mark).create(overwrite=True) as stream:
        stream.write(json.dumps([[slice__.source, slice__.billing_period.isoformat()] for slice__ in slices]).encode())
    yield
    lake.warehouse.delete([mark])


def _read_mark(file_io: FileIO, mark: str) -> list[Slice]:
    """The slices of a killed publication. A mark that was cut short was written before any file."""
    try:
        with file_io.new_input(mark).open() as stream:
            return [Slice(source, date.fromisoformat(period)) for source, period in json.loads(stream.read())]
    except (FileNotFoundError, ValueError):
        return []
