"""Production under fire: readers, runs beside each other, ``kill -9`` of the command and of Trino. A slice is old or new."""

from __future__ import annotations

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
from tests.forked import ForkedCommand
from tests.lake.test_replace import COLUMNS, OCTOBER, put
from tests.services.or_skip import or_skip
from tests.services.production import ProductionStack, write_config
from tests.services.trino import TrinoServer

MONTH = date(2026, 9, 1)
FIRST_MONTH = "2026-01"
ACME = Bill(months=(MONTH,), rows=300)

pytestmark = pytest.mark.timeout(900)


def source(name: str, location: str) -> dict[str, str]:
    return {"name": name, "kind": "aws_cur", "location": location}


def deliver(folder: Path, bill: Bill, day: int, *faults: Fault) -> Written:
    moment = datetime(2026, 10, day, tzinfo=UTC)
    return write_delivery(folder, bill, BillDelivery(month=MONTH, delivered_at=moment, faults=frozenset(faults)))


def start(config: Path, *arguments: str) -> ForkedCommand:
    said = config.with_name(f"said{''.join(arguments)}.txt")
    return ForkedCommand(said, "run", *arguments, "--config", str(config))


def billed(settings: Settings, name: str = "acme") -> Decimal:
    ((total,),) = rows(settings, f"select coalesce(sum(billed_cost), 0) from marts.daily_costs where source = '{name}'")
    return Decimal(total)


def build_schemas(settings: Settings) -> set[str]:
    """As the catalog's own tables say: Trino may be dead."""
    found = "select namespace from iceberg_namespace_properties where namespace like 'build%'"
    with create_engine(settings.catalog_url, poolclass=NullPool).connect() as connection:
        return {str(name) for (name,) in connection.execute(text(found))}


def mart_version(lake: Lake, table: str) -> str:
    return lake.table(table).metadata_location


def wait_until(run: ForkedCommand, reached: Callable[[], bool]) -> None:
    """Wait until ``reached`` holds, while the run goes on."""
    while not reached():
        if run.wait(0.02) is not None:
            pytest.fail(f"the run ended before it came that far: {run.said()}")


def kill_when(run: ForkedCommand, reached: Callable[[], bool]) -> None:
    """Kill the run and all its children as soon as ``reached`` holds."""
    wait_until(run, reached)
    run.kill()


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

    assert rows(settings, "select cost from marts.costs") == [(0,), (0,)]  # a Trino that has just started takes long over it
    thread = threading.Thread(target=read)
    thread.start()
    number = 0
    while thread.is_alive() and (number < 20 or len(seen) < 4):
        number += 1
        put(lake, OCTOBER, f"d{number}", str(number), str(number))
    done.set()
    thread.join()

    assert len(seen) >= 4
    assert all(len(item) == 2 and item[0] == item[1] for item in seen)
    assert rows(settings, 'select count(*) from marts."costs$snapshots"') == [(number + 1,)]


@pytest.fixture
def own_trino(tmp_path: Path) -> Iterator[TrinoServer]:
    """A Trino that this test may kill; it starts while other things happen."""
    server = TrinoServer(tmp_path / "trino")
    try:
        or_skip(server.launch)
        yield server
    finally:
        server.stop()


def test_whatever_is_killed_a_bill_is_old_or_new_and_the_next_run_completes(
    production: ProductionStack, own_trino: TrinoServer, tmp_path: Path
) -> None:
    sources = [source("acme", ACME.location), source("globex", "bucket/cur/hourly")]
    config = production.new_lake(tmp_path, sources, FIRST_MONTH)
    settings = load_settings(config)
    old = deliver(tmp_path, ACME, 3).expected.total()["USD"]
    write_tiny(tmp_path / "bucket", [[line(UnblendedCost="3")]], assembly="20261101T000000Z")

    # Runs of two sources at once both land.
    runs = [start(config, "--source", name) for name in ("acme", "globex")]
    assert [run.wait() for run in runs] == [0, 0], [run.said() for run in runs]
    assert {name: billed(settings, name) for name in ("acme", "globex")} == {"acme": old, "globex": Decimal(3)}
    assert build_schemas(settings) == set()

    # A run that is killed while it builds changes nothing that anybody reads. One of the new bills is empty.
    new = deliver(tmp_path, ACME, 4, Fault.VANISHED_ROWS).expected.total()["USD"]
    assert new != old
    write_tiny(tmp_path / "bucket", [csv_bytes([], list(line()))], assembly="20261102T000000Z", suffix=".csv")
    kill_when(start(config), lambda: bool(build_schemas(settings)))
    assert billed(settings) == old
    (left,) = build_schemas(settings)

    # Nor does a run whose Trino is killed; it says so.
    on_own = ProductionStack(production.postgres, production.s3, own_trino)
    or_skip(own_trino.start)
    on_own.open_lake(production.names(config))
    write_config(config, {"first_month": FIRST_MONTH} | on_own.lake_keys(production.names(config)), sources)
    run = start(config)
    wait_until(run, lambda: bool(build_schemas(settings) - {left}))
    own_trino.kill()
    assert run.wait() == 1, run.said()
    assert "Trino" in run.said()
    write_config(config, {"first_month": FIRST_MONTH} | production.lake_keys(production.names(config)), sources)
    assert billed(settings) == old

    # One that is killed while it publishes leaves each slice old or new, and has tidied up after those before it.
    lake = Lake(settings)
    before = mart_version(lake, "marts.aws_daily_summary")
    kill_when(start(config), lambda: mart_version(lake, "marts.aws_daily_summary") != before)
    assert billed(settings) in (old, new)
    assert left not in build_schemas(settings)

    run = start(config)
    assert run.wait() == 0, run.said()
    assert billed(settings) == new
    assert rows(settings, "select count(distinct delivery_id) from marts.aws_daily_summary where source = 'acme'") == [(1,)]
    assert build_schemas(settings) == set()
    # A bill that became empty has emptied its marts.
    assert billed(settings, "globex") == 0
    assert rows(settings, "select delivery_id, state, billed_cost from marts.bill_status where source = 'globex'") == [
        ("20261102T000000Z", "estimated", Decimal(0))
    ]
    production.drop_lake(config)
