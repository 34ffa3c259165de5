"""Closes a month, accepts what came after, or reopens it: an entry in the log ``raw.closings``, then ``bill_status``.

Whether it may be done is decided here, without any lake: see ``refusal``.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from cost_lakehouse.errors import CloseRefused
from cost_lakehouse.invoices.comparison import AGREES, DIFFERS, NO_INVOICE, NO_ROWS, ComparedInvoice, compared_invoices
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import append_rows
from cost_lakehouse.lake.tables import CLOSING_COLUMNS, CLOSINGS
from cost_lakehouse.summaries.closings import ACCEPTED, CLOSED, REOPENED, Closing, closed_months, closings
from cost_lakehouse.summaries.publish import mark_closed, published_status
from cost_lakehouse.summaries.stale import proven_receipts, stale_slices

_WAIT_SECONDS = 600.0
_OPEN = ("open", "estimated")


@dataclass(frozen=True)
class Wish:
    """What somebody asks for; ``without_invoice`` and ``despite_difference`` close a month that its invoices do not prove."""

    action: str = CLOSED
    note: str | None = None
    without_invoice: bool = False
    despite_difference: bool = False


@dataclass(frozen=True)
class Done:
    """What was done with a month: its entry in the log (of a repetition, the one that was there), and whether it is new.

    ``build_is_due``: the marts follow by the next build.
    """

    closing: Closing
    is_new: bool
    build_is_due: bool


def close_month(lake: Lake, slice_: Slice, wish: Wish, now: datetime | None = None) -> Done:
    """Close, accept or reopen a month, as ``wish`` says. The same again changes nothing; killed, it is called again.

    Raises CloseRefused where it may not be done, with what to do; LakeError.
    """
    with lake.lock("publish", f"Closing {slice_}", _WAIT_SECONDS) as lock:
        status = published_status(lake, slice_)
        log = closings(lake)
        closing = closed_months(log).get(slice_)
        invoices = [row for row in compared_invoices(lake) if Slice(row.source, row.billing_period) == slice_]
        stale = slice_ in {entry.slice for entry in stale_slices(lake)} if closing is None else False
        said = refusal(slice_, wish, status, closing, invoices, stale)
        if said is not None:
            raise CloseRefused(*said)
        if closing is not None and repeats(wish, closing, status):
            entry = closing
        else:
            moment = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
            # Two entries of a month have an order, whatever the clock says.
            before = [item.done_at + timedelta(microseconds=1) for item in log if item.slice == slice_]
            entry = _entry(slice_, wish, status, invoices, max(moment, *before) if before else moment)
            rows = {slice_: [{name: getattr(entry, name) for name in CLOSING_COLUMNS.names}]}
            append_rows(lake, CLOSINGS, CLOSING_COLUMNS, rows, lock.ensure_held)
        due = wish.action != CLOSED and status[0]["pending_delivery_id"] is not None
        if not due:
            mark_closed(lake, slice_, entry if entry.locks else None)
    return Done(entry, entry is not closing, due or _raw_moved_on(lake, slice_, entry))


def refusal(
    slice_: Slice,
    wish: Wish,
    status: Sequence[Mapping[str, Any]],
    closing: Closing | None,
    invoices: Sequence[ComparedInvoice],
    stale: bool,
) -> tuple[str, str] | None:
    """Why a month may not be closed, accepted or reopened, and what to do; None where it may. Pure.

    ``status`` are its rows in ``bill_status``, ``closing`` how it is closed now, ``stale`` whether something waits to be built.
    """
    if not status:
        return f"{slice_}: the lake holds no published bill of it.", "`cost-lakehouse status` lists the months there are."
    if wish.action in (ACCEPTED, REOPENED):
        if closing is None:
            return f"{slice_} is not closed.", f"Close it: `cost-lakehouse close {slice_}`."
        if wish.action == ACCEPTED and not repeats(wish, closing, status) and status[0]["pending_delivery_id"] is None:
            return (
                f"{slice_}: nothing is pending.",
                "A delivery that came after the closing is pending once `run` has looked at it.",
            )
        return None
    if closing is not None:
        return None
    if stale:
        return (
            f"{slice_}: its summaries are older than what was delivered or invoiced.",
            "Run `cost-lakehouse run`, then close it.",
        )
    if status[0]["state"] == "open":
        return f"{slice_} is not over, or was not delivered since.", "Close it when its last day is delivered."
    waiting = [row for row in invoices if row.state not in (AGREES, DIFFERS, NO_INVOICE, NO_ROWS)]
    if waiting:
        return f"{slice_}: invoice {waiting[0].invoice_id} was not compared yet.", "Run `cost-lakehouse run`, then close it."
    bad = [row for row in invoices if row.state in (DIFFERS, NO_ROWS)]
    if bad and not (wish.despite_difference and wish.note):
        reasons = "; ".join(_reason(row) for row in bad)
        return (
            f"{slice_}: {reasons}.",
            "Correct the invoice (`invoices import`), wait for the next delivery, or say why it may be closed all the same: "
            "`--despite-difference --note TEXT`.",
        )
    missing = [row for row in invoices if row.state == NO_INVOICE]
    is_proven = any(row.state in (AGREES, DIFFERS) for row in invoices)
    if (missing or not is_proven) and not wish.without_invoice:
        ids = ", ".join(str(row.invoice_id) for row in missing)
        problem = f"invoice {ids} is not on record" if missing else "no invoice is on record"
        return (
            f"{slice_}: {problem}, so nothing proves the month from outside.",
            "Record it (`cost-lakehouse invoices import FILE`, `invoices fetch`), then `run`; or close it `--without-invoice`.",
        )
    return None


def repeats(wish: Wish, closing: Closing, status: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a closed month is already as it is wished: then nothing is added to the log."""
    if wish.action == REOPENED:
        return False
    pending = status[0]["pending_delivery_id"], status[0]["pending_loaded_at"]
    if wish.action == ACCEPTED:
        return closing.action == ACCEPTED and pending in ((None, None), closing.load)
    return True


def _reason(row: ComparedInvoice) -> str:
    if row.state == NO_ROWS:
        return f"no line of the bill names invoice {row.invoice_id}"
    because = f" ({row.explanation})" if row.explanation else ""
    return f"invoice {row.invoice_id} differs by {row.difference} {row.currency_code}{because}"


def _entry(
    slice_: Slice,
    wish: Wish,
    status: Sequence[Mapping[str, Any]],
    invoices: Sequence[ComparedInvoice],
    moment: datetime,
) -> Closing:
    first = status[0]
    is_pending = wish.action == ACCEPTED
    load = ("pending_delivery_id", "pending_loaded_at") if is_pending else ("delivery_id", "loaded_at")
    cost = "pending_billed_cost" if is_pending else "billed_cost"
    totals = {row["currency_code"] or "": format(row[cost] or Decimal(0), "f") for row in status}
    return Closing(
        source=slice_.source,
        billing_period=slice_.billing_period,
        delivery_id=first[load[0]],
        loaded_at=first[load[1]],
        action=wish.action,
        done_at=moment,
        done_by=_who(),
        note=wish.note,
        bill_state=first["bill_state"],
        invoices=", ".join(f"{row.invoice_id}: {row.state}" for row in invoices) or None,
        totals=json.dumps(totals, sort_keys=True),
    )


def _raw_moved_on(lake: Lake, slice_: Slice, entry: Closing) -> bool:
    """Whether another delivery than the closed one waits to be looked at."""
    receipt = proven_receipts(lake).get(slice_)
    return receipt is not None and (receipt.delivery_id, receipt.stored_at) != entry.load


def _who() -> str:
    """The user of this machine who asks."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
