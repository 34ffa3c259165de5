"""Production under fire: readers, runs beside each other, ``kill -9`` of the command and of Trino. A slice is old or new."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.trino_client import rows
from sample_bills import Bill, BillDelivery, Fault, Written, write_delivery
from tests.builders import csv_bytes, line
from tests.builders import write_delivery as write_tiny
from tests.environment import without_own_variables
from tests.lake.test_replace import COLUMNS, OCTOBER, put
from tests.services.or_skip import or_skip
from tests.services.postgres import PostgresServer
from tests.services.production import ProductionStack
from tests.services.s3 import S3Server
from tests.services.trino import TrinoServer

MONTH = date(2026, 9, 1)
ACME = Bill(months=(MONTH,), rows=300)
GLOBEX = Bill(months=(MONTH,), rows=300, seed=11, payer_account_id="000098765432", bucket="globex-billing")
BILLED = "select coalesce(sum(billed_cost), 0) from marts.daily_costs where source = 'acme'"

pytestmark = pytest.mark.timeout(900)


def source(name: str, location: str) -> dict[str, str]:
    return {"name": name, "kind": "aws_cur", "location": location}


def deliver(folder: Path, bill: Bill, day: int, *faults: Fault) -> Written:
    moment = datetime(2026, 10, day, tzinfo=UTC)
    return write_delivery(folder, bill, BillDelivery(month=MONTH, delivered_at=moment, faults=frozenset(faults)))


def start_run(config: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cost_lakehouse.cli", "run", *arguments, "--config", str(config)],
        env=without_own_variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(config: Path, *arguments: str) -> None:
    process = start_run(config, *arguments)
    said, _ = process.communicate()
    assert process.returncode == 0, said


def billed(settings: Settings) -> Decimal:
    ((total,),) = rows(settings, BILLED)
    return Decimal(total)


def build_schemas(settings: Settings) -> set[str]:
    """As the catalog's own tables say: Trino may be dead."""
    found = "select namespace from iceberg_namespace_properties where namespace like 'build%'"
    with create_engine(settings.catalog_url, poolclass=NullPool).connect() as connection:
        return {str(name) for (name,) in connection.execute(text(found))}


def mart_version(lake: Lake, table: str) -> str:
    return lake.table(table).metadata_location


def wait_until(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Wait until ``reached`` holds, while the run goes on."""
    pause = threading.Event()
    while not reached():
        if process.poll() is not None:
            pytest.fail(f"the run ended before it came that far: {process.communicate()[0]}")
        pause.wait(0.02)


def kill_when(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Kill the run and all its children as soon as ``reached`` holds."""
    wait_until(process, reached)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_reader_on_trino_sees_the_old_or_the_new_slice_and_nothing_else(production_lake: Path) -> None:
    settings = load_settings(production_lake)
    lake = Lake(settings)
    lake.create_table("marts.costs", COLUMNS)
    put(lake, OCTOBER, "d0", "0", "0")
    done = threading.Event()
    seen: list[list[Decimal]] = []

    def read() -> None:
        while not done.is_set():
            seen.append([cost for (cost,) in rows(settings, "select cost from marts.costs")])

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(1, 21):
        put(lake, OCTOBER, f"d{number}", str(number), str(number))
    done.set()
    thread.join()

    assert len(seen) > 3
    assert all(len(item) == 2 and item[0] == item[1] for item in seen)
    assert rows(settings, 'select count(*) from marts."costs$snapshots"') == [(21,)]


def test_runs_of_two_sources_at_once_both_land(production: ProductionStack, tmp_path: Path) -> None:
    config = production.new_lake(tmp_path, [source("acme", ACME.location), source("globex", GLOBEX.location)])
    expected = {"acme": deliver(tmp_path, ACME, 3), "globex": deliver(tmp_path, GLOBEX, 3)}

    processes = [start_run(config, "--source", name) for name in expected]
    said = [process.communicate()[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0], said
    found = rows(load_settings(config), "select source, sum(billed_cost) from marts.daily_costs group by source")
    assert {name: Decimal(total) for name, total in found} == {
        name: written.expected.total()["USD"] for name, written in expected.items()
    }
    assert build_schemas(load_settings(config)) == set()


@pytest.fixture
def own_trino(tmp_path: Path) -> Iterator[TrinoServer]:
    """A Trino that this test may kill."""
    server = TrinoServer(tmp_path / "trino")
    try:
        or_skip(server.start)
        yield server
    finally:
        server.stop()


def test_a_killed_run_and_a_killed_trino_leave_the_old_bill_and_the_next_run_completes(
    own_trino: TrinoServer, postgres_server: PostgresServer, s3_server: S3Server, tmp_path: Path
) -> None:
    config = ProductionStack(postgres_server, s3_server, own_trino).new_lake(tmp_path, [source("acme", ACME.location)])
    settings = load_settings(config)
    old = deliver(tmp_path, ACME, 3).expected.total()["USD"]
    run(config)
    assert billed(settings) == old
    new = deliver(tmp_path, ACME, 4, Fault.VANISHED_ROWS).expected.total()["USD"]
    assert new != old

    kill_when(start_run(config), lambda: bool(build_schemas(settings)))
    assert billed(settings) == old
    (left,) = build_schemas(settings)

    process = start_run(config)
    wait_until(process, lambda: bool(build_schemas(settings) - {left}))
    own_trino.kill()
    said, _ = process.communicate()
    assert process.returncode == 1, said
    assert "Trino" in said
    own_trino.start()
    assert billed(settings) == old

    lake = Lake(settings)
    before = mart_version(lake, "marts.aws_daily_summary")
    kill_when(start_run(config), lambda: mart_version(lake, "marts.aws_daily_summary") != before)
    assert billed(settings) in (old, new)
    assert left not in build_schemas(settings)

    run(config)

    assert billed(settings) == new
    assert rows(settings, "select count(distinct delivery_id) from marts.aws_daily_summary") == [(1,)]
    assert build_schemas(settings) == set()


def test_a_bill_that_became_empty_empties_its_marts_on_trino(production: ProductionStack, tmp_path: Path) -> None:
    config = production.new_lake(tmp_path, [source("acme", "bucket/cur/hourly")])
    write_tiny(tmp_path / "bucket", [[line(UnblendedCost="3")]], assembly="20261101T000000Z")
    run(config)
    settings = load_settings(config)
    assert billed(settings) == 3

    write_tiny(tmp_path / "bucket", [csv_bytes([], list(line()))], assembly="20261102T000000Z", suffix=".csv")
    run(config)

    assert billed(settings) == 0
    assert rows(settings, "select delivery_id, state, billed_cost from marts.bill_status") == [
        ("20261102T000000Z", "estimated", Decimal(0))
    ]
