"""The one way a delivery is loaded: read, prove, put on record, commit; all of it, or nothing of it.

A load puts its receipts on record first, then control totals and files, and last commits the rows; the commit names the load in
the table. So whatever was killed is told by receipts after the table's last load, and the next load takes it back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from cost_lakehouse.audit.receipts import Receipt, control_total_rows, retracted_total_rows
from cost_lakehouse.audit.stored_totals import StoredTotals, stored_totals
from cost_lakehouse.errors import CostLakehouseError, DeliveryChanged, DeliveryFailed, DeliveryRefused, LakeError, SourceError
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import commit_labels, remove_files_of_killed_loads
from cost_lakehouse.lake.ledger import receipts, record_load, rollback
from cost_lakehouse.lake.loads import Loads, held_loads, last_load_property, load_lock
from cost_lakehouse.lake.locks import Lock
from cost_lakehouse.lake.manifests import has_rows_of
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.lake.retraction import Retraction
from cost_lakehouse.lake.slice_writer import new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.splice import NotSpliceable
from cost_lakehouse.loading.effort import Meter
from cost_lakehouse.loading.holders import LOCK_WAIT_SECONDS, commit_lock, refuse_other_holders
from cost_lakehouse.loading.holdings import compared
from cost_lakehouse.loading.leaving import leaving_of, retractions
from cost_lakehouse.loading.prove import refuse_unannounced, refuse_unproven
from cost_lakehouse.loading.read import FilesToLoad, LoadedFiles, LoadedSlice, load_files
from cost_lakehouse.loading.records import (
    WithoutRows,
    accepted_receipt,
    corrections_text,
    files_of_month,
    objects_without_rows,
    refused_receipt,
    taken_out_rows,
)
from cost_lakehouse.loading.repeats import repeated_objects
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.loading.reuse import Unchanged, rows_digests, take_over, unchanged
from cost_lakehouse.loading.shards import Answer, Task
from cost_lakehouse.loading.share import Sharing, read_by_workers
from cost_lakehouse.sources.base import Progress, Source
from cost_lakehouse.sources.delivery import Delivery, Status, short_name
from cost_lakehouse.storage.object_store import StoredObject

_LOG = logging.getLogger(__name__)


def load_delivery(
    lake: Lake,
    source: Source,
    delivery: Delivery,
    *,
    force: bool = False,
    progress: Progress | None = None,
    workers: Sharing | None = None,
) -> LoadResult:
    """Load what of a delivery the lake does not hold: a month whole, or not at all; of files that add up, those that are new.

    ``force`` loads again what is current, never a month that is older than what the lake holds; it reads every file, also
    those whose rows the lake could keep. ``workers`` read what is large, without them this process does.
    Raises DeliveryRefused where its numbers would be wrong, DeliveryFailed or DeliveryChanged where it cannot be read whole
    (the first two are put on record; what the lake holds stays), SourceError and LakeError where a place cannot be used.
    """
    table, name, month = delivery.table, delivery.source, delivery.billing_period
    what = f"{name}'s {short_name(table)}" if month is None else str(Slice(name, month))
    with lake.lock(load_lock(name, table), f"The load of {what}", LOCK_WAIT_SECONDS) as lock:
        loads = _recovered(lake, name, table)
        remove_files_of_killed_loads(lake, table, name, month, loads.ids)
        comparison = compared(delivery, loads)
        if comparison.status is Status.OLDER or (comparison.status is Status.CURRENT and not force):
            status = Status.OLDER if comparison.status is Status.OLDER else Status.UNCHANGED
            held = (comparison.receipt,) if comparison.receipt is not None else ()
            return LoadResult(status, held, previous=comparison.receipt)
        objects = delivery.objects if force else comparison.objects
        todo = delivery if objects == delivery.objects else delivery.only(objects)
        if progress is not None:
            progress.start(_label(todo), todo.bytes)
        try:
            return Load(lake, source, todo, loads, lock, progress, reads_all=force, workers=workers).run()
        finally:
            if progress is not None:
                progress.finish()


def _recovered(lake: Lake, source: str, table: str) -> Loads:
    """What the lake holds of a source, after the records of loads that were killed before their commit are taken back.

    Call it only while holding the source's lock: a load under way is on record before its commit. Raises LakeError where rows
    are there that no load on record brought: then nothing tells what was killed.
    """
    loads = held_loads(lake, receipts(lake, raw_table=table, source=source), source).get((source, table), Loads())
    if loads.killed and not loads.committed and has_rows_of(lake.current(table), source):
        raise LakeError(
            f"{table} has rows of {source}, and does not name the load on record that they come from.",
            "Somebody changed the table or the ledgers: put them back together, or load the bills into a new lake.",
        )
    for killed in loads.killed:
        rollback(lake, killed, keep_proof=not FORMATS[table].adds_up and loads.is_repetition(killed))
    return loads.recovered() if loads.killed else loads


def _label(delivery: Delivery) -> str:
    """What is loaded, for people."""
    if delivery.billing_period is None:
        return f"{delivery.source}, {delivery.report_name}, delivery {delivery.delivery_id}"
    return f"{Slice(delivery.source, delivery.billing_period)}, delivery {delivery.delivery_id}"


class Load:
    """One attempt to load one delivery, under the lock of whoever writes its source's rows."""

    def __init__(
        self,
        lake: Lake,
        source: Source,
        delivery: Delivery,
        loads: Loads,
        lock: Lock,
        progress: Progress | None,
        *,
        reads_all: bool = False,
        workers: Sharing | None = None,
    ) -> None:
        self.lake = lake
        self.source = source
        self.delivery = delivery
        self.loads = loads
        self.format = FORMATS[delivery.table]
        self.label = _label(delivery)
        self.load_id = new_load_id()
        self.loaded = LoadedFiles()
        self.unchanged = Unchanged()
        self.stored: Mapping[date, StoredTotals] = {}
        self.locations: Mapping[date, Sequence[str]] = {}
        self.without: Mapping[str, WithoutRows] = {}
        self.leaving = leaving_of(delivery, loads)
        self._lock = lock
        self._progress = progress
        self._reads_all = reads_all
        self._workers = workers
        self._answers: list[Answer] = []
        self._started = time.monotonic()
        self._meter = Meter(source)
        self._on_record: list[Receipt] = []

    def run(self) -> LoadResult:
        """Read, prove, commit. Whatever goes wrong before the commit leaves every slice as it was.

        Raises DeliveryRefused and DeliveryFailed, which are put on record, and DeliveryChanged, SourceError and LakeError.
        """
        committed = False
        try:
            with ExitStack() as stack:
                self._read(stack)
                self._sum_stored()
                if self.unchanged.files and not self._is_proven():
                    self._read_all(stack)
                    self._sum_stored()
                refuse_unproven(self.label, self.loaded, self.stored)
                refuse_unannounced(self.label, self.delivery.announced, self.loaded, self.format.cost)
                if not self.source.is_unchanged(self.delivery):
                    raise DeliveryChanged(f"{self.label}: it was replaced while it was read.", "Run it again.")
                self._refuse_other_holders()
                self._digest_rows()
                months = {*self.loaded.slices, *(item.month for item in self.without.values())}
                aside = Path(stack.enter_context(TemporaryDirectory(prefix="cost-lakehouse-retracted-")))
                retracted = retractions(self.lake, self.delivery, self.leaving, months, aside)
                self.locations = {
                    month: self.lake.warehouse.keep(part.files, self._folder(month))
                    for month, part in self.loaded.slices.items()
                }
                for answer in self._answers:
                    (month,) = self.locations
                    self.locations = {month: [*self.locations[month], *answer.files]}
                self._commit(sorted({*months, *retracted}), retracted)
            committed = True
            return self._result()
        except (DeliveryChanged, LakeError, SourceError):
            raise
        except (DeliveryRefused, DeliveryFailed) as error:
            self._record_refused(error)
            raise
        finally:
            if not committed:
                remove_files_of_killed_loads(
                    self.lake, self.delivery.table, self.delivery.source, self.delivery.billing_period, self.loads.ids
                )

    def _sum_stored(self) -> None:
        """What the new files hold, by month."""
        self.stored = {
            month: stored_totals(part.files, self.format, self.unchanged.paths) for month, part in self.loaded.slices.items()
        }
        month = self.delivery.billing_period
        for answer in self._answers:
            assert month is not None  # noqa: S101  # only whole months are shared out
            self.stored[month].merge(answer.stored)

    def _digest_rows(self) -> None:
        """What tells the next load of the month that the stored rows still are those that were proven here."""
        month = self.delivery.billing_period
        if month is not None and not self.format.adds_up:
            part = self.loaded.slices[month]
            files = [path for path in part.files if path not in self.unchanged.paths]
            self.loaded.rows_digests.update(rows_digests(files, part.records))

    def _is_proven(self) -> bool:
        try:
            refuse_unproven(self.label, self.loaded, self.stored)
        except DeliveryRefused as error:
            # A value that cannot be stored is refused below; it was read anew, whatever else was kept.
            return bool(error.rejected)
        return True

    def _read_all(self, stack: ExitStack) -> None:
        """Every object, whatever the lake holds of it: what was taken over does not add up with what was read."""
        _LOG.warning("%s: the rows that the lake holds are not those on record; all files are read.", self.label)
        for part in self.loaded.slices.values():
            for path in part.files:
                path.unlink(missing_ok=True)
        self.lake.warehouse.delete([location for answer in self._answers for location in answer.files])
        self.unchanged, self._reads_all, self._answers = Unchanged(), True, []
        self._read(stack)

    def _take_over(self, stack: ExitStack) -> None:
        """The rows of files that come again as they were, in new files of this load."""
        month = self.delivery.billing_period
        if self._reads_all or month is None or self.format.adds_up:
            return
        found = unchanged(self.lake, self.source, self.delivery, self.loads)
        if not found.groups:
            return
        folder = stack.enter_context(self.lake.warehouse.writing(self._folder(month), self.load_id))
        try:
            take_over(found, self.delivery.delivery_id, folder, self.load_id)
        except (NotSpliceable, FileNotFoundError, LakeError) as error:
            _LOG.warning("%s: all files are read, as rows cannot be taken over: %s", self.label, error)
            return
        self.unchanged = found
        if self._progress is not None:
            for found_object in self.delivery.objects:
                if found_object.key in found.files:
                    self._progress.advance(found_object.size, found.files[found_object.key].held.rows)

    def _with_unchanged(self, loaded: LoadedFiles) -> None:
        """Add what was taken over to what was read: the delivery is the sum of both."""
        month = self.delivery.billing_period
        for key, kept in self.unchanged.files.items():
            assert month is not None  # noqa: S101  # only files of whole months are taken over
            part = loaded.month(month)
            part.totals.merge(kept.totals.totals)
            part.rounded += kept.totals.rounded
            part.records[key] += kept.held.rows
            loaded.records[key] = kept.held.rows
            loaded.files[key] = kept.totals
            loaded.contents[key] = kept.held.content
            loaded.rows_digests[key] = kept.held.rows_digest
        if self.unchanged.paths and month is not None:
            loaded.month(month).files += self.unchanged.paths

    def _read(self, stack: ExitStack) -> None:
        """Every object, without those that say again what another one says: these are left out, and read no second time.

        Those whose rows the lake holds are not read.
        """
        self._take_over(stack)
        objects = [found for found in self.delivery.objects if found.key not in self.unchanged.files]
        sharing, kind = self._workers, self.source.settings.kind
        tasks = sharing.tasks(kind, self.delivery, objects, self.load_id) if sharing is not None else []
        if tasks and sharing is not None:
            self._answers = read_by_workers(self.lake, tasks, sharing.workers, self._tell_progress)
            self.loaded = LoadedFiles()
            for answer in self._answers:
                self.loaded.add(answer.loaded)
        else:
            self.loaded = self._read_objects(stack, objects)
        self._with_unchanged(self.loaded)
        repeated: Mapping[str, WithoutRows] = {}
        if self.delivery.billing_period is None:
            repeated = repeated_objects(self.lake, self.label, self.delivery, self.loaded, self.loads, self.leaving.keys)
        if repeated:
            for part in self.loaded.slices.values():
                for path in part.files:
                    path.unlink()
            self.loaded = self._read_objects(stack, [found for found in objects if found.key not in repeated])
        self.without = objects_without_rows(self.delivery, self.loaded, repeated)

    def _tell_progress(self, task: Task, answer: Answer) -> None:
        if self._progress is not None:
            self._progress.advance(sum(found.size for found in task.objects), sum(answer.loaded.records.values()))

    def _read_objects(self, stack: ExitStack, objects: Sequence[StoredObject]) -> LoadedFiles:
        """Some objects of the delivery, their rows in new files of the months they belong to; the files go with ``stack``."""

        def folder_of(month: date) -> Path:
            return stack.enter_context(self.lake.warehouse.writing(self._folder(month), self.load_id))

        delivery = self.delivery
        wanted = FilesToLoad(
            delivery.source,
            delivery.delivery_id,
            tuple(objects),
            self.format,
            delivery.file_format,
            delivery.billing_period,
            adds=delivery.billing_period is None,
            first_file=len(self.unchanged.paths),
        )
        return load_files(self.source, wanted, folder_of, self.load_id, self._progress)

    def _folder(self, month: date) -> str:
        """Where the files of a month's slice are in the warehouse."""
        return self.lake.data_folder(self.format.table, Slice(self.delivery.source, month))

    def _refuse_other_holders(self) -> None:
        """An account's (tenancy's) month comes from one source only, or its costs would add up twice."""
        wanted = {month: totals.accounts for month, totals in self.stored.items()}
        refuse_other_holders(self.lake, self.format.table, self.delivery.source, wanted)

    def _may_commit(self) -> None:
        """Asked before anything is on record, and again by the commit, of the state that it changes."""
        self._lock.ensure_held()
        self._refuse_other_holders()

    def _commit(self, months: Sequence[date], retracted: Mapping[date, Retraction]) -> None:
        """Put the load on record; then one commit drops what leaves, adds what was read, and names the load in the table."""
        self._may_commit()
        self._record(months, retracted)
        slices = [Slice(self.delivery.source, month) for month in months]
        labels = commit_labels(self.delivery.delivery_id, self.load_id, slices)
        rows = sum(receipt.rows for receipt in self._on_record)
        labels |= {"rows": str(rows), "receipt-digest": self._on_record[0].digest}
        new = [location for locations in self.locations.values() for location in locations]
        kept = [location for part in retracted.values() for location in part.kept]
        dropped = {location for part in retracted.values() for location in part.dropped}

        def leaves(table: Table, file: DataFile) -> bool:
            return not self.format.adds_up or file.file_path in dropped

        with commit_lock(self.lake, self.label):
            replace_files(
                self.lake,
                self.format.table,
                slices,
                [*new, *kept],
                leaves,
                labels,
                guard=self._may_commit,
                table_properties={last_load_property(self.delivery.source): self.load_id},
            )

    def _record(self, months: Sequence[date], retracted: Mapping[date, Retraction]) -> None:
        """A receipt for each month that the commit touches, what is taken out of it included."""
        loaded_at = self._now()
        read = [sum(self._part(month).records.values()) for month in months]
        for month, effort in zip(months, self._meter.read().shares(read), strict=True):
            part, gone = self._part(month), retracted.get(month, Retraction())
            totals = control_total_rows(part.totals, self.stored.get(month, StoredTotals()), self.format.cost)
            totals += retracted_total_rows(stored_totals(gone.gone, self.format))
            files = files_of_month(self.delivery, month, part.records, self.without, self.loaded, self._read_by)
            corrections = corrections_text(
                self.lake,
                self.delivery,
                month,
                part,
                gone,
                self.locations.get(month, ()),
                voids=self.source.settings.voids_corrected,
            )
            receipt = accepted_receipt(
                self.delivery,
                self.load_id,
                month,
                part,
                self.leaving.of(month),
                gone.rows,
                files,
                totals,
                corrections,
                loaded_at,
                effort,
            )
            self._on_record.append(receipt)
            record_load(self.lake, receipt, totals, [*files, *taken_out_rows(self.leaving.taken_out(month))])

    def _read_by(self, key: str) -> str:
        """The load that read an object."""
        kept = self.unchanged.files.get(key)
        return kept.held.read_by if kept is not None else self.load_id

    def _part(self, month: date) -> LoadedSlice:
        return self.loaded.slices.get(month, LoadedSlice())

    def _now(self) -> datetime:
        """Loads of one source are told by their order, which no clock that goes wrong may change."""
        last = self.loads.last_at
        now = datetime.now(UTC)
        return now if last is None else max(now, last + timedelta(microseconds=1))

    def _record_refused(self, error: CostLakehouseError) -> None:
        """Take back what is on record, and put the refusal there, with the objects to blame: others load without them."""
        for receipt in self._on_record:
            repeats = not self.format.adds_up and self.loads.is_repetition(receipt)
            rollback(self.lake, receipt, keep_proof=repeats)
        culprits: Collection[str] = {error.key} if error.key else set()
        if isinstance(error, DeliveryRefused) and error.rejected:
            culprits = {*culprits, *self.loaded.rejected_by_object}
        guilty = tuple(found for found in self.delivery.objects if found.key in culprits)
        blamed = self.delivery.only(guilty) if guilty else self.delivery
        receipt, files = refused_receipt(
            self.delivery, self.load_id, self.label, blamed, error, self.loaded, self._now(), self._meter.read()
        )
        record_load(self.lake, receipt, [], files)

    def _result(self) -> LoadResult:
        month = self.delivery.billing_period
        return LoadResult(
            Status.LOADED,
            tuple(self._on_record),
            time.monotonic() - self._started,
            {month: part.totals.row_count for month, part in self.loaded.slices.items()},
            {month: part.totals.by_currency(self.format.cost) for month, part in self.loaded.slices.items()},
            {month: totals.top_services for month, totals in self.stored.items()},
            tuple(item.sentence(key) for key, item in sorted(self.without.items())),
            self.loads.newest.get(month) if month is not None else None,
        )
