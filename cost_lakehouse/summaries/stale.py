"""Which slices' summaries are older than their line items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import stored_deliveries
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.loads import held_loads, proven_of
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import INVOICE_COLUMNS, INVOICES
from cost_lakehouse.summaries.closings import LOCKED, Closing, Load, closed_months, closings

BILL_STATUS = "marts.bill_status"
AWS_CUR, OCI_COST, FOCUS, LAKEHOUSE = "raw.aws_cur", "raw.oci_cost", "raw.focus", "raw.lakehouse_costs"
"""The raw tables that are summarised. FOCUS repeats the others: where a source's month has rows in one of them, that counts."""


@dataclass(frozen=True, order=True)
class StaleSlice:
    """A slice whose published summaries are of another load, or of none (``published_delivery_id`` is None).

    ``marker`` tells apart what makes the same delivery stale again: invoices that were recorded, a closing that was accepted.
    """

    source: str
    billing_period: date
    delivery_id: str
    published_delivery_id: str | None
    marker: str = ""

    @property
    def slice(self) -> Slice:
        """The slice itself."""
        return Slice(self.source, self.billing_period)


def proven_receipts(lake: Lake) -> dict[Slice, Receipt]:
    """The newest receipt of every slice whose load came to its commit.

    A slice whose proof a killed load of the same delivery took is left out: its next load makes it whole.
    """
    loads = held_loads(lake, receipts(lake))
    repeated = {slice_ for name in (AWS_CUR, OCI_COST) for slice_ in stored_deliveries(lake, table_name=name)}
    focus = {slice_: item for slice_, item in proven_of(loads, FOCUS).items() if slice_ not in repeated}
    proven = proven_of(loads, AWS_CUR) | proven_of(loads, OCI_COST) | proven_of(loads, LAKEHOUSE) | focus
    first = lake.settings.lake.first_month
    # Files may reach back to months before the lake's first: their lines are kept, and no summary is made of them.
    return {slice_: item for slice_, item in proven.items() if slice_.billing_period >= first}


def unmoved(before: Mapping[Slice, Receipt], now: Mapping[Slice, Receipt], slices: Sequence[Slice]) -> list[Slice]:
    """The slices that hold the same load as before: what was built from them in between is of that load.

    A slice that was loaded meanwhile may have been read half-way between its receipt and its rows; it is stale again.
    """
    return [slice_ for slice_ in slices if slice_ in before and slice_ in now and before[slice_].load_id == now[slice_].load_id]


def stale_slices(lake: Lake, proven: Mapping[Slice, Receipt] | None = None, marts: Sequence[str] = ()) -> list[StaleSlice]:
    """Every slice to summarise, sorted. Reads the ledger and ``marts.bill_status``, no line items.

    Where one of ``marts`` (tables to publish) is not there yet, a model is new: every slice is to be summarised.
    """
    published = _published(lake) if all(lake.table_or_none(mart) is not None for mart in marts) else {}
    closed = closed_months(closings(lake))
    invoiced = _newest_invoices(lake)
    stale = []
    for slice_, receipt in (proven_receipts(lake) if proven is None else proven).items():
        known = published.get(slice_)
        load = receipt.delivery_id, receipt.stored_at
        if known is None or is_stale(load, known, closed.get(slice_), invoiced.get(slice_)):
            delivery_id = None if known is None else known.load[0]
            closing = closed.get(slice_)
            moments = (invoiced.get(slice_), closing.done_at if closing else None)
            marker = " ".join(moment.isoformat() for moment in moments if moment)
            stale.append(StaleSlice(slice_.source, slice_.billing_period, receipt.delivery_id, delivery_id, marker))
    return sorted(stale, key=lambda one: one.slice)


@dataclass(frozen=True)
class Published:
    """What ``bill_status`` says of a month: the load it is of, what is held back beside it, and what it knew of."""

    load: Load
    pending: Load | None
    state: str
    invoices_recorded_at: datetime | None


def is_stale(load: Load, published: Published, closing: Closing | None, invoiced_at: datetime | None) -> bool:
    """Whether a month is to be built: its raw slice holds ``load``, and the newest of its invoices was recorded then.

    Of a closed month another load than the one it was closed with is built once, to be held back beside what is published.
    """
    if (published.state == LOCKED) != (closing is not None):
        return True  # closed or reopened since
    if closing is not None and load != closing.load:
        return load not in (published.load, published.pending)
    return load != published.load or published.pending is not None or invoiced_at != published.invoices_recorded_at


def _published(lake: Lake) -> dict[Slice, Published]:
    """What is published of each month. ``bill_status`` is published last; one of before its columns were there says nothing."""
    table = lake.table_or_none(BILL_STATUS)
    if table is None or "pending_delivery_id" not in table.schema().column_names:
        return {}
    with connect(lake, [BILL_STATUS]) as connection:
        rows = connection.execute(
            "select distinct source, billing_period, delivery_id, loaded_at, pending_delivery_id, pending_loaded_at, state, "
            f"invoices_recorded_at from {BILL_STATUS}"
        ).fetchall()
    return {
        Slice(source, month): Published((delivery_id, loaded_at), (pending, pending_at) if pending else None, state, invoiced)
        for source, month, delivery_id, loaded_at, pending, pending_at, state, invoiced in rows
    }


def _newest_invoices(lake: Lake) -> dict[Slice, datetime]:
    """When the newest invoice of each month was recorded."""
    columns = pa.schema([INVOICE_COLUMNS.field(name) for name in ("source", "billing_period", "recorded_at")])
    found: dict[Slice, datetime] = {}
    for source, month, recorded_at in ledger_rows(lake, INVOICES, columns):
        slice_ = Slice(source, month)
        found[slice_] = max(recorded_at, found.get(slice_, recorded_at))
    return found
