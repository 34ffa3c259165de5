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
from cost_lakehouse.lake.staging import is_full
from cost_lakehouse.loading.delivery_rows import DeliveryRows
from cost_lakehouse.loading.effort import Meter
from cost_lakehouse.loading.holders import LOCK_WAIT_SECONDS, commit_lock, refuse_other_holders
from cost_lakehouse.loading.holdings import compared
from cost_lakehouse.loading.leaving import leaving_of, retractions
from cost_lakehouse.loading.prove import refuse_unannounced, refuse_unproven
from cost_lakehouse.loading.read import LoadedSlice
from cost_lakehouse.loading.records import (
    accepted_receipt,
    corrections_text,
    files_of_month,
    refused_receipt,
    taken_out_rows,
)
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.loading.share import Sharing
from cost_lakehouse.sources.base import Progress, Source
from cost_lakehouse.sources.delivery import Delivery, Status, short_name

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
        self.locations: Mapping[date, Sequence[str]] = {}
        self.leaving = leaving_of(delivery, loads)
        self.rows = DeliveryRows(
            lake, source, delivery, loads, self.load_id, self.label, self.leaving.keys, progress, workers, reads_all=reads_all
        )
        self._lock = lock
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
                self.rows.read(stack)
                refuse_unproven(self.label, self.rows.loaded, self.rows.stored)
                refuse_unannounced(self.label, self.delivery.announced, self.rows.loaded, self.format.cost)
                if not self.source.is_unchanged(self.delivery):
                    raise DeliveryChanged(f"{self.label}: it was replaced while it was read.", "Run it again.")
                self._refuse_other_holders()
                self.rows.digest()
                months = {*self.rows.loaded.slices, *(item.month for item in self.rows.without.values())}
                aside = Path(stack.enter_context(TemporaryDirectory(prefix="cost-lakehouse-retracted-")))
                retracted = retractions(self.lake, self.delivery, self.leaving, months, aside)
                self.locations = self.rows.keep()
                self._commit(sorted({*months, *retracted}), retracted)
            committed = True
            return self._result()
        except (DeliveryChanged, LakeError, SourceError):
            raise
        except (DeliveryRefused, DeliveryFailed) as error:
            self._record_refused(error)
            raise
        except OSError as error:
            if not is_full(error):
                raise
            raise LakeError(
                f"{self.label}: there is no space left where the lake ({self.lake.warehouse.location}) "
                "or its temporary files are.",
                "Nothing is lost: free some, then run it again.",
            ) from error
        finally:
            if not committed:
                remove_files_of_killed_loads(
                    self.lake, self.delivery.table, self.delivery.source, self.delivery.billing_period, self.loads.ids
                )

    def _refuse_other_holders(self) -> None:
        """An account's (tenancy's) month comes from one source only, or its costs would add up twice."""
        wanted = {month: totals.accounts for month, totals in self.rows.stored.items()}
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
            totals = control_total_rows(part.totals, self.rows.stored.get(month, StoredTotals()), self.format.cost)
            totals += retracted_total_rows(stored_totals(gone.gone, self.format))
            files = files_of_month(self.delivery, month, part.records, self.rows.without, self.rows.loaded, self.rows.read_by)
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

    def _part(self, month: date) -> LoadedSlice:
        return self.rows.loaded.slices.get(month, LoadedSlice())

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
            culprits = {*culprits, *self.rows.loaded.rejected_by_object}
        guilty = tuple(found for found in self.delivery.objects if found.key in culprits)
        blamed = self.delivery.only(guilty) if guilty else self.delivery
        receipt, files = refused_receipt(
            self.delivery, self.load_id, self.label, blamed, error, self.rows.loaded, self._now(), self._meter.read()
        )
        record_load(self.lake, receipt, [], files)

    def _result(self) -> LoadResult:
        month = self.delivery.billing_period
        previous = self.loads.newest.get(month) if month is not None else None
        return LoadResult(
            Status.LOADED,
            tuple(self._on_record),
            time.monotonic() - self._started,
            {month: part.totals.row_count for month, part in self.rows.loaded.slices.items()},
            {month: part.totals.by_currency(self.format.cost) for month, part in self.rows.loaded.slices.items()},
            {month: totals.top_services for month, totals in self.rows.stored.items()},
            (*(item.sentence(key) for key, item in sorted(self.rows.without.items())), *self._emptied(previous)),
            previous,
        )

    def _emptied(self, previous: Receipt | None) -> tuple[str, ...]:
        """That a whole month came without a line where it had some: nothing is wrong with the files, and it is worth a look."""
        if previous is None or not previous.rows or any(receipt.rows for receipt in self._on_record):
            return ()
        return (f"{self.label} has no lines; gone from the month are those of {previous.delivery_id}: {previous.rows:,}.",)
