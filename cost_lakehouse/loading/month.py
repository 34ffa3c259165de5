"""A delivery that is one whole month becomes one slice, with its receipt, in place of what was there."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, date, datetime

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt, control_total_rows, digest_of, rejected_values_json
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.formats.table_format import AWS_CUR
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import remove_files_of_other_loads, stored_loads
from cost_lakehouse.lake.ledger import LEDGERS, receipts, record_accepted, record_refused
from cost_lakehouse.lake.locks import Lock
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.holders import LOCK_WAIT_SECONDS
from cost_lakehouse.loading.holdings import SliceHistory, committed_loads, delivery_status, history_of
from cost_lakehouse.loading.load import Change, Load
from cost_lakehouse.loading.read import LoadedFiles
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.sources.base import Progress, Source
from cost_lakehouse.sources.delivery import Delivery, Status

RAW_TABLE = "raw.aws_cur"


def load_delivery(
    lake: Lake, source: Source, delivery: Delivery, *, force: bool = False, progress: Progress | None = None
) -> LoadResult:
    """Load a delivery whole, or not at all.

    ``force`` loads a delivery again that is current, never one that is older than the slice's.
    Raises DeliveryRefused where its numbers would be wrong, DeliveryFailed or DeliveryChanged where it cannot be read whole
    (each is put on record, and the old slice stays), SourceError and LakeError where a place cannot be used.
    """
    slice_ = Slice(delivery.source, _month_of(delivery))
    with lake.lock(f"load-{slice_.source}-{slice_.month}", f"The load of {slice_}", LOCK_WAIT_SECONDS) as lock:
        history = history_of(slice_, receipts(lake, slice_, RAW_TABLE), stored_loads(lake, [slice_]))
        remove_files_of_other_loads(lake, RAW_TABLE, slice_, committed_loads(history))
        for name in LEDGERS:
            on_record = {load.load_id for load in (*history.accepted, *history.refused)}
            remove_files_of_other_loads(lake, name, slice_, on_record)
        state = delivery_status(delivery, history)
        if history.committed is not None and (state is Status.OLDER or (state is Status.CURRENT and not force)):
            status = Status.OLDER if state is Status.OLDER else Status.UNCHANGED
            return LoadResult(status, (history.committed,), previous=history.committed)
        if progress is not None:
            progress.start(f"{slice_} {delivery.delivery_id}", delivery.bytes)
        try:
            return _Load(lake, source, delivery, history, lock, progress).run()
        finally:
            if progress is not None:
                progress.finish()


class _Load(Load):
    """A whole month in place of what its slice holds."""

    def __init__(
        self, lake: Lake, source: Source, delivery: Delivery, history: SliceHistory, lock: Lock, progress: Progress | None
    ) -> None:
        self._month = _month_of(delivery)
        label = f"{Slice(delivery.source, self._month)}, delivery {delivery.delivery_id}"
        super().__init__(lake, source, delivery, AWS_CUR, lock, progress, label)
        self.previous = history.committed
        self._history = history
        self._slice = self.slice_of(self._month)

    def read(self, stack: ExitStack) -> LoadedFiles:
        """Every file that the delivery lists."""
        return self.read_objects(stack, self.delivery.objects)

    def change(self, stack: ExitStack) -> Change:
        """Whatever the slice holds goes."""
        return Change([self._month], lambda table, file: True)

    def record(self, change: Change) -> list[Receipt]:
        """The files, the control totals, and the receipt last."""
        month = self._month
        rows = self.loaded.slices[month].totals.row_count
        totals = control_total_rows(self.loaded.slices[month].totals, self.stored[month])
        objects = [
            (stored_object.key, stored_object.etag, stored_object.size, self.loaded.records[stored_object.key])
            for stored_object in self.delivery.objects
        ]
        proof = digest_of(f"{self._slice} {self.delivery.delivery_id}", objects, rows, totals)
        receipt = self._receipt(ACCEPTED, "", proof)
        files = [dict(zip(("key", "etag", "size", "rows"), stored_object, strict=True)) for stored_object in objects]
        refused = {load.load_id for load in self._history.refused}
        record_accepted(self.lake, receipt, totals, files, committed_loads(self._history), refused)
        return [receipt]

    def record_refused(self, error: CostLakehouseError) -> None:
        """Its receipt takes the place of the accepted one, where that is on record already."""
        reason = str(error)
        proof = digest_of(f"{self._slice} {self.delivery.delivery_id} {reason}", [], 0, [])
        record_refused(self.lake, self._receipt(REFUSED, reason, proof))

    def clean(self) -> None:
        """Files of the slice that no load which came to its commit wrote."""
        remove_files_of_other_loads(self.lake, RAW_TABLE, self._slice, committed_loads(self._history))

    def _receipt(self, state: str, reason: str, digest: str) -> Receipt:
        delivery, part = self.delivery, self.loaded.slices.get(self._month)
        return Receipt(
            source=delivery.source,
            billing_period=self._month,
            delivery_id=delivery.delivery_id,
            load_id=self.load_id,
            state=state,
            reason=reason,
            files=len(delivery.objects),
            rows=part.totals.row_count if part else 0,
            bytes=delivery.bytes,
            rejected=self.loaded.rejected_count,
            rejected_values=rejected_values_json(self.loaded.rejected),
            rounding_values=self.loaded.rounded,
            loaded_at=datetime.now(UTC),
            delivered_at=delivery.delivered_at.astimezone(UTC),
            fingerprint=delivery.fingerprint,
            digest=digest,
            **self.meter.read().columns,
        )


def _month_of(delivery: Delivery) -> date:
    if delivery.billing_period is None:
        raise ValueError(f"A delivery of {delivery.table} is one of a known month.")
    return delivery.billing_period
