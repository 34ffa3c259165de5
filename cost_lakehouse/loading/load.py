"""The one way a delivery is loaded: read, prove, put on record, commit; all of it, or nothing of it.

What whole months and files that add to a bill do differently are hooks: which objects are read, which rows leave the lake for
them, and how the books are kept.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.audit.stored_totals import StoredTotals, stored_totals
from cost_lakehouse.errors import CostLakehouseError, DeliveryChanged, DeliveryFailed, DeliveryRefused, LakeError, SourceError
from cost_lakehouse.formats.table_format import TableFormat
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import commit_labels
from cost_lakehouse.lake.locks import Lock
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.lake.slice_writer import new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.effort import Meter
from cost_lakehouse.loading.holders import commit_lock, refuse_other_holders
from cost_lakehouse.loading.prove import refuse_unproven
from cost_lakehouse.loading.read import FilesToLoad, LoadedFiles, load_files
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.sources.base import Progress, Source
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.storage.object_store import StoredObject


@dataclass(frozen=True)
class Change:
    """What one commit does to the slices of some months: of their files, those that ``drops`` picks go, and new ones come.

    ``kept`` are locations of new files with rows that stay. The load's own files come as well.
    """

    months: Sequence[date]
    drops: Callable[[Table, DataFile], bool]
    kept: Sequence[str] = ()
    table_properties: Mapping[str, str] = field(default_factory=dict)


class Load(ABC):
    """One attempt to load one delivery, under the lock of whoever writes its slices."""

    def __init__(
        self,
        lake: Lake,
        source: Source,
        delivery: Delivery,
        table: TableFormat,
        lock: Lock,
        progress: Progress | None,
        label: str,
    ) -> None:
        """``label`` says for people what is loaded."""
        self.lake = lake
        self.source = source
        self.delivery = delivery
        self.format = table
        self.label = label
        self.load_id = new_load_id()
        self.loaded = LoadedFiles()
        self.stored: Mapping[date, StoredTotals] = {}
        self.locations: Mapping[date, Sequence[str]] = {}
        self.findings: tuple[str, ...] = ()  # a sentence for each object that is taken without its rows
        self.previous: Receipt | None = None  # of what a whole month takes the place of
        self._lock = lock
        self._progress = progress
        self._started = time.monotonic()
        self.meter = Meter(source)

    @abstractmethod
    def read(self, stack: ExitStack) -> LoadedFiles:
        """Read the objects that are to be loaded, by ``read_objects``."""

    @abstractmethod
    def change(self, stack: ExitStack) -> Change:
        """What the commit will do. Raises DeliveryRefused where that would be wrong."""

    @abstractmethod
    def record(self, change: Change) -> list[Receipt]:
        """Put the load on record, a receipt for each month; until the commit they say nothing."""

    @abstractmethod
    def record_refused(self, error: CostLakehouseError) -> None:
        """Take back what ``record`` did, and put the refusal on record."""

    @abstractmethod
    def clean(self) -> None:
        """Remove what the load wrote and did not commit."""

    def run(self) -> LoadResult:
        """Read, prove, commit. Whatever goes wrong before the commit leaves every slice as it was.

        Raises DeliveryRefused and DeliveryFailed, which are put on record, and DeliveryChanged, SourceError and LakeError.
        """
        committed = False
        try:
            with ExitStack() as stack:
                self.loaded = self.read(stack)
                self.stored = {month: stored_totals(part.files, self.format) for month, part in self.loaded.slices.items()}
                refuse_unproven(self.label, self.loaded, self.stored)
                if not self.source.is_unchanged(self.delivery):
                    raise DeliveryChanged(f"{self.label}: it was replaced while it was read.", "Run it again.")
                self._refuse_other_holders()
                change = self.change(stack)
                self.locations = {
                    month: self.lake.warehouse.keep(part.files, self.folder(month))
                    for month, part in self.loaded.slices.items()
                }
                receipts = self._commit(change)
            committed = True
            return self._result(receipts)
        except (DeliveryChanged, LakeError, SourceError):
            raise
        except (DeliveryRefused, DeliveryFailed) as error:
            self.record_refused(error)
            raise
        finally:
            if not committed:
                self.clean()

    def read_objects(self, stack: ExitStack, objects: Sequence[StoredObject]) -> LoadedFiles:
        """Some objects of the delivery, their rows in new files of the months they belong to; the files go with ``stack``."""

        def folder_of(month: date) -> Path:
            return stack.enter_context(self.lake.warehouse.writing(self.folder(month), self.load_id))

        delivery = self.delivery
        wanted = FilesToLoad(
            delivery.source,
            delivery.delivery_id,
            tuple(objects),
            self.format,
            delivery.file_format,
            delivery.billing_period,
            adds=delivery.billing_period is None,
        )
        return load_files(self.source, wanted, folder_of, self.load_id, self._progress)

    def slice_of(self, month: date) -> Slice:
        """The slice of a month."""
        return Slice(self.delivery.source, month)

    def folder(self, month: date) -> str:
        """Where the files of a month's slice are in the warehouse."""
        return self.lake.data_folder(self.format.table, self.slice_of(month))

    def _refuse_other_holders(self) -> None:
        """An account's (tenancy's) month comes from one source only, or its costs would add up twice."""
        wanted = {month: totals.accounts for month, totals in self.stored.items()}
        refuse_other_holders(self.lake, self.format.table, self.delivery.source, wanted)

    def _commit(self, change: Change) -> list[Receipt]:
        self._may_commit()
        receipts = self.record(change)
        slices = [self.slice_of(month) for month in change.months]
        labels = commit_labels(self.delivery.delivery_id, self.load_id, slices)
        labels |= {"rows": str(sum(receipt.rows for receipt in receipts)), "receipt-digest": receipts[0].digest}
        new = [location for locations in self.locations.values() for location in locations]
        with commit_lock(self.lake, self.label):
            replace_files(
                self.lake,
                self.format.table,
                slices,
                [*new, *change.kept],
                change.drops,
                labels,
                guard=self._may_commit,
                table_properties=change.table_properties,
            )
        return receipts

    def _may_commit(self) -> None:
        """Asked before anything is on record, and again by the commit, of the state that it changes."""
        self._lock.ensure_held()
        self._refuse_other_holders()

    def _result(self, receipts: Sequence[Receipt]) -> LoadResult:
        return LoadResult(
            Status.LOADED,
            tuple(receipts),
            time.monotonic() - self._started,
            {month: part.totals.row_count for month, part in self.loaded.slices.items()},
            {month: part.totals.by_currency(self.format.cost) for month, part in self.loaded.slices.items()},
            {month: totals.top_services for month, totals in self.stored.items()},
            self.findings,
            self.previous,
        )
