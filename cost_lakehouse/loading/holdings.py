"""What the lake holds, read once for many comparisons, and what a delivery is to it: whether there is something to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.loads import Loads, held_loads
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.storage.object_store import StoredObject


@dataclass(frozen=True)
class Holdings:
    """The loads of every source into every raw table."""

    loads: Mapping[tuple[str, str], Loads]  # by source and raw table

    def of(self, source: str, table: str) -> Loads:
        """What one source's loads put into one raw table."""
        return self.loads.get((source, table), Loads())


def holdings(lake: Lake) -> Holdings:
    """Read what the lake holds.

    Raises LakeError where it cannot be read.
    """
    return Holdings(held_loads(lake, receipts(lake)))


@dataclass(frozen=True)
class Comparison:
    """NEW, CURRENT, OLDER or REFUSED; ``objects`` are those that the lake does not hold as they are.

    ``receipt`` is of what decides: the load that holds the delivery or a newer one, or the refusal.
    """

    status: Status
    objects: tuple[StoredObject, ...] = ()
    receipt: Receipt | None = None

    @property
    def reason(self) -> str:
        """Why it was refused; empty otherwise."""
        return self.receipt.reason if self.receipt is not None and self.status is Status.REFUSED else ""

    @property
    def may_pass(self) -> bool:
        """Whether it was refused for something else than its values, which another try may find otherwise."""
        return self.receipt is not None and self.status is Status.REFUSED and not self.receipt.rejected


def compared(delivery: Delivery, loads: Loads) -> Comparison:
    """What a delivery is to the lake; ``loads`` are those of its source into its table. Pure."""
    month = delivery.billing_period
    return _of_files(delivery, loads) if month is None else _of_month(delivery, month, loads)


def _of_month(delivery: Delivery, month: date, loads: Loads) -> Comparison:
    """A whole month is what the last load of its month brought, or it is not: nothing of it is taken alone."""
    held, proven = loads.newest.get(month), loads.proven.get(month)
    if proven is not None and _is_of(proven, delivery):
        return Comparison(Status.CURRENT, (), proven)
    if held is not None and delivery.delivered_at < held.delivered_at:
        return Comparison(Status.OLDER, delivery.objects, held)
    refused = loads.refused_of(month)
    if refused and _is_of(refused[-1], delivery):
        return Comparison(Status.REFUSED, delivery.objects, refused[-1])
    return Comparison(Status.NEW, delivery.objects, held)


def _is_of(receipt: Receipt, delivery: Delivery) -> bool:
    return (receipt.delivery_id, receipt.fingerprint) == (delivery.delivery_id, delivery.fingerprint)


def _of_files(delivery: Delivery, loads: Loads) -> Comparison:
    """Files are taken one by one; copies of what is gone, whose lines only that one has, with what takes its place."""
    parts = sort_objects(delivery.objects, loads)
    held = {found for found in parts.loaded if loads.objects[found.key].repeats not in delivery.gone}
    todo = tuple(found for found in delivery.objects if found not in held)
    if not todo:
        return Comparison(Status.CURRENT)
    if parts.refused and not parts.new:
        return Comparison(Status.REFUSED, todo, loads.refusals[-1] if loads.refusals else None)
    return Comparison(Status.NEW, todo)


@dataclass(frozen=True)
class Sorted:
    """What is listed of one kind of report, against what the lake knows."""

    new: tuple[StoredObject, ...]
    refused: tuple[StoredObject, ...]
    loaded: tuple[StoredObject, ...]


def sort_objects(listed: Sequence[StoredObject], loads: Loads) -> Sorted:
    """What is new, what was refused as it lies there, and what the lake holds. Pure.

    The whole set counts, not the last name: new names may sort before old ones. An object with another ETag is new.
    """
    parts: tuple[list[StoredObject], list[StoredObject], list[StoredObject]] = ([], [], [])
    for found in listed:
        held = loads.objects.get(found.key)
        if held is not None and held.etag == found.etag:
            parts[2].append(found)
        elif (found.key, found.etag) in loads.refused_objects:
            parts[1].append(found)
        else:
            parts[0].append(found)
    new, refused, loaded = (tuple(part) for part in parts)
    return Sorted(new, refused, loaded)
