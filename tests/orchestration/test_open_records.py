"""Dagster's records in files are reached through connections that stay open, and are there for every other process."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Engine, event

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.orchestration.instance import command_instance
from tests.builders import settings_for
from tests.forked import fork_server


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")
    return settings_for(tmp_path, {})


@contextmanager
def counted_connections() -> Iterator[list[object]]:
    """Every SQLite file that is opened inside."""
    opened: list[object] = []

    def note(connection: object, _: object) -> None:
        opened.append(connection)

    event.listen(Engine, "connect", note)
    try:
        yield opened
    finally:
        event.remove(Engine, "connect", note)


def run_that_says(lines: int, instance: dg.DagsterInstance) -> str:
    @dg.op
    def speaker() -> None:
        for number in range(lines):
            dg.OpExecutionContext.get().log.info(f"line {number}")

    @dg.job
    def speech() -> None:
        speaker()

    return speech.execute_in_process(instance=instance).run_id


def test_what_a_run_says_opens_no_file_anew(settings: Settings) -> None:
    with command_instance(settings) as instance:
        run_that_says(1, instance)  # the files of all runs are open from now on
        with counted_connections() as few:
            run_that_says(1, instance)
        with counted_connections() as many:
            run_that_says(30, instance)

    assert len(many) == len(few) < 10


def test_another_reader_sees_an_event_at_once_and_all_files_are_closed_in_the_end(settings: Settings) -> None:
    with command_instance(settings) as instance:
        ids = [run_that_says(3, instance) for _ in range(12)]  # more than stay open
        (runs,) = settings.dagster_home.rglob("runs.db")
        for run_id in ids:
            (events,) = settings.dagster_home.rglob(f"{run_id}.db")
            with sqlite3.connect(events) as reader:
                (found,) = reader.execute("select count(*) from event_logs where event like '%line 2%'").fetchone()
            reader.close()
            assert found == 1
            assert len(instance.all_logs(run_id)) > 3
        with sqlite3.connect(runs) as reader:
            assert reader.execute("select count(*) from runs where status = 'SUCCESS'").fetchone() == (12,)
        reader.close()

    # What is closed has no log beside it.
    assert not list(settings.dagster_home.rglob("*.db-wal"))


def test_records_that_are_wiped_are_made_anew(settings: Settings) -> None:
    with command_instance(settings) as instance:
        first = run_that_says(1, instance)
        instance.wipe()
        assert instance.get_run_by_id(first) is None
        second = run_that_says(1, instance)
        assert instance.all_logs(second)
        assert instance.all_logs(first) == []


def test_processes_that_are_the_first_ever_at_the_same_moment_all_open_the_records(settings: Settings) -> None:
    context = fork_server()
    together = context.Barrier(3)
    processes = [context.Process(target=open_together, args=(settings.file, together)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0, 0, 0]


def open_together(file: Path, together: Barrier) -> None:
    """Open the records of a configuration in the moment that others do."""
    os.environ.pop("DAGSTER_HOME", None)
    settings = load_settings(file)
    together.wait(timeout=60)
    with command_instance(settings) as instance:
        assert instance.get_runs() == []
