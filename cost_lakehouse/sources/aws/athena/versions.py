"""Which months a bill's table in Athena has, and a version of each that differs whenever its data does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from cost_lakehouse.errors import SourceError
from cost_lakehouse.formats.timestamps import to_timestamp
from cost_lakehouse.sources.aws.athena.errors import QueryFailed
from cost_lakehouse.sources.aws.athena.queries import AthenaQueries, Row
from cost_lakehouse.sources.aws.athena.sql import BillTable

STATUS_TABLE = "cost_and_usage_data_status"
UPDATING = "UPDATING"
_HIDDEN = ("$path", "$file_size", "$file_modified_time")


@dataclass(frozen=True)
class Version:
    """One month as the table has it now. ``bytes`` is 0 and ``written_at`` None where Athena does not tell the files."""

    month: date
    name: str
    bytes: int = 0
    written_at: datetime | None = None


@dataclass(frozen=True)
class Totals:
    """What a whole month adds up to: sum, and sum of absolute values, a column each."""

    rows: int
    sums: dict[str, tuple[float, float]]


class TableVersions:
    """Looks at one table; every method raises SourceError where Athena cannot be asked."""

    def __init__(self, queries: AthenaQueries, database: str, table: str) -> None:
        self._queries = queries
        self._database, self._name = database, table
        self._table: BillTable | None = None
        self._tells_files = True

    @property
    def table(self) -> BillTable:
        """The table as the catalog describes it, asked for once."""
        if self._table is None:
            described = self._queries.describe(self._name)
            if described is None:
                raise SourceError(
                    f"There is no table {self._database}.{self._name} in Athena.",
                    "Correct `athena.database`, `athena.table` and `athena.catalog`; the names are those of the Glue catalog.",
                )
            self._table = BillTable.of(self._database, self._name, described)
        return self._table

    def is_updating(self) -> bool:
        """Whether AWS is replacing the table's files now, as the status table says that it keeps beside a legacy report."""
        described = self._queries.describe(STATUS_TABLE)
        if described is None or "status" not in {name.lower() for name in described}:
            return False
        rows = self._queries.rows(f'SELECT "status" FROM "{self._database}"."{STATUS_TABLE}"')  # noqa: S608 - quoted names
        return any((value or "").strip().upper() == UPDATING for value, *_ in rows)

    def versions(self, month: date | None = None, since: date | None = None) -> list[Version]:
        """Each month of the table, the oldest first; ``month`` asks for that one only.

        Where Athena tells the files (path, size, time, rows) they are the version: nothing of the bill is read. Of a view it
        does not; then the version is what the month (not those before ``since``) adds up to.
        """
        if self._tells_files:
            try:
                return self._by_files(self._queries.rows(self.table.files_sql(month)))
            except QueryFailed as error:
                if not any(name in error.problem for name in _HIDDEN):
                    raise
                self._tells_files = False
        return self._by_totals(self._queries.rows(self.table.totals_sql(month, since)))

    def totals(self, month: date) -> Totals:
        """What the whole month adds up to."""
        counted = 0
        metrics = self.table.metrics
        sums = dict.fromkeys(metrics, (0.0, 0.0))
        for row in self._queries.rows(self.table.totals_sql(month)):
            values = row[len(self.table.partitions) :]
            counted += int(values[0] or 0)
            for name, total, absolute in zip(metrics, values[1::2], values[2::2], strict=False):
                sums[name] = (sums[name][0] + float(total or 0), sums[name][1] + float(absolute or 0))
        return Totals(counted, sums)

    def _by_files(self, rows: Sequence[Row]) -> list[Version]:
        found: list[Version] = []
        for month, files in self._by_month(rows).items():
            moments = [moment for _, _, written, _ in files if (moment := to_timestamp(written or "")) is not None]
            newest = max(moments).replace(tzinfo=UTC) if moments else None
            name = _digest(files)[:16]
            named = f"{newest:%Y%m%dT%H%M%SZ}-{name}" if newest else name
            found.append(Version(month, named, sum(int(size or 0) for _, size, *_ in files), newest))
        return found

    def _by_totals(self, rows: Sequence[Row]) -> list[Version]:
        return [Version(month, f"totals-{_digest(values)[:16]}") for month, values in self._by_month(rows).items()]

    def _by_month(self, rows: Sequence[Row]) -> dict[date, list[Row]]:
        keys = len(self.table.partitions)
        months: dict[date, list[Row]] = {}
        for row in rows:
            month = self.table.month_of(row[:keys])
            if month is not None:
                months.setdefault(month, []).append(row[keys:])
        return {month: months[month] for month in sorted(months)}


def _digest(rows: Sequence[Row]) -> str:
    lines = sorted("\0".join("" if value is None else f"={value}" for value in row) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
