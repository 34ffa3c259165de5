"""The rows of a delivery for its load, wherever they come from: the slice has them, workers or this process read them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from cost_lakehouse.audit.stored_totals import StoredTotals, stored_totals
from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.loads import Loads
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.prove import refuse_unproven
from cost_lakehouse.loading.read import FilesToLoad, LoadedFiles, load_files
from cost_lakehouse.loading.records import WithoutRows, objects_without_rows
from cost_lakehouse.loading.repeats import repeated_objects
from cost_lakehouse.loading.reuse import Unchanged, add_unchanged, rows_digests, unchanged_rows
from cost_lakehouse.loading.shards import Answer, Task
from cost_lakehouse.loading.share import Sharing, read_by_workers
from cost_lakehouse.sources.base import Progress, Source
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.storage.object_store import StoredObject

_LOG = logging.getLogger(__name__)


class DeliveryRows:
    """What one load has of its delivery: ``loaded`` is what was delivered, ``stored`` what the new files of each month hold.

    ``without`` are the objects that bring no row, by key.
    """

    def __init__(
        self,
        lake: Lake,
        source: Source,
        delivery: Delivery,
        loads: Loads,
        load_id: str,
        label: str,
        leaving: Collection[str],
        progress: Progress | None,
        workers: Sharing | None,
        *,
        reads_all: bool,
    ) -> None:
        """``label`` says for people what is loaded, ``leaving`` are the keys of held objects whose rows it takes out."""
        self.loaded = LoadedFiles()
        self.stored: Mapping[date, StoredTotals] = {}
        self.without: Mapping[str, WithoutRows] = {}
        self._lake = lake
        self._source = source
        self._delivery = delivery
        self._format = FORMATS[delivery.table]
        self._loads = loads
        self._load_id = load_id
        self._label = label
        self._leaving = leaving
        self._progress = progress
        self._workers = workers
        self._reads_all = reads_all
        self._unchanged = Unchanged()
        self._tasks: list[Task] = []  # of the load so far, first attempts
        self._answers: list[Answer] = []

    def read(self, stack: ExitStack) -> None:
        """Read what has to be read, and sum up what was written. New files of this machine go with ``stack``."""
        self._read(stack)
        self._sum_stored()
        if self._unchanged.files and not self._is_proven():
            self._read_all(stack)
            self._sum_stored()

    def digest(self) -> None:
        """What tells the next load of the month that the stored rows still are those that were proven here."""
        month = self._delivery.billing_period
        if month is not None and not self._format.adds_up:
            part = self.loaded.slices[month]
            files = [path for path in part.files if path not in self._unchanged.paths]
            self.loaded.rows_digests.update(rows_digests(files, part.records))

    def keep(self) -> dict[date, list[str]]:
        """Move the new files into the warehouse; where they are, by month."""
        locations = {
            month: [*self._lake.warehouse.keep(part.files, self._folder(month))] for month, part in self.loaded.slices.items()
        }
        for month, files in (entry for answer in self._answers for entry in answer.files.items()):
            locations[month] += files
        return locations

    def read_by(self, key: str) -> str:
        """The load that read an object."""
        kept = self._unchanged.files.get(key)
        return kept.held.read_by if kept is not None else self._load_id

    def _sum_stored(self) -> None:
        """What the new files hold, by month."""
        self.stored = {
            month: stored_totals(part.files, self._format, self._unchanged.paths) for month, part in self.loaded.slices.items()
        }
        for month, stored in (entry for answer in self._answers for entry in answer.stored.items()):
            self.stored[month].merge(stored)

    def _is_proven(self) -> bool:
        try:
            refuse_unproven(self._label, self.loaded, self.stored)
        except DeliveryRefused as error:
            # A value that cannot be stored is refused below; it was read anew, whatever else was kept.
            return bool(error.rejected)
        return True

    def _read_all(self, stack: ExitStack) -> None:
        """Every object, whatever the lake holds of it: what was taken over does not add up with what was read."""
        _LOG.warning("%s: the rows that the lake holds are not those on record; all files are read.", self._label)
        self._remove_written()
        self._unchanged, self._reads_all = Unchanged(), True
        self._read(stack)

    def _remove_written(self) -> None:
        """The new files, here and of workers: other ones take their place."""
        for part in self.loaded.slices.values():
            for path in part.files:
                path.unlink(missing_ok=True)
        self._lake.warehouse.delete([location for answer in self._answers for location in answer.locations])
        self._answers = []

    def _read(self, stack: ExitStack) -> None:
        """Every object, without those that say again what another one says: these are left out, and read no second time.

        Those whose rows the lake holds are not read.
        """
        self._take_over(stack)
        objects = [found for found in self._delivery.objects if found.key not in self._unchanged.files]
        self.loaded = self._read_objects(stack, objects)
        add_unchanged(self.loaded, self._unchanged, self._delivery.billing_period)
        repeated: Mapping[str, WithoutRows] = {}
        if self._delivery.billing_period is None:
            new = [str(path) for part in self.loaded.slices.values() for path in part.files]
            new += [location for answer in self._answers for location in answer.locations]
            repeated = repeated_objects(self._lake, self._label, self._delivery, self.loaded, new, self._loads, self._leaving)
        if repeated:
            self._remove_written()
            self.loaded = self._read_objects(stack, [found for found in objects if found.key not in repeated])
        self.without = objects_without_rows(self._delivery, self.loaded, repeated)

    def _take_over(self, stack: ExitStack) -> None:
        """The rows of files that come again as they were, in new files of this load."""
        if self._reads_all:
            return

        def folder_of(month: date) -> Path:
            return self._new_folder(stack, month)

        self._unchanged = unchanged_rows(
            self._lake, self._source, self._delivery, self._loads, self._load_id, self._label, folder_of
        )
        if self._progress is not None:
            for found in self._delivery.objects:
                if found.key in self._unchanged.files:
                    self._progress.advance(found.size, self._unchanged.files[found.key].held.rows)

    def _tell_progress(self, task: Task, answer: Answer) -> None:
        if self._progress is not None:
            self._progress.advance(sum(found.size for found in task.objects), sum(answer.loaded.records.values()))

    def _read_objects(self, stack: ExitStack, objects: Sequence[StoredObject]) -> LoadedFiles:
        """Some objects of the delivery, by workers where they are large, else here."""
        sharing, kind = self._workers, self._source.settings.kind
        tasks = sharing.tasks(kind, self._delivery, objects, self._load_id, self._tasks) if sharing is not None else []
        if sharing is None or not tasks:
            return self._read_here(stack, objects)
        self._tasks += tasks
        self._answers = read_by_workers(self._lake, tasks, sharing.workers, self._tell_progress)
        loaded = LoadedFiles()
        for answer in self._answers:
            loaded.add(answer.loaded)
        return loaded

    def _read_here(self, stack: ExitStack, objects: Sequence[StoredObject]) -> LoadedFiles:
        """Some objects of the delivery, their rows in new files of the months they belong to."""

        def folder_of(month: date) -> Path:
            return self._new_folder(stack, month)

        delivery = self._delivery
        wanted = FilesToLoad(
            delivery.source,
            delivery.delivery_id,
            tuple(objects),
            self._format,
            delivery.file_format,
            delivery.billing_period,
            adds=delivery.billing_period is None,
            first_file=len(self._unchanged.paths),
        )
        return load_files(self._source, wanted, folder_of, self._load_id, self._progress)

    def _new_folder(self, stack: ExitStack, month: date) -> Path:
        """A folder of this machine for new files of a month's slice, which goes with ``stack``."""
        return stack.enter_context(self._lake.warehouse.writing(self._folder(month), self._load_id))

    def _folder(self, month: date) -> str:
        """Where the files of a month's slice are in the warehouse."""
        return self._lake.data_folder(self._format.table, Slice(self._delivery.source, month))
