"""One pass: each month of a source that changed is replaced in PostgreSQL, all its tables in one transaction.

Rows go there by ``COPY``; before the commit they are counted and added up there and compared with the marts. Killed anywhere,
the transaction is gone and the old month is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import psycopg2  # type: ignore[import-untyped]  # its stubs are no dependency
from pyiceberg.io.pyarrow import schema_to_pyarrow

from cost_lakehouse.config.publish import PostgresSettings
from cost_lakehouse.errors import ConfigurationError, PushFailed, without_secrets
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.manifests import file_tasks, slice_of
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.publish.postgres.months import MonthTables
from cost_lakehouse.publish.postgres.tables import (
    PUBLICATIONS,
    columns_of,
    create_indexes,
    create_month,
    create_publications,
    create_table,
    koku_views,
    month_of,
    quoted,
)
from cost_lakehouse.summaries.stale import BILL_STATUS

CONNECT_SECONDS = 10
PARTED = "p"
"""What PostgreSQL calls a table that has parts."""
_AGAIN = "What was there counts; the next run tries again."


@dataclass
class PublishReport:
    """What one pass did."""

    place: str
    slices: list[Slice] = field(default_factory=list)
    unchanged: int = 0
    rows: int = 0
    removed: int = 0  # months that are older than what is kept

    @property
    def version(self) -> str:
        """A digest of what was published."""
        return hashlib.sha256(" ".join(map(str, self.slices)).encode()).hexdigest()[:32]


def publish_to_postgres(
    lake: Lake, settings: PostgresSettings, *, again: bool = False, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> PublishReport:
    """Replace what changed; with ``again`` every month that is kept.

    Raises PushFailed where the database cannot be used, a table was changed, or rows do not add up; ConfigurationError where a
    table cannot be published. What was committed until then stays.
    """
    wanted = {table: _columns(lake, table) for table in settings.tables}
    today = clock().date()
    first = first_kept(settings.history_months, today)
    marks = months_kept(lake, settings, today)
    record = lake.identity.record()
    with _connected(settings) as database:
        publisher = _Publisher(lake, settings, database, record.id if record else "", wanted, clock)
        publisher.prepare({slice_.billing_period for slice_ in marks})
        return publisher.run(marks, first, again)


def months_due(lake: Lake, settings: PostgresSettings, today: date) -> dict[Slice, str]:
    """The months that the database has otherwise, or not at all, in order and with their marks. Raises PushFailed."""
    marks = months_kept(lake, settings, today)
    with _connected(settings) as database:
        known = _published(database, settings.schema_name)
    return {slice_: mark for slice_, mark in marks.items() if known.get(slice_, ("", ""))[0] != mark}


def months_kept(lake: Lake, settings: PostgresSettings, today: date) -> dict[Slice, str]:
    """The published months that the database is to have, in order and with their marks."""
    first = first_kept(settings.history_months, today)
    return {slice_: mark for slice_, mark in marks_of(lake, settings.tables).items() if slice_.billing_period >= first}


def first_kept(history_months: int | None, today: date) -> date:
    """The first month that is kept, of so many with the present one. Pure."""
    if history_months is None:
        return date.min
    number = today.year * 12 + today.month - 1 - (history_months - 1)
    return date(number // 12, number % 12 + 1, 1)


def marks_of(lake: Lake, tables: Sequence[str]) -> dict[Slice, str]:
    """A digest for each published month of the files that its tables are in: another one says that it may have changed."""
    files: dict[Slice, list[str]] = {}
    for name in sorted({f"marts.{table}" for table in tables} | {BILL_STATUS}):
        table = lake.table_or_none(name)
        for task in file_tasks(table) if table is not None else ():
            files.setdefault(slice_of(task.file), []).append(task.file.file_path)
    status = lake.table_or_none(BILL_STATUS)
    published = {slice_of(task.file) for task in file_tasks(status)} if status is not None else set()
    return {
        slice_: hashlib.sha256(json.dumps([sorted(tables), sorted(files[slice_])]).encode()).hexdigest()[:32]
        for slice_ in sorted(published)
    }


def _columns(lake: Lake, table: str) -> dict[str, str]:
    found = lake.table_or_none(f"marts.{table}")
    if found is None:
        known = ", ".join(name.removeprefix("marts.") for name in lake.table_names() if name.startswith("marts."))
        raise ConfigurationError(f"publish.postgres: there is no mart {table!r}.", f"Known are: {known or 'none yet'}.")
    return columns_of(table, schema_to_pyarrow(found.schema(), include_field_ids=False))


@contextmanager
def _connected(settings: PostgresSettings) -> Iterator[Any]:
    """A connection; what goes wrong with it is told without its secrets."""
    database: Any = None
    try:
        database = psycopg2.connect(settings.dsn, connect_timeout=CONNECT_SECONDS, application_name="cost-lakehouse")
        yield database
    except psycopg2.Error as error:
        said = without_secrets(" ".join(str(error).split()), settings.secrets)
        raise PushFailed(f"{settings.place}: {said or type(error).__name__}.", _fix_of(error)) from None
    finally:
        if database is not None:
            database.close()


def _fix_of(error: psycopg2.Error) -> str:
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return "`cost-lakehouse policy postgres` prints the rights that are needed."
    if isinstance(error, psycopg2.errors.DiskFull):
        return f"Make room for the database. {_AGAIN}"
    return _AGAIN


def _published(database: Any, schema: str) -> dict[Slice, tuple[str, str]]:
    """Month -> its mark and the lake that published it; none where nothing was published."""
    with database, database.cursor() as cursor:
        cursor.execute("select to_regclass(%s)", [f"{quoted(schema)}.{PUBLICATIONS}"])
        if cursor.fetchall()[0][0] is None:
            return {}
        cursor.execute(f"select source, billing_period, mark, lake_id from {quoted(schema)}.{PUBLICATIONS}")
        return {Slice(source, month): (mark, lake_id) for source, month, mark, lake_id in cursor.fetchall()}


class _Publisher:
    """The months of one pass, each in a transaction of its own."""

    def __init__(
        self,
        lake: Lake,
        settings: PostgresSettings,
        database: Any,
        lake_id: str,
        tables: Mapping[str, Mapping[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._lake = lake
        self._schema = settings.schema_name
        self._place = settings.place
        self._database = database
        self._lake_id = lake_id
        self._tables = tables
        self._clock = clock

    def prepare(self, months: Collection[date]) -> None:
        """Make what is not there: schema, tables, columns that a mart has gained, indexes, parts of months, views.

        What is new is empty in every month: then none of them is up to date any more. One publisher at a time.

        Raises PushFailed where somebody changed a table so that the mart does not fit it.
        """
        has_grown = False
        with self._database, self._database.cursor() as cursor:
            self._lock(cursor)
            cursor.execute("select 1 from information_schema.schemata where schema_name = %s", [self._schema])
            if not cursor.fetchall():
                cursor.execute(f"create schema {quoted(self._schema)}")
            cursor.execute(create_publications(self._schema))
            kinds, before = self._existing(cursor)
            for table, columns in self._tables.items():
                if table not in before:
                    cursor.execute(create_table(self._schema, table, columns))
                    for statement in create_indexes(self._schema, table, columns):
                        cursor.execute(statement)
                    has_grown = True
                has_grown = self._fit(cursor, table, columns, before.get(table, columns)) or has_grown
                for month in sorted(months):
                    kind = kinds.get(month_of(table, month))
                    if kind is None:
                        for statement in create_month(self._schema, table, month, columns):
                            cursor.execute(statement)
                    elif kind != PARTED:
                        raise PushFailed(
                            f"{self._place}: {month_of(table, month)} is not parted by source: somebody changed the table.",
                            f"Nothing was published. Drop {table}: the next run makes it and fills it again.",
                        )
            for view in koku_views(self._schema, self._tables):
                cursor.execute(view)
            if has_grown:
                cursor.execute(
                    f"update {quoted(self._schema)}.{PUBLICATIONS} set mark = '' where lake_id = %s", [self._lake_id]
                )

    def _fit(self, cursor: Any, table: str, columns: Mapping[str, str], there: Mapping[str, str]) -> bool:
        """Make the columns that are not there; whether one was made."""
        has_grown = False
        for column, kind in columns.items():
            if column not in there:
                cursor.execute(f"alter table {quoted(self._schema)}.{quoted(table)} add column {quoted(column)} {kind}")
                has_grown = True
            elif there[column] != kind:
                raise self._changed(table, column, there[column], kind)
        return has_grown

    def _existing(self, cursor: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """What kind each table is, and the columns and types of each."""
        cursor.execute(
            "select c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a "
            "join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = %s and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p')",
            [self._schema],
        )
        kinds: dict[str, str] = {}
        found: dict[str, dict[str, str]] = {}
        for table, relation, column, kind in cursor.fetchall():
            kinds[table] = relation
            found.setdefault(table, {})[column] = kind
        return kinds, found

    def _changed(self, table: str, column: str, there: str, kind: str) -> PushFailed:
        return PushFailed(
            f"{self._place}: {table}.{column} is {there} there, and {kind} in the mart: somebody changed the table.",
            "Nothing was published. Change it back, or drop the table: the next run makes it and fills it again.",
        )

    def run(self, marks: Mapping[Slice, str], first: date, again: bool) -> PublishReport:
        """Replace each month that changed, and drop those that are not kept."""
        report = PublishReport(self._place)
        known = _published(self._database, self._schema)
        for slice_, mark in marks.items():
            if known.get(slice_, ("", ""))[0] == mark and not again:
                report.unchanged += 1
                continue
            rows = self._replace(slice_, mark, again)
            if rows is None:
                report.unchanged += 1
                continue
            report.slices.append(slice_)
            report.rows += rows
        report.removed = self._remove_before(first)
        return report

    def _replace(self, slice_: Slice, mark: str, again: bool) -> int | None:
        """One month in one transaction; None where another publisher was faster."""
        with self._database, self._database.cursor() as cursor:
            self._lock(cursor, slice_)
            cursor.execute(
                f"select mark, lake_id from {quoted(self._schema)}.{PUBLICATIONS} where source = %s and billing_period = %s",
                [slice_.source, slice_.billing_period],
            )
            for there, lake_id in cursor.fetchall():
                if lake_id != self._lake_id:
                    raise PushFailed(
                        f"{self._place}: {slice_} was published by the lakehouse {lake_id}, and this one is {self._lake_id}.",
                        "Give each lakehouse a `schema` of its own.",
                    )
                if there == mark and not again:
                    return None
            tables = MonthTables(self._lake, self._schema, self._place, cursor)
            filled = [tables.fill(slice_, table, columns) for table, columns in self._tables.items()]
            # Last, when all is copied and proved: readers are locked out for a moment.
            tables.attach(slice_, filled)
            counts = [one.rows for one in filled]
            delivery_id, state = self._status(slice_)
            cursor.execute(
                f"insert into {quoted(self._schema)}.{PUBLICATIONS} values (%s, %s, %s, %s, %s, %s, %s, %s, %s) "
                "on conflict (source, billing_period) do update set "
                "delivery_id = excluded.delivery_id, state = excluded.state, "
                "lake_id = excluded.lake_id, mark = excluded.mark, tables = excluded.tables, row_counts = excluded.row_counts, "
                "published_at = excluded.published_at",
                [
                    slice_.source,
                    slice_.billing_period,
                    delivery_id,
                    state,
                    self._lake_id,
                    mark,
                    list(self._tables),
                    counts,
                    self._clock(),
                ],
            )
        return sum(counts)

    def _status(self, slice_: Slice) -> tuple[str, str]:
        with connect(self._lake, [BILL_STATUS]) as marts:
            ((delivery_id, state),) = marts.execute(
                f"select distinct delivery_id, state from {BILL_STATUS} where {slice_.condition}"
            ).fetchall()
        return delivery_id, state

    def _remove_before(self, first: date) -> int:
        """Drop what is older than what is kept; the months that went."""
        with self._database, self._database.cursor() as cursor:
            cursor.execute(
                f"delete from {quoted(self._schema)}.{PUBLICATIONS} where billing_period < %s and lake_id = %s "
                "returning billing_period",
                [first, self._lake_id],
            )
            gone = {row[0] for row in cursor.fetchall()}
            for month in sorted(gone):
                for table in self._tables:
                    cursor.execute(f"drop table if exists {quoted(self._schema)}.{quoted(month_of(table, month))}")
        return len(gone)

    def _lock(self, cursor: Any, slice_: Slice | None = None) -> None:
        """Held until the transaction ends: publishers of one schema, or of one month, come one after the other."""
        what = f"cost-lakehouse {self._schema} {slice_ or ''}"
        number = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], signed=True)
        cursor.execute("select pg_advisory_xact_lock(%s)", [number])
