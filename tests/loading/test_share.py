"""A large delivery that several workers read: one commit with the sum of their proofs, whoever is killed."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.config.workers import WorkerSettings
from cost_lakehouse.errors import DeliveryFailed, DeliveryRefused, LakeError
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading import read
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.loading.shard_worker import ANSWER, NotWanted, work
from cost_lakehouse.loading.shards import Task, answer_of, task_of, tasks_of
from cost_lakehouse.loading.share import ProcessWorkers, Sharing, Workers
from cost_lakehouse.sources.delivery import Delivery, FileFormat
from cost_lakehouse.sources.registry import open_source
from cost_lakehouse.storage.object_store import StoredObject
from tests.builders import Workshop, line
from tests.loading.test_reuse import as_read_whole, bill, proves_the_same
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

OCTOBER = date(2026, 10, 1)
MOMENT = datetime(2026, 11, 3, 4, 2, 11, tzinfo=UTC)
FILES = [[line(UnblendedCost=f"{file}.{row}", ProductCode=f"P{file}") for row in range(1, 4)] for file in (1, 2, 3)]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path, {"acme": "bucket/cur/hourly"}, {})
    made.write([line(UnblendedCost="99")], assembly="A1")
    made.load()
    made.write(*FILES, assembly="A2")
    return made


def ask(workshop: Workshop, sql: str) -> list[tuple[Any, ...]]:
    with connect(workshop.lake) as connection:
        return connection.execute(sql).fetchall()


def load_with(workshop: Workshop, workers: Workers, count: int = 2) -> LoadResult:
    sharing = Sharing(WorkerSettings(count=count, min_gb=0), workers)
    source = open_source(workshop.settings, workshop.settings.source("acme"))
    return load_delivery(workshop.lake, source, workshop.delivery(), workers=sharing)


def two_processes(workshop: Workshop) -> ProcessWorkers:
    return ProcessWorkers(workshop.settings)


def assert_loaded_whole(workshop: Workshop, result: LoadResult, folder: Path) -> None:
    """The lake holds what one process would have read, one commit later, and nothing lies about."""
    rows, receipt = as_read_whole(workshop, folder)
    assert bill(workshop) == rows
    assert len(rows) == 9
    assert proves_the_same(result.receipt, receipt)
    assert ask(workshop, "select delivery_id, state from raw.receipts order by loaded_at")[-1] == ("A2", "accepted")
    assert len(workshop.lake.table("raw.aws_cur").metadata.snapshots) == 2
    assert unknown_files(workshop) == set()


def test_two_processes_read_a_delivery_and_one_commit_holds_it_whole(workshop: Workshop, tmp_path: Path) -> None:
    result = load_with(workshop, two_processes(workshop))

    assert_loaded_whole(workshop, result, tmp_path / "other")
    assert result.totals[OCTOBER] == {"USD": Decimal("19.8")}  # 3.6 + 6.6 + 9.6
    services = [(f"P{number}", "USD", Decimal(cost)) for number, cost in ((3, "9.6"), (2, "6.6"), (1, "3.6"))]
    assert result.top_services[OCTOBER] == services


def test_what_a_worker_stored_is_taken_over_by_the_next_delivery(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "OWN_GROUPS_BYTES", 0)
    load_with(workshop, HereWorkers(workshop))
    workshop.write(FILES[0], FILES[1], [line(UnblendedCost="1")], [line(UnblendedCost="2")], assembly="A3")

    workers = HereWorkers(workshop)
    load_with(workshop, workers)

    assert sorted(found.name[7:12] for task in workers.tasks for found in task.objects) == ["00003", "00004"]
    assert ask(workshop, "select sum(line_item_unblended_cost), count(*) from raw.aws_cur") == [(Decimal("13.2"), 8)]
    assert unknown_files(workshop) == set()


@pytest.mark.timeout(300)
def test_a_worker_that_is_killed_at_any_point_is_done_again(
    workshop: Workshop, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Every run takes other points; ``KILL_POINTS=all`` takes all."""
    counting = KilledOnce(workshop, 0)
    load_with(workshop, counting)
    calls = int(counting.said)
    for point, call in kill_points(calls, pytestconfig.getoption("randomly_seed", 0)):
        workshop.write(*FILES, [line(UnblendedCost=str(point))], assembly=f"B{point:02d}")
        workers = KilledOnce(workshop, call)

        load_with(workshop, workers)

        assert workers.ended_by == signal.SIGKILL
        assert ask(workshop, "select sum(line_item_unblended_cost), count(distinct delivery_id) from raw.aws_cur") == [
            (Decimal("19.8") + point, 1)
        ]
        assert unknown_files(workshop) == set()


@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes where Linux lists them")
def test_a_load_that_is_killed_while_its_workers_read_leaves_nothing_that_counts(workshop: Workshop, tmp_path: Path) -> None:
    with coordinator(workshop) as process:
        wait_until(lambda: len(tasks_there(workshop)) == 2)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert ask(workshop, "select distinct delivery_id from raw.aws_cur") == [("A1",)]
    assert ask(workshop, "select delivery_id from raw.receipts") == [("A1",)]
    wait_until(lambda: not processes_of(workshop))
    result = load_with(workshop, HereWorkers(workshop))
    assert_loaded_whole(workshop, result, tmp_path / "other")


def test_a_load_gives_up_when_one_worker_after_the_other_dies(workshop: Workshop) -> None:
    workers = HereWorkers(workshop, dead=(1, 3, 5))

    with pytest.raises(LakeError, match="3 workers died, one after the other"):
        load_with(workshop, workers)

    assert [task.number for task in workers.tasks] == [1, 2, 3, 5]
    assert ask(workshop, "select distinct delivery_id from raw.aws_cur") == [("A1",)]
    assert unknown_files(workshop) == set()


def test_a_bad_number_that_a_worker_finds_refuses_the_delivery(workshop: Workshop) -> None:
    workshop.write(*FILES, [line(UnblendedCost="12,34")], assembly="A3")

    with pytest.raises(DeliveryRefused, match=r"hourly-00004.csv.gz, record 1.*'12,34' is not a number"):
        load_with(workshop, HereWorkers(workshop))

    assert ask(workshop, "select state, rejected from raw.receipts where delivery_id = 'A3'") == [("refused", 1)]
    assert unknown_files(workshop) == set()


def test_a_torn_file_that_a_worker_finds_fails_the_load_by_its_own_name(workshop: Workshop) -> None:
    (*_, last) = workshop.write(*FILES, assembly="A3")
    last.write_bytes(last.read_bytes()[:-20])

    with pytest.raises(DeliveryFailed, match=r"hourly-00003.csv.gz is truncated or corrupt") as failed:
        load_with(workshop, HereWorkers(workshop))

    assert failed.value.key is not None
    assert failed.value.key.endswith("hourly-00003.csv.gz")
    assert unknown_files(workshop) == set()


def test_a_worker_of_a_load_that_has_ended_writes_nothing(workshop: Workshop) -> None:
    with pytest.raises(NotWanted):
        work(workshop.settings, workshop.lake, "raw/aws_cur/tasks/source=acme/load-0123456789abcdef/00001")

    assert unknown_files(workshop) == set()


def test_files_that_a_worker_says_it_wrote_are_looked_at(workshop: Workshop) -> None:
    class Careless(HereWorkers):
        def start(self, task: Task) -> None:
            super().start(task)
            answer = answer_of((self.place.lake.warehouse.read(f"{task.name}{ANSWER}") or b"").decode())
            self.place.lake.warehouse.delete(answer.locations)

    with pytest.raises(LakeError, match="which a worker wrote, cannot be read"):
        load_with(workshop, Careless(workshop))

    assert ask(workshop, "select distinct delivery_id from raw.aws_cur") == [("A1",)]


def delivery(*sizes: int) -> Delivery:
    objects = tuple(StoredObject(f"bill-{number}", f"{number}", size, MOMENT) for number, size in enumerate(sizes))
    return Delivery("acme", "raw.aws_cur", objects, "A1", MOMENT, "hourly", OCTOBER)


def test_objects_are_shared_out_by_size_each_to_one() -> None:
    found = delivery(5, 1, 9, 3, 3, 7)

    tasks = tasks_of(found, found.objects, "load-0123456789abcdef", 3)

    assert [[one.size for one in task.objects] for task in tasks] == [[9], [3, 7], [5, 1, 3]]
    assert sorted(one for task in tasks for one in task.objects) == sorted(found.objects)
    assert [task.number for task in tasks] == [1, 2, 3]
    assert len(tasks_of(found, found.objects[:2], "load-0123456789abcdef", 3)) == 2


def test_a_task_is_the_same_after_it_was_written_and_read() -> None:
    found = delivery(5, 1)
    (task,) = tasks_of(found, found.objects, "load-0123456789abcdef", 1)

    assert task_of(task.as_text()) == task
    assert replace(task, file_format=FileFormat.PARQUET) == task_of(replace(task, file_format=FileFormat.PARQUET).as_text())


@pytest.mark.parametrize(
    ("settings", "kind", "count"),
    [
        (WorkerSettings(count=2, min_gb=0), "aws_cur", 2),
        (WorkerSettings(count=2, min_gb=0), "aws_data_export", 2),
        (WorkerSettings(count=2, min_gb=0), "aws_athena", 0),
        (WorkerSettings(count=2, min_gb=0), "lakehouse", 0),
        (WorkerSettings(count=1, min_gb=0), "aws_cur", 0),
        (WorkerSettings(count=2, min_gb=12e-9), "aws_cur", 2),
        (WorkerSettings(count=2, min_gb=13e-9), "aws_cur", 0),
        (WorkerSettings(), "aws_cur", 0),
    ],
)
def test_large_exports_of_whole_months_are_shared_out(
    settings: WorkerSettings, kind: str, count: int, workshop: Workshop
) -> None:
    found = delivery(6, 6)
    assert len(Sharing(settings, HereWorkers(workshop)).tasks(kind, found, found.objects, "load-0123456789abcdef")) == count


def test_a_single_file_is_read_here(workshop: Workshop) -> None:
    workshop.write(FILES[0], assembly="A3")
    workers = HereWorkers(workshop)

    load_with(workshop, workers)

    assert workers.tasks == []
    assert ask(workshop, "select count(*) from raw.aws_cur") == [(3,)]
