"""The stored side of the proof: DuckDB sums the files that were written, before they are committed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import duckdb

from cost_lakehouse.audit.read_back import unreadable
from cost_lakehouse.formats.control_totals import ControlTotals, Group
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.formats.duckdb_paths import duckdb_paths, parquet_rows
from cost_lakehouse.formats.table_format import TableFormat

TOP_SERVICES = 10


@dataclass
class StoredTotals:
    """What the written files hold: rows by group, and (values, sum) by group and metric."""

    rows: dict[Group, int] = field(default_factory=dict)
    sums: dict[tuple[Group, str], tuple[int, Decimal]] = field(default_factory=dict)
    top_services: list[tuple[str, str, Decimal]] = field(default_factory=list)  # service, currency, headline amount
    accounts: set[tuple[str, str]] = field(default_factory=set)  # payer and usage account
    unreadable: list[str] = field(default_factory=list)  # what of the files nobody could read or sum, a sentence each

    def merge(self, other: StoredTotals) -> None:
        """Add what other files of the same slice hold, exactly."""
        for group, rows in other.rows.items():
            self.rows[group] = self.rows.get(group, 0) + rows
        for key, (count, amount) in other.sums.items():
            before = self.sums.get(key, (0, Decimal(0)))
            self.sums[key] = before[0] + count, EXACT.add(before[1], amount)
        services: dict[tuple[str, str], Decimal] = {}
        for service, currency, amount in (*self.top_services, *other.top_services):
            services[service, currency] = EXACT.add(services.get((service, currency), Decimal(0)), amount)
        ordered = sorted(services.items(), key=lambda one: (-one[1], one[0]))
        self.top_services = [(*names, amount) for names, amount in ordered]
        self.accounts |= other.accounts
        self.unreadable += other.unreadable


def stored_totals(
    files: Sequence[Path], table: TableFormat, copied: Collection[Path] = (), services: int = TOP_SERVICES
) -> StoredTotals:
    """Read the new files of a table back and sum them; ``services`` says how many of the largest to tell.

    Of those that are ``copied`` from files that were read back before, the numbers alone are read.
    """
    result = StoredTotals()
    if not files:
        return result
    with duckdb.connect(":memory:", config={"memory_limit": "512MB"}) as connection:
        try:
            _sum(connection, duckdb_paths([str(path) for path in files]), table, result, services)
        except duckdb.OutOfRangeException as error:
            result.unreadable.append(f"a sum has more digits than there is room for: {str(error).splitlines()[0][:200]}")
        except duckdb.Error as error:
            if not copied:
                raise
            result.unreadable.append(f"its numbers cannot be read back: {str(error).splitlines()[0][:200]}")
        written = [path for path in files if path not in copied]
        if written:
            result.unreadable += unreadable(connection, written, table)
    return result


def _sum(
    connection: duckdb.DuckDBPyConnection, paths: list[str], table: TableFormat, result: StoredTotals, services: int
) -> None:
    groups = ", ".join(table.group_sql)
    sums = ", ".join(f"count({name}), sum({name})" for name in table.metrics)
    query = f"select {groups}, count(*), {sums} from {parquet_rows()} group by all"
    for row in connection.execute(query, [paths]).fetchall():
        group = Group(*row[:4])
        result.rows[group] = row[4]
        for metric, count, total in zip(table.metrics, row[5::2], row[6::2], strict=True):
            if count:
                result.sums[(group, metric)] = (count, total)
    result.accounts = set(connection.execute(table.accounts_query, [paths]).fetchall())
    if table.service is not None:
        result.top_services = connection.execute(
            f"select coalesce({table.service}, ''), {table.group_sql[1]}, coalesce(sum({table.cost}), 0) "
            f"from {parquet_rows()} group by all order by 3 desc, 1 limit ?",
            [paths, services],
        ).fetchall()


def differences(delivered: ControlTotals, stored: StoredTotals) -> list[str]:
    """Every place where delivered = stored + rounding does not hold, as a sentence; none means proven."""
    found = list(stored.unreadable)
    for group in sorted(delivered.rows.keys() | stored.rows.keys()):
        expected, actual = delivered.rows.get(group, 0), stored.rows.get(group, 0)
        if expected != actual:
            found.append(f"{_name(group)}: {expected} rows were delivered, {actual} would be stored")
    for group, metric in sorted(delivered.totals.keys() | stored.sums.keys()):
        total = delivered.totals.get((group, metric))
        count, kept = stored.sums.get((group, metric), (0, Decimal(0)))
        expected_count = total.line_items if total else 0
        expected_sum = EXACT.subtract(total.delivered, total.rounding) if total else Decimal(0)
        if (expected_count, expected_sum) != (count, kept):
            found.append(
                f"{_name(group)}, {metric}: {expected_count} values of {expected_sum:f} (rounding taken off) were delivered, "
                f"{count} of {kept:f} would be stored"
            )
    return found


def _name(group: Group) -> str:
    return ", ".join(f"{name} {value or '(none)'}" for name, value in group._asdict().items())
