"""Where a delivery stands against what the lake holds: whether there is something to load, and which of its objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.lake.loads import Loads
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.storage.object_store import StoredObject


@dataclass(frozen=True)
class Standing:
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


def standing_of(delivery: Delivery, loads: Loads) -> Standing:
    """Where a delivery stands; ``loads`` are those of its source into its table. Pure."""
    month = delivery.billing_period
    return _of_files(delivery, loads) if month is None else _of_month(delivery, month, loads)


def _of_month(delivery: Delivery, month: date, loads: Loads) -> Standing:
    """A whole month is what the last load of its month brought, or it is not: nothing of it is taken alone."""
    held, proven = loads.newest.get(month), loads.proven.get(month)
    if proven is not None and _is_of(proven, delivery):
        return Standing(Status.CURRENT, (), proven)
    if held is not None and delivery.delivered_at < held.delivered_at:
        return Standing(Status.OLDER, delivery.objects, held)
    refused = loads.refused_of(month)
    if refused and _is_of(refused[-1], delivery):
        return Standing(Status.REFUSED, delivery.objects, refused[-1])
    return Standing(Status.NEW, delivery.objects, held)


def _is_of(receipt: Receipt, delivery: Delivery) -> bool:
    return (receipt.delivery_id, receipt.fingerprint) == (delivery.delivery_id, delivery.fingerprint)


def _of_files(delivery: Delivery, loads: Loads) -> Standing:
    """Files are taken one by one; copies of what is gone, whose lines only that one has, with what takes its place."""
    parts = sort_objects(delivery.objects, loads)
    held = {found for found in parts.loaded if loads.objects[found.key].repeats not in delivery.gone}
    todo = tuple(found for found in delivery.objects if found not in held)
    if not todo:
        return Standing(Status.CURRENT)
    if parts.refused and not parts.new:
        return Standing(Status.REFUSED, todo, loads.refusals[-1] if loads.refusals else None)
    return Standing(Status.NEW, todo)


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
