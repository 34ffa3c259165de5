"""Workers of a shared-out load in tests: in this process, in one that is killed, and a load that can be killed itself."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cost_lakehouse.config import Settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.shard_worker import TASK, work
from cost_lakehouse.loading.shards import Task
from tests.kill_points import chosen

KILL_POINTS, FEW = 20, 2


class Place(Protocol):
    """A lake with its settings, such as a Workshop, a Mirror or a FocusPlace."""

    @property
    def settings(self) -> Settings: ...

    @property
    def lake(self) -> Lake: ...


class HereWorkers:
    """Does a task in this process when it is started; the tasks whose numbers are ``dead`` it leaves undone."""

    look_seconds = 0.0

    def __init__(self, place: Place, dead: Sequence[int] = ()) -> None:
        self.place = place
        self.dead = dead
        self.tasks: list[Task] = []

    def start(self, task: Task) -> None:
        self.tasks.append(task)
        if task.number not in self.dead:
            work(self.place.settings, self.place.lake, task.name)

    def is_gone(self, task: Task) -> bool:
        return True

    def stop(self) -> None:
        return None


class KilledOnce(HereWorkers):
    """The first task is done by a process that is killed at one of its calls; all others here."""

    def __init__(self, place: Place, call: int) -> None:
        super().__init__(place, dead=(1,))
        self.call = call
        self.ended_by = 0
        self.said = ""

    def start(self, task: Task) -> None:
        super().start(task)
        if task.number == 1:
            program = [sys.executable, "-m", "tests.loading.killed_worker", str(self.place.settings.file), task.name]
            done = subprocess.run([*program, str(self.call)], capture_output=True, text=True, check=False)
            self.ended_by, self.said = -done.returncode, done.stdout


def kill_points(calls: int, seed: int) -> Iterator[tuple[int, int]]:
    """Numbers of points, and at which of a worker's ``calls`` each one is; the last tenth is left out, as their count differs
    a little from one time to the next.
    """
    for point in chosen(KILL_POINTS, FEW, seed):
        yield point, 1 + calls * 9 * point // (10 * KILL_POINTS)


@contextmanager
def coordinator(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "tests.loading.sharing_load", str(place.settings.base)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(is_so: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def processes_of(place: Place) -> list[str]:
    """Processes of this machine that work with this configuration."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:  # it ended just now
                continue
            if str(place.settings.file).encode() in command:
                found.append(entry.name)
    return found


def tasks_there(place: Place, table: str = "raw.aws_cur") -> list[str]:
    """Names of the tasks that lie in the warehouse, of any source's load of a table."""
    found = place.lake.warehouse.list(f"{table.replace('.', '/')}/tasks")
    return [entry.location for entry in found if entry.location.endswith(TASK)]


def unknown_files(place: Place, table: str = "raw.aws_cur") -> set[str]:
    """Data files that no snapshot knows, and whatever is left of tasks."""
    read = place.lake.table(table)
    known = {
        entry.data_file.file_path
        for snapshot in read.metadata.snapshots
        for manifest in snapshot.manifests(read.io)
        for entry in manifest.fetch_manifest_entry(read.io, discard_deleted=False)
    }
    folder = table.replace(".", "/")
    there = [*place.lake.warehouse.list(f"{folder}/data"), *place.lake.warehouse.list(f"{folder}/tasks")]
    return {found.location for found in there} - known
