"""The SQL that is sent to Athena: one table of a bill, its months, its windows of days. Pure.

Kept to what Trino (which Athena is) and DuckDB (which runs it in tests) both understand; `json_format` and UNLOAD are Athena's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.aws.manifest import first_of_month

USAGE_START = "line_item_usage_start_date"
METRICS = ("line_item_unblended_cost", "line_item_blended_cost", "line_item_usage_amount")
SUM_DIGITS = 10
LINE_ITEM_ID = "identity_line_item_id"
_PARTITIONS = (("year", "month"), ("billing_period",))
_WHOLE_NUMBERS = ("tinyint", "smallint", "int", "integer", "bigint")
_NESTED = ("map", "array", "struct", "row")


@dataclass(frozen=True)
class Window:
    """Days of usage that one query reads: from ``first``, before ``end``; None is open, and an open start takes nulls too."""

    month: date
    number: int  # counts from 1
    of: int
    first: date | None
    end: date | None

    @property
    def name(self) -> str:
        """A short name, which sorts."""
        return f"{self.number:02d}-of-{self.of:02d}"


def windows_of(month: date, days: int) -> list[Window]:
    """The windows of a month, in order; every row that there can be is in exactly one of them."""
    after = (month + timedelta(days=32)).replace(day=1)
    starts = [month + timedelta(days=day) for day in range(0, (after - month).days, days)]
    ends = [*starts[1:], None]
    return [
        Window(month, number, len(starts), None if number == 1 else first, end)
        for number, (first, end) in enumerate(zip(starts, ends, strict=True), 1)
    ]


@dataclass(frozen=True)
class BillTable:
    """A Cost and Usage Report's table as the catalog describes it: legacy (year, month) or CUR 2.0 (billing_period)."""

    database: str
    table: str
    columns: Mapping[str, str]  # of the bill, name -> type in lower case
    partitions: Mapping[str, str]  # what tells the month

    @classmethod
    def of(cls, database: str, table: str, described: Mapping[str, str]) -> BillTable:
        """The table from all its columns, partition keys included.

        Raises SourceError where it is no Cost and Usage Report, or nothing tells a row's month.
        """
        types = {name.lower(): kind.lower() for name, kind in described.items() if '"' not in name}
        label = f"{database}.{table}"
        lacking = [name for name in (USAGE_START, METRICS[0]) if name not in types]
        if lacking:
            raise SourceError(
                f"Athena's table {label} is no Cost and Usage Report: it has no column {lacking[0]}.",
                "Name the report's own table in `athena.table`; a view must keep AWS's column names.",
            )
        for keys in _PARTITIONS:
            if all(key in types for key in keys):
                bill = {name: kind for name, kind in types.items() if name not in keys}
                return cls(database, table, bill, {key: types[key] for key in keys})
        raise SourceError(
            f"Nothing in Athena's table {label} tells the month: it has neither year and month nor billing_period.",
            "Use the table that AWS's own SQL creates (partitioned by year and month), or CUR 2.0's (by billing_period).",
        )

    def month_of(self, values: Sequence[str | None]) -> date | None:
        """The month that a partition's values say; None where they are no month."""
        if len(self.partitions) == 2:
            return first_of_month(values[0] or "", values[1] or "")
        matched = re.fullmatch(r"(\d{4})-(\d{2})", (values[0] or "").removesuffix(self._day_of_period))
        return first_of_month(*matched.groups()) if matched else None

    @property
    def _day_of_period(self) -> str:
        return "-01" if self.partitions["billing_period"] == "date" else ""

    def files_sql(self, month: date | None) -> str:
        """Each month's files as Athena sees them, with how many rows each has: reads no column of the bill."""
        hidden = ('"$path"', '"$file_size"', '"$file_modified_time"')
        return self._grouped([*self._keys(), *hidden], ["count(*)"], self._where_month(month))

    def totals_sql(self, month: date | None, since: date | None = None) -> str:
        """Each month's number of rows, sums, and what changes with every delivery: reads a few columns of the bill."""
        sums: list[str] = []
        for name in self.metrics:
            # Sums of doubles depend on the order in which machines add them up; sums of decimals do not.
            number = f'CAST(TRY_CAST("{name}" AS double) AS decimal(38, {SUM_DIGITS}))'
            sums += [f"sum({number})", f"sum(abs({number}))"]
        marks = [
            f'{function}("{name}")'
            for name in (LINE_ITEM_ID, USAGE_START)
            if name in self.columns
            for function in ("min", "max")
        ]
        return self._grouped(self._keys(), ["count(*)", *sums, *marks], self._where_month(month, since))

    @property
    def metrics(self) -> list[str]:
        """The columns whose sums are compared."""
        return [name for name in METRICS if name in self.columns]

    def window_sql(self, window: Window, *, as_text: bool) -> str:
        """The rows of a window, every column of the bill. ``as_text`` is for results in pages: maps are JSON there."""
        chosen = [self._column(name, kind, as_text) for name, kind in self.columns.items()]
        where = [self._where_month(window.month), self._where_days(window)]
        return f"SELECT {', '.join(chosen)} FROM {self._from}{_all_of(where)}"  # noqa: S608 - quoted names

    def nothing_sql(self) -> str:
        """A query that reads no row: whether it is allowed is all that it tells."""
        return f'SELECT "{USAGE_START}" FROM {self._from} WHERE 1 = 0'  # noqa: S608 - quoted names

    def _column(self, name: str, kind: str, as_text: bool) -> str:
        if as_text and kind.startswith(_NESTED):
            return f'json_format(CAST("{name}" AS json)) AS "{name}"'
        return f'"{name}"'

    @property
    def _from(self) -> str:
        return f'"{self.database}"."{self.table}"'

    def _keys(self) -> list[str]:
        return [f'"{name}"' for name in self.partitions]

    def _grouped(self, by: Sequence[str], values: Sequence[str], where: str) -> str:
        places = ", ".join(str(number) for number in range(1, len(by) + 1))
        return f"SELECT {', '.join([*by, *values])} FROM {self._from}{_all_of([where])} GROUP BY {places}"  # noqa: S608 - quoted names

    def _where_month(self, month: date | None, since: date | None = None) -> str:
        if len(self.partitions) == 2:
            if month is None:
                return f'"year" >= {self._literal("year", str(since.year))}' if since else ""
            months = dict.fromkeys(self._literal("month", text) for text in (str(month.month), f"{month.month:02d}"))
            return f'"year" = {self._literal("year", str(month.year))} AND "month" IN ({", ".join(months)})'
        if month is None:
            return f'"billing_period" >= {self._period(since)}' if since else ""
        return f'"billing_period" = {self._period(month)}'

    def _period(self, month: date) -> str:
        text = f"{month:%Y-%m-%d}" if self.partitions["billing_period"] == "date" else f"{month:%Y-%m}"
        return self._literal("billing_period", text)

    def _literal(self, name: str, text: str) -> str:
        kind = self.partitions[name]
        if kind in _WHOLE_NUMBERS:
            return str(int(text))
        return f"DATE '{text}'" if kind == "date" else f"'{text}'"

    def _where_days(self, window: Window) -> str:
        column = f'"{USAGE_START}"'
        parts = []
        if window.first is not None:
            parts.append(f"{column} >= {self._day(window.first)}")
        if window.end is not None:
            parts.append(f"{column} < {self._day(window.end)}")
        days = " AND ".join(parts)
        return f"({days} OR {column} IS NULL)" if days and window.first is None else days

    def _day(self, day: date) -> str:
        kind = self.columns[USAGE_START]
        if kind.startswith("timestamp"):
            return f"TIMESTAMP '{day} 00:00:00'"
        return f"DATE '{day}'" if kind == "date" else f"'{day}'"  # text in ISO form sorts like what it says


def unload_sql(select: str, destination: str) -> str:
    """Athena's own statement that writes a query's rows to new Parquet files below ``destination``."""
    return f"UNLOAD ({select}) TO '{destination}' WITH (format = 'PARQUET', compression = 'SNAPPY')"


def _all_of(conditions: Sequence[str]) -> str:
    given = [condition for condition in conditions if condition]
    return f" WHERE {' AND '.join(given)}" if given else ""
