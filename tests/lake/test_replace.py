"""Replacing a slice is one atomic commit, whoever else commits or reads meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import stored_deliveries
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.replace import replace_slices
from cost_lakehouse.lake.slice_writer import SliceWriter, new_load_id
from cost_lakehouse.lake.slices import Slice
from tests.builders import Workshop, line, settings_for

OCTOBER = Slice("acme", date(2026, 10, 1))
NOVEMBER = Slice("acme", date(2026, 11, 1))
COLUMNS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("billing_period", pa.date32(), nullable=False),
        pa.field("delivery_id", pa.string(), nullable=False),
        pa.field("cost", pa.decimal128(38, 20)),
    ]
)


@pytest.fixture
def lake(tmp_path: Path, lake_options: dict[str, object]) -> Lake:
    lake = Lake(settings_for(tmp_path, {}, lake_options))
    lake.create_table("marts.costs", COLUMNS)
    return lake


def put(lake: Lake, slice_: Slice, delivery: str, *costs: str) -> None:
    folder, load_id = lake.data_folder("marts.costs", slice_), new_load_id()
    with lake.warehouse.writing(folder, load_id) as local:
        files = lake.warehouse.keep(written(local, load_id, slice_, delivery, costs), folder)
    replace_slices(lake, "marts.costs", [slice_], files, {"delivery-id": delivery})


def written(local: Path, load_id: str, slice_: Slice, delivery: str, costs: Sequence[str]) -> list[Path]:
    writer = SliceWriter(local, load_id, [])
    rows = [{**slice_.__dict__, "delivery_id": delivery, "cost": Decimal(cost)} for cost in costs]
    for batch in pa.Table.from_pylist(rows, schema=COLUMNS).to_batches():
        writer.write(batch)
    writer.close()
    return writer.files


def deliveries(lake: Lake) -> dict[Slice, str]:
    return stored_deliveries(lake, table_name="marts.costs")


def costs(lake: Lake) -> list[tuple[date, Decimal]]:
    with connect(lake) as connection:
        return connection.execute("select billing_period, cost from marts.costs order by all").fetchall()


def test_one_replacement_is_one_snapshot_and_leaves_other_slices_alone(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1", "2")
    put(lake, NOVEMBER, "d1", "5")
    before = len(lake.table("marts.costs").metadata.snapshots)

    put(lake, OCTOBER, "d2", "3")

    assert len(lake.table("marts.costs").metadata.snapshots) == before + 1
    assert costs(lake) == [(OCTOBER.billing_period, Decimal(3)), (NOVEMBER.billing_period, Decimal(5))]
    assert deliveries(lake) == {OCTOBER: "d2", NOVEMBER: "d1"}


def test_a_slice_can_be_replaced_by_nothing(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1")
    put(lake, OCTOBER, "d2")
    assert costs(lake) == []
    assert deliveries(lake) == {}


def test_the_snapshot_says_which_delivery_it_holds(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1")
    snapshot = lake.table("marts.costs").current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.summary["delivery-id"] == "d1"


def test_threads_that_replace_different_slices_at_once_all_land(lake: Lake) -> None:
    slices = [Slice(f"s{number}", date(2026, month, 1)) for number in range(3) for month in (1, 2)]
    threads = [threading.Thread(target=put, args=(Lake(lake.settings), slice_, "d1", "1")) for slice_ in slices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(deliveries(lake)) == slices


def test_threads_that_replace_the_same_slice_at_once_never_add_up(lake: Lake) -> None:
    threads = [threading.Thread(target=put, args=(Lake(lake.settings), OCTOBER, f"d{number}", "1")) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert costs(lake) == [(OCTOBER.billing_period, Decimal(1))]
    assert len(data_files(lake.table("marts.costs"))) == 1


def test_a_reader_in_a_loop_sees_the_old_or_the_new_slice_and_nothing_else(lake: Lake) -> None:
    put(lake, OCTOBER, "d0", "0", "0")
    done = threading.Event()
    seen: list[list[Decimal]] = []

    def read() -> None:
        reader = Lake(lake.settings)
        while not done.is_set():
            seen.append([cost for _, cost in costs(reader)])

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(1, 21):
        put(lake, OCTOBER, f"d{number}", str(number), str(number))
    done.set()
    thread.join()

    assert seen
    assert all(len(item) == 2 and item[0] == item[1] for item in seen)


def test_a_guard_that_objects_calls_the_commit_off(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1")

    def guard() -> None:
        raise LakeError("no")

    with pytest.raises(LakeError, match="no"):
        replace_slices(lake, "marts.costs", [OCTOBER], [], guard=guard)
    assert costs(lake) == [(OCTOBER.billing_period, Decimal(1))]


def test_two_processes_that_load_different_slices_at_once_both_land(tmp_path: Path, lake_options: dict[str, object]) -> None:
    workshop = Workshop(tmp_path, lake=lake_options)
    months = [date(2026, 9, 1), date(2026, 10, 1)]
    for number, month in enumerate(months, 1):
        workshop.write([line(UnblendedCost=str(number))], month=month)
    program = (
        "import sys, pathlib, datetime; from tests.builders import Workshop; "
        "Workshop(pathlib.Path(sys.argv[1])).load(month=datetime.date.fromisoformat(sys.argv[2]))"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), month.isoformat()]) for month in months]

    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert set(stored_deliveries(workshop.lake)) == {Slice("acme", month) for month in months}
    with connect(workshop.lake) as connection:
        assert connection.execute("select sum(rows) from raw.receipts").fetchone() == (2,)


def test_many_slices_do_not_leave_a_manifest_each(lake: Lake) -> None:
    slices = [Slice(f"s{number}", date(2026, 1, 1)) for number in range(45)]
    for slice_ in slices:
        put(lake, slice_, "d1", "1")
    table = lake.table("marts.costs")
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert len(snapshot.manifests(table.io)) <= 20

    put(lake, slices[7], "d2", "5")

    assert sum(cost for _, cost in costs(lake)) == 44 + 5
