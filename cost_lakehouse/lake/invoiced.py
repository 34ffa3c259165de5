"""When each month was first invoiced, and the tables as they were then: publication says so, and maintenance keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.manifests import is_sliced
from cost_lakehouse.lake.moments import moment_of_snapshot, table_at
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.table_by_month import ShownTable, TableByMonth

INVOICED_LABEL = "cost-lakehouse.invoiced"
"""What the snapshot of ``marts.bill_status`` that publishes months as invoiced for the first time calls them by."""
_BILL_STATUS = "marts.bill_status"


@dataclass(frozen=True)
class AsInvoiced:
    """The state of each month at which it was first invoiced; ``moments`` are UTC without zone, at least one."""

    moments: Mapping[Slice, datetime] = field(default_factory=dict)


Moment = datetime | AsInvoiced
"""What ``--as-of`` can mean: a time (UTC, without zone), or of each month the state at which it was first invoiced."""


def invoiced_label(slices: Iterable[Slice]) -> dict[str, str]:
    """The label of a snapshot that publishes these months as invoiced for the first time; nothing where there is none."""
    named = ", ".join(map(str, sorted(slices)))
    return {INVOICED_LABEL: named} if named else {}


def invoiced_moments(lake: Lake) -> dict[Slice, datetime]:
    """The moment (UTC without zone) at which each month was first published as invoiced, as far as snapshots of it are kept."""
    table = lake.table_or_none(_BILL_STATUS)
    if table is None:
        return {}
    found: dict[Slice, datetime] = {}
    # The table that was just looked for may have been read without its history.
    for snapshot in sorted(lake.table(_BILL_STATUS).metadata.snapshots, key=lambda one: one.sequence_number or 0):
        label = snapshot.summary.additional_properties.get(INVOICED_LABEL) if snapshot.summary else None
        for named in (label or "").split(", "):
            source, _, month = named.rpartition(" ")
            if source:
                found.setdefault(Slice(source, datetime.fromisoformat(f"{month}-01").date()), moment_of_snapshot(snapshot))
    return found


def tables_as_invoiced(lake: Lake, asked: AsInvoiced, names: Iterable[str]) -> dict[str, ShownTable]:
    """Tables of which each month is shown as it was when it was first invoiced, and no other month.

    A table without months is shown as it was at the last of these moments. Raises LakeError where one is not kept any more.
    """
    by_moment: dict[datetime, list[Slice]] = {}
    for slice_, moment in asked.moments.items():
        by_moment.setdefault(moment, []).append(slice_)
    moments = sorted(by_moment, reverse=True)
    found: dict[str, ShownTable] = {}
    for name in names:
        table = lake.table(name)
        shown = []
        for moment in moments if is_sliced(table) else moments[:1]:
            slices = tuple(sorted(by_moment[moment]))
            try:
                shown.append((table_at(table, moment), slices))
            except LakeError as error:
                raise LakeError(f"{slices[0]} as it was first invoiced: {error.problem}", error.fix) from None
        found[name] = TableByMonth(tuple(shown)) if is_sliced(table) else shown[0][0]
    return found
