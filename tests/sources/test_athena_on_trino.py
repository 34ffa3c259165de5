"""The SQL for Athena gives on a real Trino, which Athena is, what it gives on DuckDB, which plays Athena in other tests."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from cost_lakehouse.sources.aws.athena.sql import BillTable, windows_of
from tests.services.trino import TrinoServer

OCTOBER = date(2026, 10, 1)
COMMON = {
    "identity_line_item_id": "varchar",
    "line_item_usage_start_date": "timestamp(3)",
    "line_item_unblended_cost": "double",
    "line_item_usage_amount": "double",
    "product": "map(varchar, varchar)",
}
LEGACY = BillTable.of("billing", "cur", {**COMMON, "year": "string", "month": "string"})
CUR_2 = BillTable.of("billing", "cur", {**COMMON, "billing_period": "string"})
HIDDEN = {"$path": "varchar", "$file_size": "bigint", "$file_modified_time": "timestamp(3) with time zone"}
_MAPS = {
    "trino": "map(ARRAY['a b', 'region'], ARRAY['x\"y', 'eu-west-1'])",
    "duckdb": "MAP {'a b': 'x\"y', 'region': 'eu-west-1'}",
}
_NO_MAP = {"trino": "map()", "duckdb": "MAP {}"}


def rows(engine: str) -> str:
    """A few rows of both kinds of table, as SQL."""
    maps, no_map = _MAPS[engine], _NO_MAP[engine]
    starts = ["NULL", *(f"'{day} 00:00:00'" for day in ("2025-01-01", "2026-10-07", "2026-10-08", "2026-10-31", "2027-02-01"))]
    lines = [
        f"('id-{number}', {start}, {cost}, {'NULL' if number == 2 else 2}, {no_map if number % 2 else maps}, '2026', '10', "
        f"'2026-10', 's3://bill/{number % 2}.parquet', 1234, '2026-11-03 05:30:00 UTC')"
        for number, (start, cost) in enumerate(zip(starts, ("0.1", "1e-7", "NULL", "-0.5", "123456.789", "3e-9"), strict=True))
    ]
    names = [*COMMON, "year", "month", "billing_period", *HIDDEN]
    kinds = {**COMMON, **HIDDEN}
    plain = {"timestamp(3)": "timestamp", "timestamp(3) with time zone": "timestamptz"} if engine == "duckdb" else {}
    chosen = [
        f'"{name}"'
        if (kind := kinds.get(name, "varchar")).startswith("map")
        else f'CAST("{name}" AS {plain.get(kind, kind)}) AS "{name}"'
        for name in names
    ]
    listed = ", ".join(f'"{name}"' for name in names)
    return f"(SELECT {', '.join(chosen)} FROM (VALUES {', '.join(lines)}) AS given({listed}))"


def on(engine: str, sql: str) -> str:
    return sql.replace('"billing"."cur"', f"{rows(engine)} AS cur")


def told(value: Any) -> Any:
    """Values that two drivers give as different types."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    return float(value) if hasattr(value, "as_tuple") else value


@pytest.mark.parametrize("table", [LEGACY, CUR_2], ids=["legacy", "cur-2.0"])
def test_both_engines_understand_the_same(trino_server: TrinoServer, table: BillTable) -> None:
    sent = [table.files_sql(None), table.files_sql(OCTOBER), table.totals_sql(OCTOBER), table.totals_sql(None, OCTOBER)]
    sent += [table.window_sql(window, as_text=True) for window in windows_of(OCTOBER, 7)]
    sent += [table.window_sql(windows_of(OCTOBER, 31)[0], as_text=False), table.nothing_sql()]
    counts: list[int] = []
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'; create macro json_format(x) as cast(x as varchar)")
        for sql in sent:
            expected = connection.execute(on("duckdb", sql)).fetchall()
            found = trino_server.query(on("trino", sql), catalog=None)
            assert sorted(repr([told(item) for item in row]) for row in found) == sorted(
                repr([told(item) for item in row]) for row in expected
            ), sql
            counts.append(len(found))
    assert counts == [2, 2, 1, 1, 3, 1, 0, 0, 2, 6, 0]
