"""Files that add to a bill, and a month of FOCUS, that several workers read: what one process would have loaded."""

from __future__ import annotations

import gzip
import signal
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.config.workers import WorkerSettings
from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.loading.shard_worker import ANSWER
from cost_lakehouse.loading.shards import Task, answer_of
from cost_lakehouse.loading.share import ProcessWorkers, Sharing, Workers
from cost_lakehouse.sources.delivery import Status
from cost_lakehouse.sources.registry import open_source
from tests.builders import csv_bytes
from tests.focus_builders import FocusPlace, as_csv, charge
from tests.loading.workers import (
    HereWorkers,
    KilledOnce,
    coordinator,
    kill_points,
    processes_of,
    tasks_there,
    unknown_files,
    wait_until,
)
from tests.oci_builders import Mirror, cost_line

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
TUESDAY, WEDNESDAY = datetime(2026, 10, 6, tzinfo=UTC), datetime(2026, 10, 7, tzinfo=UTC)
COSTS = "select billing_period, sum(cost_my_cost), count(*) from raw.oci_cost group by all order by all"
# What a load put there and on record; loads differ in their ids and moments alone.
HELD = (
    "select billing_period, delivery_id, file_name, row_number, line_item_reference_no, cost_my_cost, tags::varchar "
    "from raw.oci_cost order by file_name, row_number",
    "select billing_period, delivery_id, state, files, rows, bytes, rounding_values, fingerprint, digest, corrections "
    "from raw.receipts order by all",
    "select billing_period, key, etag, size, rows, content, finding, finding_detail from raw.files order by all",
    "select * exclude (load_id) from raw.control_totals order by all",
)


def line_of(number: int, cost: str, day: str = "2026-10-05", **others: str) -> dict[str, str]:
    return cost_line(reference=f"V2.{number}", cost=cost, start=f"{day}T10:00Z", **others)


def write_reports(mirror: Mirror) -> None:
    """Three reports of two months, a copy of one of them that was packed anew, and one without lines."""
    mirror.write("0001-00001.csv.gz", [line_of(1, "1.25"), line_of(2, "2.50"), line_of(3, "8", "2026-09-30")], written=TUESDAY)
    mirror.write("0002-00001.csv.gz", [line_of(4, "16", "2026-09-29"), line_of(5, "-2.50", correction="true", back="V2.2")])
    mirror.write("0003-00001.csv.gz", [line_of(6, "0.125")], written=TUESDAY)
    copy = csv_bytes([line_of(4, "16", "2026-09-29"), line_of(5, "-2.50", correction="true", back="V2.2")])
    mirror.write("0004-00001.csv.gz", gzip.compress(copy, compresslevel=1, mtime=5), written=WEDNESDAY)
    mirror.write("0005-00001.csv.gz", b"", written=WEDNESDAY)


def load_reports_with(mirror: Mirror, workers: Workers, count: int = 2) -> LoadResult:
    (delivery,) = mirror.offers(Status.NEW)
    source = open_source(mirror.settings, mirror.settings.source("acme-oci"))
    return load_delivery(mirror.lake, source, delivery, workers=Sharing(WorkerSettings(count=count, min_gb=0), workers))


def held(mirror: Mirror) -> list[list[tuple[Any, ...]]]:
    return [mirror.ask(sql) for sql in HELD]


def read_by_one(folder: Path) -> list[list[tuple[Any, ...]]]:
    """What a lake holds in which one process has read the same reports."""
    folder.mkdir()
    alone = Mirror(folder)
    write_reports(alone)
    alone.load()
    return held(alone)


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    (tmp_path / "shared").mkdir()
    made = Mirror(tmp_path / "shared")
    write_reports(made)
    return made


def test_reports_of_many_months_are_read_by_workers_and_a_copy_counts_once(mirror: Mirror, tmp_path: Path) -> None:
    workers = HereWorkers(mirror)

    result = load_reports_with(mirror, workers)

    # September: 8 + 16; October: 1.25 + 2.50 - 2.50 + 0.125. Without the copy what is left is read by two more.
    assert mirror.ask(COSTS) == [(SEPTEMBER, Decimal(24), 2), (OCTOBER, Decimal("1.375"), 4)]
    assert [task.number for task in workers.tasks] == [1, 2, 7, 8]
    assert held(mirror) == read_by_one(tmp_path / "alone")
    assert unknown_files(mirror, "raw.oci_cost") == set()
    assert result.totals == {SEPTEMBER: {"USD": Decimal(24)}, OCTOBER: {"USD": Decimal("1.375")}}
    assert mirror.offers(Status.NEW) == []


@pytest.mark.timeout(300)
def test_a_worker_of_reports_that_is_killed_at_any_point_is_done_again(mirror: Mirror, pytestconfig: pytest.Config) -> None:
    """Every run takes other points; ``KILL_POINTS=all`` takes all."""
    counting = KilledOnce(mirror, 0)
    load_reports_with(mirror, counting)
    expected = Decimal("1.375")
    for point, call in kill_points(int(counting.said), pytestconfig.getoption("randomly_seed", 0)):
        for part in (1, 2):
            lines = [line_of(100 * (point + 1) + part, str(part)), line_of(100 * (point + 1) + 10 + part, "0", "2026-09-30")]
            mirror.write(f"1{point:03d}-0000{part}.csv.gz", lines)
        workers = KilledOnce(mirror, call)

        load_reports_with(mirror, workers)

        expected += 3
        assert workers.ended_by == signal.SIGKILL
        assert [cost for month, cost, _ in mirror.ask(COSTS) if month == OCTOBER] == [expected]
        assert unknown_files(mirror, "raw.oci_cost") == set()


@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes where Linux lists them")
def test_a_load_of_reports_that_is_killed_leaves_nothing_that_counts(mirror: Mirror, tmp_path: Path) -> None:
    with coordinator(mirror) as process:
        wait_until(lambda: len(tasks_there(mirror, "raw.oci_cost")) == 2)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert mirror.ask(COSTS) == []
    assert mirror.ask("select count(*) from raw.receipts") == [(0,)]
    wait_until(lambda: not processes_of(mirror))
    load_reports_with(mirror, HereWorkers(mirror))
    assert held(mirror) == read_by_one(tmp_path / "alone")
    assert unknown_files(mirror, "raw.oci_cost") == set()


def test_a_bad_number_in_a_report_of_a_worker_is_to_blame_alone(mirror: Mirror) -> None:
    mirror.write("0006-00001.csv.gz", [line_of(9, "12,34")])

    with pytest.raises(DeliveryRefused, match=r"0006-00001.csv.gz, record 1.*'12,34' is not a number"):
        load_reports_with(mirror, HereWorkers(mirror))

    assert unknown_files(mirror, "raw.oci_cost") == set()
    load_reports_with(mirror, HereWorkers(mirror))
    assert mirror.ask(COSTS) == [(SEPTEMBER, Decimal(24), 2), (OCTOBER, Decimal("1.375"), 4)]


def test_a_month_of_focus_is_read_by_two_processes(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.export("E1", [as_csv([charge("64")])], beside=True, written=TUESDAY)
    place.load()
    place.export("E2", [as_csv([charge("1"), charge("2")]), as_csv([charge("4.5")])], beside=True, written=WEDNESDAY)
    (planned,) = [found for found in place.planned() if found.status is Status.NEW]
    assert planned.delivery is not None
    source = open_source(place.settings, place.settings.source("acme"))
    sharing = Sharing(WorkerSettings(count=2, min_gb=0), ProcessWorkers(place.settings))

    result = load_delivery(place.lake, source, planned.delivery, workers=sharing)

    assert place.costs() == [("acme", "2026-10", Decimal("7.5"))]
    assert [(receipt.delivery_id, receipt.files, receipt.rows) for receipt in result.receipts] == [("E2", 1, 2)]
    assert unknown_files(place, "raw.focus") == set()


def test_what_a_worker_says_of_many_months_is_the_same_after_it_was_written_and_read(mirror: Mirror) -> None:
    answers = []

    class Listening(HereWorkers):
        def is_gone(self, task: Task) -> bool:
            text = (self.place.lake.warehouse.read(f"{task.name}{ANSWER}") or b"").decode()
            answers.append((text, answer_of(text)))
            return True

    load_reports_with(mirror, Listening(mirror))

    assert {month for _, answer in answers for month in answer.loaded.slices} == {SEPTEMBER, OCTOBER}
    assert all(answer.as_text() == text for text, answer in answers)
