"""The whole command killed with ``kill -9`` while it loads, builds and publishes: readers see one bill or the other."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path, PurePath

import pytest

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from sample_bills import Bill, BillDelivery, Fault, write_delivery
from tests.builders import settings_for
from tests.environment import without_own_variables
from tests.forked import ForkedCommand

MONTH = date(2026, 9, 1)
BILL = Bill(months=(MONTH,), rows=300)


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "cost_lakehouse.cli", *arguments, "--config", str(folder / "lakehouse.yaml")]


def start(folder: Path) -> ForkedCommand:
    return ForkedCommand(folder / "said.txt", "run", "--config", str(folder / "lakehouse.yaml"))


def kill_when(folder: Path, reached: Callable[[], bool]) -> bool:
    """Start the command, and kill it and all its children as soon as ``reached`` holds; False where it ended before."""
    run = start(folder)
    while run.wait(0.01) is None:
        if reached():
            run.kill()
            return True
    return False


def billed(lake: Lake) -> Decimal:
    with connect(lake) as connection:
        found = connection.execute("select coalesce(sum(billed_cost), 0) from marts.daily_costs").fetchone()
    assert found is not None
    return Decimal(found[0])


@pytest.mark.timeout(900)
def test_a_run_killed_while_it_loads_builds_or_publishes_is_finished_by_the_next(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, {"acme": BILL.location})
    first = write_delivery(tmp_path, BILL, BillDelivery(month=MONTH, delivered_at=datetime(2026, 10, 3, tzinfo=UTC)))
    # As people start it; the others are forked.
    done = subprocess.run(command(tmp_path, "run"), env=without_own_variables(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    second = write_delivery(
        tmp_path,
        BILL,
        BillDelivery(month=MONTH, delivered_at=datetime(2026, 10, 4, tzinfo=UTC), faults=frozenset({Fault.VANISHED_ROWS})),
    )
    old, new = first.expected.total()["USD"], second.expected.total()["USD"]
    assert old != new
    lake = Lake(settings)
    assert billed(lake) == old

    def files(place: str) -> set[PurePath]:
        # Folders go while one looks, which fails Path.glob, and not os.walk.
        there = (PurePath(folder, name) for folder, _, names in os.walk(tmp_path) for name in names)
        return {path for path in there if path.match(place)}

    def new_files(place: str) -> Callable[[], bool]:
        before = files(place)
        return lambda: not files(place) <= before

    places = {
        "while it loads": "lake/warehouse/raw/aws_cur/data/*/*/*.parquet",
        "while dbt builds": "*.duckdb",
        "while it publishes": "lake/warehouse/marts/daily_costs/data/*/*/*.parquet",
    }
    for when, place in places.items():
        assert kill_when(tmp_path, new_files(place)), f"the run ended before it could be killed {when}"
        assert billed(lake) in (old, new)

    run = start(tmp_path)
    assert run.wait() == 0, run.said()

    assert billed(lake) == new
    with connect(lake) as connection:
        rows = connection.execute(
            "select sum(line_item_count), count(distinct delivery_id) from marts.aws_daily_summary"
        ).fetchone()
        loads = connection.execute("select delivery_id, count(*) from raw.receipts group by all order by all").fetchall()
    assert rows == (second.expected.rows, 1)
    assert [count for _, count in loads] == [1, 1]


def test_a_query_s_answer_is_plain_csv_and_alone_on_stdout(tmp_path: Path) -> None:
    settings_for(tmp_path, {})
    question = "select 1.50::decimal(38,20) as cost, 1e-9::decimal(38,20) as small, null as nothing, date '2026-10-01' as day"
    done = subprocess.run(
        [*command(tmp_path, "query", question), "--format", "csv"],
        env=without_own_variables(),
        capture_output=True,
        text=True,
        check=True,
    )
    ((header, *rows),) = [list(csv.reader(io.StringIO(done.stdout)))]
    assert header == ["cost", "small", "nothing", "day"]
    ((cost, small, nothing, day),) = rows
    assert (Decimal(cost), Decimal(small), nothing, day) == (Decimal("1.5"), Decimal("0.000000001"), "", "2026-10-01")
    assert "e" not in small.lower()
