"""Closed months: the log of who closed what, and what of a later delivery is held back until somebody accepts it.

The raw slice is always the newest delivery: it is the provider's word, and its receipt proves it. Of a closed month the marts
stay those of the delivery that it was closed with, and ``bill_status`` says beside it what the later one would make of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import CLOSING_COLUMNS, CLOSINGS

CLOSED, ACCEPTED, REOPENED = "closed", "accepted", "reopened"
LOCKED = "locked"
Load = tuple[str, datetime]
"""A delivery and when it was loaded (UTC, without zone), which tells one that was replaced under its own id."""


@dataclass(frozen=True)
class Closing:
    """One entry of the log: what was done with a month, by whom, when (UTC without zone), about which delivery."""

    source: str
    billing_period: date
    delivery_id: str
    loaded_at: datetime
    action: str
    done_at: datetime
    done_by: str
    note: str | None
    bill_state: str | None
    invoices: str | None
    totals: str  # JSON: currency -> amount as text

    @property
    def slice(self) -> Slice:
        """The month."""
        return Slice(self.source, self.billing_period)

    @property
    def load(self) -> Load:
        """What the month was closed with."""
        return self.delivery_id, self.loaded_at

    @property
    def locks(self) -> bool:
        """Whether the month is closed after it."""
        return self.action != REOPENED


def closings(lake: Lake) -> list[Closing]:
    """The whole log, oldest first."""
    rows = (Closing(*row) for row in ledger_rows(lake, CLOSINGS, CLOSING_COLUMNS))
    return sorted(rows, key=lambda entry: (entry.done_at, entry.source, entry.billing_period))


def closed_months(log: Sequence[Closing]) -> dict[Slice, Closing]:
    """The months that are closed, each with the entry that says with which delivery; ``log`` is in the order of time."""
    last = {entry.slice: entry for entry in log}
    return {slice_: entry for slice_, entry in last.items() if entry.locks}


def with_closing(
    closing: Closing, built: Sequence[Mapping[str, Any]], published: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of ``bill_status`` of a closed month: as built, or as published where what was built is of another delivery.

    Published ones then say what the later delivery would make of each currency; one that it alone has is a row of cost 0.
    """
    locked = {
        "state": LOCKED,
        "closed_at": closing.done_at,
        "closed_by": closing.done_by,
        "closing_note": closing.note,
    }
    if not is_held(closing, built) or not published:
        return [{**row, **locked} for row in built]
    costs: dict[str | None, Decimal] = {row["currency_code"]: row["billed_cost"] for row in built}
    pending = {"pending_delivery_id": built[0]["delivery_id"], "pending_loaded_at": built[0]["loaded_at"]}
    kept = []
    for row in published:
        cost = costs.pop(row["currency_code"], Decimal(0))
        kept.append({**row, **locked, **pending, **_change(row["billed_cost"], cost)})
    new = [row for row in built if row["currency_code"] in costs and row["billed_cost"]]
    first = kept[0]
    for row in new:
        nothing = {"billed_cost": Decimal(0), "line_item_count": 0, "invoice_ids": None}
        said = {name: row[name] for name in ("bill_status_id", "currency_code")}
        kept.append({**first, **said, **nothing, **_change(Decimal(0), row["billed_cost"])})
    return kept


def is_held(closing: Closing, built: Sequence[Mapping[str, Any]]) -> bool:
    """Whether what was built is of another delivery than the one that the month was closed with."""
    return any((row["delivery_id"], row["loaded_at"]) != closing.load for row in built)


def _change(published: Decimal, pending: Decimal) -> dict[str, Decimal]:
    return {"pending_billed_cost": pending, "pending_change": EXACT.subtract(pending, published)}
