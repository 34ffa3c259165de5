"""What the lake holds, read once and compared with what is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import StoredLoad, stored_loads
from cost_lakehouse.lake.increments import Increments, held_increments
from cost_lakehouse.lake.ledger import is_current, receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import INCREMENT_TABLES
from cost_lakehouse.sources.delivery import Delivery, Status


@dataclass(frozen=True)
class SliceHistory:
    """What the lake knows of one slice."""

    stored: StoredLoad | None  # the load its rows come from
    accepted: tuple[Receipt, ...]  # oldest first
    committed: Receipt | None  # the newest accepted receipt that the slice's rows belong to
    refused: tuple[Receipt, ...]  # oldest first


def history_of(slice_: Slice, all_receipts: list[Receipt], stored: dict[Slice, StoredLoad]) -> SliceHistory:
    """Pick one slice's history. ``all_receipts`` are sorted, oldest first."""
    own = [
        receipt
        for receipt in all_receipts
        if (receipt.source, receipt.billing_period) == (slice_.source, slice_.billing_period)
    ]
    accepted = tuple(entry for entry in own if entry.state == ACCEPTED)
    load = stored.get(slice_)
    committed = [receipt for receipt in accepted if is_current(receipt, load)]
    refused = tuple(entry for entry in own if entry.state == REFUSED)
    return SliceHistory(load, accepted, committed[-1] if committed else None, refused)


def delivery_status(delivery: Delivery, history: SliceHistory) -> Status:
    """What a delivery is to the lake; decides whether there is something to do. Pure."""
    committed = history.committed
    if committed is not None and committed is history.accepted[-1]:
        same = (committed.delivery_id, committed.fingerprint) == (delivery.delivery_id, delivery.fingerprint)
        if same:
            return Status.CURRENT
    if committed is not None and delivery.delivered_at < committed.delivered_at:
        return Status.OLDER
    refused = history.refused[-1] if history.refused else None
    if refused is not None and (refused.delivery_id, refused.fingerprint) == (delivery.delivery_id, delivery.fingerprint):
        return Status.REFUSED
    return Status.NEW


def committed_loads(history: SliceHistory) -> set[str]:
    """The loads of a slice that came to their commit.

    An accepted receipt that is newer than the slice's rows belongs to a load that was killed between the two.
    """
    if history.committed is None:
        return set()
    return {load.load_id for load in history.accepted if load.loaded_at <= history.committed.loaded_at}


@dataclass(frozen=True)
class Holdings:
    """What the lake holds, read once for many comparisons."""

    receipts: Mapping[Slice, list[Receipt]]  # oldest first
    stored: dict[Slice, StoredLoad]
    increments: Mapping[tuple[str, str], Increments] = field(default_factory=dict)  # by source and raw table

    def history(self, slice_: Slice) -> SliceHistory:
        """What the lake knows of one slice."""
        return history_of(slice_, self.receipts.get(slice_, []), self.stored)


def holdings(lake: Lake) -> Holdings:
    """Read what the lake holds.

    Raises LakeError where it cannot be read.
    """
    known = receipts(lake)
    by_slice: dict[Slice, list[Receipt]] = {}
    for candidate in known:
        if candidate.raw_table not in INCREMENT_TABLES:
            by_slice.setdefault(Slice(candidate.source, candidate.billing_period), []).append(candidate)
    return Holdings(by_slice, stored_loads(lake), held_increments(lake, known))
