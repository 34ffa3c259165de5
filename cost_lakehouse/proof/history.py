"""Every delivery of a month, accepted or refused: what it held, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from cost_lakehouse.audit.receipts import REFUSED, Receipt
from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slice_totals import totals_by_load
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import COST_CHANGES
from cost_lakehouse.proof.changes import Loaded, bill_receipts
from cost_lakehouse.summaries.publish import published_status

PUBLISHED, PENDING, LOADED, EARLIER = "published", "pending", "loaded", "earlier"
Amounts = Mapping[str, Decimal]
"""Currency ('' where there is none) -> amount."""


@dataclass(frozen=True)
class HistoryEntry:
    """One delivery.

    ``state``: refused; published (the marts are of it); pending (held back: the month is closed); loaded (no summaries of it
    yet); earlier. ``totals`` are what it delivered, ``changed`` what it changed in the summaries, by currency.
    """

    receipt: Receipt
    state: str
    totals: Amounts = field(default_factory=dict)
    changed: Amounts = field(default_factory=dict)


def history(lake: Lake, slice_: Slice) -> list[HistoryEntry]:
    """A month's deliveries, oldest first. Raises LakeError where there was none."""
    known = bill_receipts(receipts(lake, slice_))
    if not known:
        raise LakeError(f"Nothing of {slice_} was ever loaded.", "Look what there is with `cost-lakehouse discover`.")
    tables = {receipt.raw_table for receipt in known}
    totals = {
        load_id: {currency or "": total.stored for currency, total in by_currency.items()}
        for table in tables
        for (_, load_id), by_currency in totals_by_load(lake, FORMATS[table].cost, table, slice_).items()
    }
    with connect(lake, [COST_CHANGES]) as connection:
        rows = connection.execute(
            "select changed_at, delivery_id, coalesce(currency_code, ''), sum(billed_cost) "
            f"from {COST_CHANGES} where {slice_.condition} group by all"
        ).fetchall()
    changed: dict[Loaded, dict[str, Decimal]] = {}
    for changed_at, delivery_id, currency, amount in rows:
        changed.setdefault(Loaded(changed_at, delivery_id), {})[currency] = amount
    return entries_of(known, totals, changed, published_status(lake, slice_))


def entries_of(
    known: Sequence[Receipt],
    totals: Mapping[str, Amounts],
    changed: Mapping[Loaded, Amounts],
    status: Sequence[Mapping[str, Any]],
) -> list[HistoryEntry]:
    """The same of receipts (oldest first), totals by load id, changes by load, and the month's ``bill_status``. Pure."""
    published = status[0]["loaded_at"] if status else None
    pending = status[0]["pending_loaded_at"] if status else None
    return [
        HistoryEntry(
            receipt,
            _state(receipt, published, pending),
            totals.get(receipt.load_id, {}),
            changed.get(Loaded(receipt.stored_at, receipt.delivery_id), {}),
        )
        for receipt in known
    ]


def _state(receipt: Receipt, published: datetime | None, pending: datetime | None) -> str:
    if receipt.state == REFUSED:
        return REFUSED
    at = receipt.stored_at
    if published is None or at > published:
        return PENDING if pending is not None and at <= pending else LOADED
    return PUBLISHED if at == published else EARLIER
