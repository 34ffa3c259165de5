"""A delivery that is one whole month becomes one slice, with its receipt, in place of what was there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from cost_lakehouse.audit.receipts import (
    ACCEPTED,
    REFUSED,
    Receipt,
    control_total_rows,
    digest_of,
    rejected_values_json,
)
from cost_lakehouse.audit.stored_totals import StoredTotals, stored_totals
from cost_lakehouse.errors import CostLakehouseError, DeliveryChanged, DeliveryFailed, DeliveryRefused, LakeError, SourceError
from cost_lakehouse.formats.table_format import AWS_CUR
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import commit_labels, remove_files_of_other_loads, stored_loads
from cost_lakehouse.lake.ledger import LEDGERS, receipts, record_accepted, record_refused
from cost_lakehouse.lake.locks import Lock
from cost_lakehouse.lake.replace import replace_slices
from cost_lakehouse.lake.slice_writer import new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.holders import Account, refuse_other_holders
from cost_lakehouse.loading.holdings import SliceHistory, committed_loads, delivery_status, history_of
from cost_lakehouse.loading.locks import LOCK_WAIT_SECONDS, commit_lock
from cost_lakehouse.loading.prove import refuse_unproven
from cost_lakehouse.loading.read import FilesToLoad, LoadedFiles, LoadedSlice, load_files
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.progress import Progress
from cost_lakehouse.sources.base import Source
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
    started = time.monotonic()
    slice_ = Slice(delivery.source, delivery.billing_period)
    with lake.lock(f"load-{slice_.source}-{slice_.month}", f"The load of {slice_}", LOCK_WAIT_SECONDS) as lock:
        history = history_of(slice_, receipts(lake, slice_, RAW_TABLE), stored_loads(lake, [slice_]))
        remove_files_of_other_loads(lake, RAW_TABLE, slice_, committed_loads(history))
        for name in LEDGERS:
            on_record = {each.load_id for each in (*history.accepted, *history.refused)}
            remove_files_of_other_loads(lake, name, slice_, on_record)
        state = delivery_status(delivery, history)
        if history.committed is not None and (state is Status.OLDER or (state is Status.CURRENT and not force)):
            status = Status.OLDER if state is Status.OLDER else Status.UNCHANGED
            return LoadResult(status, (history.committed,), previous=history.committed)
        if progress is not None:
            progress.start(f"{slice_} {delivery.delivery_id}", delivery.bytes)
        try:
            return _Load(lake, source, delivery, history, started, progress, lock).run()
        finally:
            if progress is not None:
                progress.finish()


class _Load:
    """One attempt to load one delivery, under the slice's lock."""

    def __init__(
        self,
        lake: Lake,
        source: Source,
        delivery: Delivery,
        history: SliceHistory,
        started: float,
        progress: Progress | None,
        lock: Lock,
    ) -> None:
        self._lake = lake
        self._lock = lock
        self._source = source
        self._delivery = delivery
        self._history = history
        self._started = started
        self._progress = progress
        self._slice = Slice(delivery.source, delivery.billing_period)
        self._load_id = new_load_id()
        self._loaded = LoadedFiles()
        self._rows = LoadedSlice()
        self._accounts: set[Account] = set()
        self._folder = lake.data_folder(RAW_TABLE, self._slice)

    def run(self) -> LoadResult:
        """Read, prove, commit. Whatever goes wrong before the commit leaves the slice as it was."""
        try:
            with self._lake.warehouse.writing(self._folder, self._load_id) as folder:
                delivery = self._delivery
                wanted = FilesToLoad(
                    delivery.source,
                    delivery.delivery_id,
                    delivery.objects,
                    AWS_CUR,
                    delivery.file_format,
                    delivery.billing_period,
                )
                self._loaded = load_files(self._source, wanted, lambda _: folder, self._load_id, self._progress)
                self._rows = self._loaded.slices[delivery.billing_period]
                stored = stored_totals(self._rows.files, AWS_CUR)
                self._prove(stored)
                self._accounts = stored.accounts
                self._refuse_accounts_of_other_sources()
                locations = self._lake.warehouse.keep(self._rows.files, self._folder)
            return self._commit(stored, locations)
        except (DeliveryChanged, LakeError, SourceError):
            raise
        except (DeliveryRefused, DeliveryFailed) as error:
            record_refused(self._lake, self._refused_receipt(error))
            raise
        finally:
            # After the commit these are needed, and stay; before it they are nobody's.
            remove_files_of_other_loads(self._lake, RAW_TABLE, self._slice, committed_loads(self._history))

    def _prove(self, stored: StoredTotals) -> None:
        month = self._delivery.billing_period
        refuse_unproven(f"{self._slice}, delivery {self._delivery.delivery_id}", self._loaded, {month: stored})
        if not self._source.is_unchanged(self._delivery):
            raise DeliveryChanged(
                f"{self._slice}: delivery {self._delivery.delivery_id} was replaced while it was read.", "Run it again."
            )

    def _commit(self, stored: StoredTotals, locations: Sequence[str]) -> LoadResult:
        self._may_commit()
        totals = control_total_rows(self._rows.totals, stored)
        objects = [(each.key, each.etag, each.size, self._loaded.records[each.key]) for each in self._delivery.objects]
        proof = digest_of(f"{self._slice} {self._delivery.delivery_id}", objects, self._rows.totals.row_count, totals)
        receipt = self._receipt(ACCEPTED, "", proof)
        files = [dict(zip(("key", "etag", "size", "rows"), each, strict=True)) for each in objects]
        refused = {each.load_id for each in self._history.refused}
        record_accepted(self._lake, receipt, totals, files, committed_loads(self._history), refused)
        labels = {"rows": str(receipt.rows), "receipt-digest": receipt.digest}
        with commit_lock(self._lake, str(self._slice)):
            replace_slices(
                self._lake,
                RAW_TABLE,
                [self._slice],
                locations,
                {**commit_labels(receipt.delivery_id, receipt.load_id, [self._slice]), **labels},
                guard=self._may_commit,
            )
        return LoadResult(
            Status.LOADED,
            (receipt,),
            time.monotonic() - self._started,
            {receipt.billing_period: receipt.rows},
            {receipt.billing_period: self._rows.totals.by_currency(AWS_CUR.cost)},
            {receipt.billing_period: stored.top_services},
            previous=self._history.committed,
        )

    def _may_commit(self) -> None:
        self._lock.ensure_held()
        self._refuse_accounts_of_other_sources()

    def _refuse_accounts_of_other_sources(self) -> None:
        """An account's month comes from one source only, or its costs would add up twice."""
        refuse_other_holders(self._lake, RAW_TABLE, self._slice.source, {self._slice.billing_period: self._accounts})

    def _refused_receipt(self, error: CostLakehouseError) -> Receipt:
        reason = str(error)
        return self._receipt(REFUSED, reason, digest_of(f"{self._slice} {self._delivery.delivery_id} {reason}", [], 0, []))

    def _receipt(self, state: str, reason: str, digest: str) -> Receipt:
        delivery = self._delivery
        return Receipt(
            source=delivery.source,
            billing_period=delivery.billing_period,
            delivery_id=delivery.delivery_id,
            load_id=self._load_id,
            state=state,
            reason=reason,
            files=len(delivery.objects),
            rows=self._rows.totals.row_count,
            bytes=delivery.bytes,
            rejected=self._loaded.rejected_count,
            rejected_values=rejected_values_json(self._loaded.rejected),
            rounding_values=self._loaded.rounded,
            loaded_at=datetime.now(UTC),
            delivered_at=delivery.delivered_at.astimezone(UTC),
            fingerprint=delivery.fingerprint,
            digest=digest,
        )
