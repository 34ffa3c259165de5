"""Shares a large delivery out among workers, waits for their answers, and has those that died done again."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from cost_lakehouse.config import Settings
from cost_lakehouse.config.workers import WorkerSettings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import file_name
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.splice import NotSpliceable, StoredFile
from cost_lakehouse.loading.shard_worker import ANSWER, TASK
from cost_lakehouse.loading.shards import ATTEMPTS, FILES_OF_AN_ATTEMPT, Answer, Task, answer_of, tasks_of, work_folder
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.sources.registry import KINDS
from cost_lakehouse.storage.object_store import StoredObject

_LOG = logging.getLogger(__name__)
_END_SECONDS = 5.0


class Workers(Protocol):
    """Who does tasks. A task is in the warehouse when it is started, and its answer is expected there."""

    look_seconds: float  # between two looks for answers

    def start(self, task: Task) -> None:
        """Have a worker do it."""

    def is_gone(self, task: Task) -> bool:
        """Whether its worker has ended, one way or another: what it has not answered by now it never will."""

    def stop(self) -> None:
        """Nobody waits for any of them any more."""


@dataclass(frozen=True)
class Sharing:
    """When a delivery is shared out, and among whom."""

    settings: WorkerSettings
    workers: Workers

    def tasks(
        self, kind: str, delivery: Delivery, objects: Sequence[StoredObject], load_id: str, after: Sequence[Task] = ()
    ) -> list[Task]:
        """The tasks of a delivery's ``objects``; none where one process reads them. ``kind`` is that of the source. Pure.

        ``after`` are the load's tasks so far.
        """
        is_large = sum(found.size for found in objects) >= self.settings.min_bytes
        if self.settings.count < 2 or len(objects) < 2 or not is_large or not KINDS[kind].is_shared_out:
            return []
        return tasks_of(delivery, objects, load_id, self.settings.count, after)


class ProcessWorkers:
    """A process of this machine for each task, which ends with the process that started it."""

    look_seconds = 0.1

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, task: Task) -> None:
        """Start its process."""
        # They share this machine's cores.
        threads = max(1, (os.cpu_count() or 1) // self._settings.lake.workers.count)
        module = "cost_lakehouse.loading.shard_worker"
        command = [sys.executable, "-m", module, str(self._settings.file), task.name, str(threads)]
        self._processes[task.name] = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def is_gone(self, task: Task) -> bool:
        """Whether the process has ended."""
        return self._processes[task.name].poll() is not None

    def stop(self) -> None:
        """End them all."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def read_by_workers(lake: Lake, tasks: Sequence[Task], workers: Workers, told: Callable[[Task, Answer], None]) -> list[Answer]:
    """What all tasks of one load gave; ``told`` hears of each as it comes. Call it only while holding the source's lock.

    Raises what a worker has failed with, and LakeError where a task's workers died one after the other, or what they have
    written is not there.
    """
    folder = work_folder(tasks[0].table, tasks[0].source)
    # Of loads that were killed: nobody else of this source is at work.
    lake.warehouse.delete([found.location for found in lake.warehouse.list(folder)])
    waiting = list(tasks)
    answers: list[Answer] = []
    done: set[str] = set()
    dead: list[Task] = []
    try:
        for task in tasks:
            _start(lake, workers, task)
        while waiting:
            for index, task in enumerate(list(waiting)):
                is_gone = workers.is_gone(task)  # before the look, or it might answer in between
                answer = _look(lake, task)
                if answer is not None:
                    _check(lake, answer)
                    told(task, answer)
                    answers.append(answer)
                    done.add(task.name)
                elif is_gone:
                    dead.append(task)
                    waiting[index] = _again(lake, workers, task, tasks)
            waiting = [task for task in waiting if task.name not in done]
            if waiting:
                time.sleep(workers.look_seconds)
        _remove_files(lake, dead)
        return answers
    finally:
        workers.stop()
        with suppress(LakeError):  # the next load of the source removes it
            lake.warehouse.delete([found.location for found in lake.warehouse.list(folder)])


def _start(lake: Lake, workers: Workers, task: Task) -> None:
    lake.warehouse.write(f"{task.name}{TASK}", task.as_text().encode(), only_new=False)
    workers.start(task)


def _remove_files(lake: Lake, dead: Sequence[Task]) -> None:
    """What workers that died have written: once the load is committed, nobody would take it for a killed load's."""
    for task in dead:
        names = {file_name(task.load_id, task.first_file + number) for number in range(FILES_OF_AN_ATTEMPT)}
        folder = lake.source_folder(task.table, task.source)
        if task.month is not None:
            folder = lake.data_folder(task.table, Slice(task.source, task.month))
        there = lake.warehouse.list(folder)
        lake.warehouse.delete([found.location for found in there if found.location.rsplit("/", 1)[-1] in names])


def _look(lake: Lake, task: Task) -> Answer | None:
    text = lake.warehouse.read(f"{task.name}{ANSWER}")
    return None if text is None else answer_of(text.decode())


def _again(lake: Lake, workers: Workers, task: Task, tasks: Sequence[Task]) -> Task:
    """The task for another worker, under a number of its own; ``tasks`` are all first attempts."""
    following = task.again(task.number + len(tasks))
    if following.number >= tasks[0].number + len(tasks) * ATTEMPTS:
        raise LakeError(
            f"{ATTEMPTS} workers died, one after the other, while they read {task.objects[0].key} and "
            f"{len(task.objects) - 1} other files.",
            "Nothing was committed. Look into their logs; they may need more memory.",
        )
    _LOG.warning("The worker of %s is gone without an answer; another one begins.", task.name)
    _start(lake, workers, following)
    return following


def _check(lake: Lake, answer: Answer) -> None:
    """Look into the footer of every file that a worker says it has written."""
    for location, rows in (entry for files in answer.files.values() for entry in files.items()):
        try:
            found = sum(group.rows for group in StoredFile.at(lake.warehouse.file_io, location).groups)
        except (OSError, NotSpliceable) as error:
            raise LakeError(f"{location}, which a worker wrote, cannot be read: {error}.", "Run it again.") from error
        if found != rows:
            raise LakeError(f"{location} has {found} rows; the worker that wrote it says {rows}.", "Run it again.")
