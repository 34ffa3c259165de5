"""Which rows leave the lake for a delivery, where a slice is the sum of many: those of objects that came again or are gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.loads import HeldObject, Loads
from cost_lakehouse.lake.retraction import Retraction, retract
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.sources.delivery import Delivery


@dataclass(frozen=True)
class Leaving:
    """Held objects by key: ``replaced`` come again and leave every month, ``gone`` leave the months that others take."""

    replaced: Mapping[str, HeldObject] = field(default_factory=dict)
    gone: Mapping[str, HeldObject] = field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        """All of them."""
        return {*self.replaced, *self.gone}

    def taken_out(self, month: date) -> dict[str, HeldObject]:
        """What is gone and has rows in a month."""
        return {key: item for key, item in self.gone.items() if month in item.rows}

    def of(self, month: date) -> list[HeldObject]:
        """What has rows in a month, which is taken out of it."""
        return [*(item for item in self.replaced.values() if month in item.rows), *self.taken_out(month).values()]


def leaving_of(delivery: Delivery, loads: Loads) -> Leaving:
    """What of the held objects leaves for a delivery: a whole month takes the place of all that has rows in it. Pure."""
    replaced = {found.key: loads.objects[found.key] for found in delivery.objects if found.key in loads.objects}
    gone = {
        key: item
        for key, item in loads.objects.items()
        if key not in replaced and (key in delivery.gone or delivery.billing_period in item.rows)
    }
    return Leaving(replaced, gone)


def retractions(
    lake: Lake, delivery: Delivery, leaving: Leaving, months: Collection[date], aside: Path
) -> dict[date, Retraction]:
    """Take what leaves out of the months that hold it, of what is gone only out of ``months``; nothing is committed.

    Rows that go are written below ``aside``. Raises DeliveryRefused where other rows are found than were put there.
    """
    known = {**leaving.replaced, **leaving.gone}
    keys: dict[date, set[str]] = {}
    for key, item in leaving.replaced.items():
        for month in item.rows:
            keys.setdefault(month, set()).add(key)
    for month in months:
        if gone := leaving.taken_out(month):
            keys.setdefault(month, set()).update(gone)
    found: dict[date, Retraction] = {}
    for month, own in sorted(keys.items()):
        slice_ = Slice(delivery.source, month)
        found[month] = retract(lake, delivery.table, slice_, own, aside)
        expected = sum(known[key].rows[month] for key in own)
        if found[month].rows != expected:
            raise DeliveryRefused(
                f"{slice_}: {found[month].rows} rows of {len(own)} files were found to replace; their loads put {expected} "
                "there.",
                "Nothing was committed. Somebody else changed the table; see its snapshots.",
            )
    return found
