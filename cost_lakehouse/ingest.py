"""One delivery becomes one slice, with its receipt: the one place where sources, formats, lake and audit meet."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from cost_lakehouse.audit.receipts import (
    ACCEPTED,
    REFUSED,
    Receipt,
    control_total_rows,
    digest_of,
    rejected_values_json,
)
from cost_lakehouse.audit.stored_totals import StoredTotals, differences, stored_totals
from cost_lakehouse.errors import CostLakehouseError, DeliveryChanged, DeliveryFailed, DeliveryRefused, LakeError, SourceError
from cost_lakehouse.formats.table_format import AWS_CUR
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import StoredLoad, commit_labels, remove_files_of_other_loads, stored_loads
from cost_lakehouse.lake.ledger import LEDGERS, is_current, receipts, record_accepted, record_refused
from cost_lakehouse.lake.locks import Lock
from cost_lakehouse.lake.replace import replace_slices
from cost_lakehouse.lake.slice_writer import new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.load_files import FilesToLoad, LoadedFiles, LoadedSlice, load_files
from cost_lakehouse.loading.holders import Account, refuse_other_holders
from cost_lakehouse.progress import Progress
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.sources.discovery import manifest_is_unchanged
from cost_lakehouse.sources.object_store import ObjectStore

RAW_TABLE = "raw.aws_cur"
_LOCK_WAIT_SECONDS = 600


class Outcome(StrEnum):
    """What a load did."""

    LOADED = "loaded"
    UNCHANGED = "unchanged"  # the slice holds this delivery already
    OLDER = "older"  # the slice holds a newer delivery, which stays


class DeliveryState(StrEnum):
    """What a delivery is to the lake."""

    NEW = "new"
    CURRENT = "current"
    OLDER = "older"
    REFUSED = "refused"  # it was read before, exactly as it lies there, and refused


@dataclass(frozen=True)
class LoadResult:
    """What a load did and proved. ``totals`` is the unblended cost, a currency each; ``receipt`` that of the slice now."""

    outcome: Outcome
    receipt: Receipt
    previous: Receipt | None = None
    seconds: float = 0.0
    totals: dict[str, Decimal] = field(default_factory=dict)
    top_services: list[tuple[str, str, Decimal]] = field(default_factory=list)


@dataclass(frozen=True)
class SliceHistory:
    """What the lake knows of one slice."""

    stored: StoredLoad | None  # the load its rows come from
    accepted: tuple[Receipt, ...]  # oldest first
    committed: Receipt | None  # the newest accepted receipt that the slice's rows belong to
    refused: tuple[Receipt, ...]  # oldest first


def history_of(slice_: Slice, all_receipts: list[Receipt], stored: dict[Slice, StoredLoad]) -> SliceHistory:
    """Pick one slice's history. ``all_receipts`` are sorted, oldest first."""
    own = [each for each in all_receipts if (each.source, each.billing_period) == (slice_.source, slice_.billing_period)]
    accepted = tuple(each for each in own if each.state == ACCEPTED)
    load = stored.get(slice_)
    committed = [each for each in accepted if is_current(each, load)]
    refused = tuple(each for each in own if each.state == REFUSED)
    return SliceHistory(load, accepted, committed[-1] if committed else None, refused)


def delivery_state(delivery: Delivery, history: SliceHistory) -> DeliveryState:
    """What a delivery is to the lake; decides whether there is something to do. Pure."""
    committed = history.committed
    if committed is not None and committed is history.accepted[-1]:
        same = (committed.delivery_id, committed.fingerprint) == (delivery.delivery_id, delivery.fingerprint)
        if same:
            return DeliveryState.CURRENT
    if committed is not None and delivery.delivered_at < committed.delivered_at:
        return DeliveryState.OLDER
    refused = history.refused[-1] if history.refused else None
    if refused is not None and (refused.delivery_id, refused.fingerprint) == (delivery.delivery_id, delivery.fingerprint):
        return DeliveryState.REFUSED
    return DeliveryState.NEW


def load_delivery(
    lake: Lake, store: ObjectStore, delivery: Delivery, *, force: bool = False, progress: Progress | None = None
) -> LoadResult:
    """Load a delivery whole, or not at all.

    ``force`` loads a delivery again that is current, never one that is older than the slice's.
    Raises DeliveryRefused where its numbers would be wrong, DeliveryFailed or DeliveryChanged where it cannot be read whole
    (each is put on record, and the old slice stays), SourceError and LakeError where a place cannot be used.
    """
    started = time.monotonic()
    slice_ = Slice(delivery.source, delivery.billing_period)
    with lake.lock(f"load-{slice_.source}-{slice_.month}", f"The load of {slice_}", _LOCK_WAIT_SECONDS) as lock:
        history = history_of(slice_, receipts(lake, slice_, RAW_TABLE), stored_loads(lake, [slice_]))
        remove_files_of_other_loads(lake, RAW_TABLE, slice_, committed_loads(history))
        for name in LEDGERS:
            on_record = {each.load_id for each in (*history.accepted, *history.refused)}
            remove_files_of_other_loads(lake, name, slice_, on_record)
        state = delivery_state(delivery, history)
        if history.committed is not None and (state is DeliveryState.OLDER or (state is DeliveryState.CURRENT and not force)):
            outcome = Outcome.OLDER if state is DeliveryState.OLDER else Outcome.UNCHANGED
            return LoadResult(outcome, history.committed, history.committed)
        if progress is not None:
            progress.start(f"{slice_} {delivery.delivery_id}", delivery.bytes)
        try:
            return _Load(lake, store, delivery, history, started, progress, lock).run()
        finally:
            if progress is not None:
                progress.finish()


def committed_loads(history: SliceHistory) -> set[str]:
    """The loads of a slice that came to their commit.

    An accepted receipt that is newer than the slice's rows belongs to a load that was killed between the two.
    """
    if history.committed is None:
        return set()
    return {each.load_id for each in history.accepted if each.loaded_at <= history.committed.loaded_at}


def refuse_rejected(label: str, loaded: LoadedFiles) -> None:
    """Raise DeliveryRefused where a value cannot be stored exactly; ``label`` says whose it is."""
    if not loaded.rejected:
        return
    shown = "; ".join(str(each) for each in loaded.rejected[:3])
    more = f" (and {loaded.rejected_count - 3} more)" if loaded.rejected_count > 3 else ""
    count = f"{loaded.rejected_count:,} value{'' if loaded.rejected_count == 1 else 's'}"
    raise DeliveryRefused(
        f"{label}: {count} cannot be stored: {shown}{more}.",
        "The slice keeps its old rows. Ask the provider for a corrected delivery; it loads by itself when it arrives.",
        tuple(loaded.rejected),
        loaded.rejected_count,
    )


def refuse_differences(label: str, found: Sequence[str]) -> None:
    """Raise DeliveryRefused where something would be stored that was not delivered; ``found`` says what, a sentence each."""
    if found:
        raise DeliveryRefused(
            f"{label}: what would be stored is not what was delivered: {'; '.join(found[:5])}.",
            "Nothing was committed. This is a defect of the loader: please report it with this message.",
        )


@contextmanager
def commit_lock(lake: Lake, what: str) -> Iterator[None]:
    """One commit of line items at a time, whatever its table: two sources of one payer never pass each other unseen."""
    with lake.lock("commit-line-items", f"The commit of {what}", _LOCK_WAIT_SECONDS):
        yield


class _Load:
    """One attempt to load one delivery, under the slice's lock."""

    def __init__(
        self,
        lake: Lake,
        store: ObjectStore,
        delivery: Delivery,
        history: SliceHistory,
        started: float,
        progress: Progress | None,
        lock: Lock,
    ) -> None:
        self._lake = lake
        self._lock = lock
        self._store = store
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
                self._loaded = load_files(self._store, wanted, lambda _: folder, self._load_id, self._progress)
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
        loaded = self._loaded
        label = f"{self._slice}, delivery {self._delivery.delivery_id}"
        refuse_rejected(label, loaded)
        counted = sum(loaded.records.values())
        found = differences(self._rows.totals, stored)
        if counted != self._rows.totals.row_count:
            found.insert(0, f"{counted} records were counted, {self._rows.totals.row_count} were read")
        refuse_differences(label, found)
        if not manifest_is_unchanged(self._store, self._delivery):
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
            Outcome.LOADED,
            receipt,
            self._history.committed,
            time.monotonic() - self._started,
            self._rows.totals.by_currency(AWS_CUR.cost),
            stored.top_services,
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
