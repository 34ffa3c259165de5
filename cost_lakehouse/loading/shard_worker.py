"""A worker of a large load: reads its files, writes their rows aside, sums them, and answers. It commits nothing.

``python -m cost_lakehouse.loading.shard_worker LAKEHOUSE_YAML TASK THREADS`` is a process of one; a Dagster run does the same.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from cost_lakehouse.audit.stored_totals import stored_totals
from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import CostLakehouseError, LakeError
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.splice import StoredFile
from cost_lakehouse.loading.read import FilesToLoad, load_files
from cost_lakehouse.loading.reuse import rows_digests
from cost_lakehouse.loading.shards import FILES_OF_AN_ATTEMPT, Answer, Task, failure_text, task_of
from cost_lakehouse.sources.base import Source
from cost_lakehouse.sources.registry import open_source

TASK, ANSWER = ".task.json", ".answer.json"
_SERVICES = 1000  # so that the largest of all workers together are known
_LOOK_SECONDS = 0.5


class NotWanted(Exception):
    """The load that the task belongs to has ended, or was killed."""


def wanted_task(lake: Lake, name: str) -> Task:
    """The task of that name. Raises NotWanted where it is not there any more."""
    text = lake.warehouse.read(f"{name}{TASK}")
    if text is None:
        raise NotWanted(name)
    return task_of(text.decode())


def work(settings: Settings, lake: Lake, name: str, threads: int = 0) -> None:
    """Do a task with so many threads (0: one for each core), and answer where its load looks for it.

    Raises NotWanted where nobody waits for it any more.
    """
    task = wanted_task(lake, name)
    try:
        source = open_source(settings, settings.source(task.source))
        text = _answer(lake, source, task, threads).as_text()
    except CostLakehouseError as error:
        text = failure_text(error)
    wanted_task(lake, name)
    lake.warehouse.write(f"{name}{ANSWER}", text.encode(), only_new=False)


def _answer(lake: Lake, source: Source, task: Task, threads: int) -> Answer:
    table = FORMATS[task.table]
    wanted = FilesToLoad(
        task.source,
        task.delivery_id,
        task.objects,
        table,
        task.file_format,
        task.month,
        adds=task.month is None,
        first_file=task.first_file,
        threads=threads,
    )
    with ExitStack() as stack:

        def data_folder(month: date) -> str:
            return lake.data_folder(task.table, Slice(task.source, month))

        def folder_of(month: date) -> Path:
            return stack.enter_context(lake.warehouse.writing(data_folder(month), task.load_id))

        loaded = load_files(source, wanted, folder_of, task.load_id)
        answer = Answer(loaded, {}, {})
        for month, part in loaded.slices.items():
            if len(part.files) > FILES_OF_AN_ATTEMPT:
                raise LakeError(f"{task.name} has {len(part.files)} data files.", "Set lake.workers.count higher.")
            answer.stored[month] = stored_totals(part.files, table, services=_SERVICES)
            if not table.adds_up:
                loaded.rows_digests.update(rows_digests(part.files, part.records))
        for month, part in loaded.slices.items():
            rows = [sum(group.rows for group in StoredFile.of_path(path).groups) for path in part.files]
            wanted_task(lake, task.name)
            answer.files[month] = dict(zip(lake.warehouse.keep(part.files, data_folder(month)), rows, strict=True))
        return answer


def main(arguments: list[str]) -> int:
    """The exit code: 0 where it has answered, or nobody waits any more."""
    config, name, threads = arguments
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    settings = load_settings(Path(config))
    try:
        work(settings, Lake(settings), name, int(threads))
    except NotWanted:
        return 0
    return 0


def _end_with_parent(parent: int) -> None:
    """A load that was killed waits for nobody."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
