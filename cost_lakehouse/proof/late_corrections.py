"""Which late corrections somebody has to know of: deliveries that change a month after it was invoiced or closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from cost_lakehouse.audit.receipts import plain
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.closings import Closing, Load, closed_months, closings
from cost_lakehouse.summaries.correction_log import late_corrections
from cost_lakehouse.summaries.stale import BILL_STATUS

NEWS = timedelta(days=30)
"""How long a correction of a month that was invoiced, and not closed, is told of: nobody accepts it."""


@dataclass(frozen=True)
class LateCorrection:
    """One delivery that changed a settled month.

    ``changes`` are (account, currency) -> billed cost; times are UTC without zone; ``is_pending``: no mart has it.
    """

    source: str
    billing_period: date
    delivery_id: str
    loaded_at: datetime
    state_before: str
    closed_at: datetime
    invoice_ids: str
    found_at: datetime
    is_pending: bool
    changes: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)

    @property
    def slice(self) -> Slice:
        """The month."""
        return Slice(self.source, self.billing_period)

    @property
    def totals(self) -> dict[str, Decimal]:
        """Currency -> how much the month costs more; currencies are never added."""
        found: dict[str, Decimal] = {}
        for (_, currency), change in self.changes.items():
            found[currency] = EXACT.add(found.get(currency, Decimal(0)), change)
        return found


def open_corrections(lake: Lake, now: datetime) -> list[LateCorrection]:
    """Those that wait for somebody, a month each: pending in a closed month, or new in one that was invoiced.

    ``now`` is UTC without zone. Raises LakeError where the lake cannot be read.
    """
    log = late_corrections(lake)
    if not log:
        return []
    return corrections_of(log, pending_loads(lake), closed_months(closings(lake)), now)


def corrections_of(
    log: Sequence[Mapping[str, Any]], pending: Mapping[Slice, Load], closed: Mapping[Slice, Closing], now: datetime
) -> list[LateCorrection]:
    """The same of the log's rows, oldest first, what is held back of each month, and the months that are closed. Pure."""
    by_load: dict[tuple[Slice, Load], list[Mapping[str, Any]]] = {}
    for row in log:
        slice_ = Slice(row["source"], row["billing_period"])
        by_load.setdefault((slice_, (row["delivery_id"], row["loaded_at"])), []).append(row)
    found: dict[Slice, LateCorrection] = {}
    for (slice_, load), rows in by_load.items():
        is_pending = pending.get(slice_) == load
        # Of a closed month only what is held back is open: whoever closed or accepted it has seen the rest.
        is_news = slice_ not in closed and rows[0]["state_before"] != "locked" and now - rows[0]["found_at"] < NEWS
        if not (is_pending or is_news):
            continue
        first = rows[0]
        changes = {(row["account_id"] or "", row["currency_code"] or ""): row["billed_cost_change"] for row in rows}
        found[slice_] = LateCorrection(
            source=slice_.source,
            billing_period=slice_.billing_period,
            delivery_id=load[0],
            loaded_at=load[1],
            state_before=first["state_before"],
            closed_at=first["closed_at"],
            invoice_ids=first["invoice_ids"] or "",
            found_at=first["found_at"],
            is_pending=is_pending,
            changes=changes,
        )
    return sorted(found.values(), key=lambda entry: entry.slice)


def pending_loads(lake: Lake) -> dict[Slice, Load]:
    """The closed months of which a later delivery is held back, and that delivery."""
    table = lake.table_or_none(BILL_STATUS)
    if table is None or "pending_delivery_id" not in table.schema().column_names:
        return {}
    with connect(lake, [BILL_STATUS]) as connection:
        rows = connection.execute(
            "select distinct source, billing_period, pending_delivery_id, pending_loaded_at from marts.bill_status "
            "where pending_delivery_id is not null"
        ).fetchall()
    return {Slice(source, month): (delivery_id, loaded_at) for source, month, delivery_id, loaded_at in rows}


def problem_of(correction: LateCorrection) -> tuple[str, str, tuple[str, ...]]:
    """A correction for people: what happened, what to do, and a line for each account. Pure."""
    since = f"{correction.closed_at:%Y-%m-%d %H:%M} UTC"
    was = f"closed since {since}" if correction.state_before == "locked" else f"{correction.state_before} since {since}"
    totals = ", ".join(_signed(change, currency) for currency, change in sorted(correction.totals.items()))
    invoice_ids = f", invoice {correction.invoice_ids}" if correction.invoice_ids else ""
    problem = f"{correction.slice}, {was}{invoice_ids}: delivery {correction.delivery_id} changes it by {totals}"
    if correction.is_pending:
        problem += ". It is pending: no mart has it"
        fix = (
            f"Look at it, then `cost-lakehouse close {correction.slice} --accept --note TEXT`, or reopen the month: `--reopen`."
        )
    else:
        fix = (
            f"Tell whoever booked the invoice; once it is settled, close the month: `cost-lakehouse close {correction.slice}`."
        )
    lines = tuple(
        f"account {account or '(none)'}: {_signed(change, currency)}"
        for (account, currency), change in sorted(correction.changes.items(), key=lambda item: -abs(item[1]))
    )
    return f"{problem}.", fix, lines


def _signed(change: Decimal, currency: str) -> str:
    text = plain(change)
    return f"{'' if text.startswith('-') else '+'}{text} {currency}".strip()
