"""``cost-lakehouse status``: what the lake holds for each source and month, and what went wrong last."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt
from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import console, money, print_json, say, size, table
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slice_totals import totals_by_delivery
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.survey import holdings
from cost_lakehouse.summaries.stale import stale_slices


@dataclass(frozen=True)
class SliceStatus:
    """How one (source, month) stands.

    ``held`` is the receipt of what the lake holds; ``refused`` that of a later delivery which was refused; ``shown`` the one
    whose numbers are shown, the first of the two that is there. ``totals`` are the unblended cost that the lake holds.
    """

    slice_: Slice
    held: Receipt | None
    refused: Receipt | None
    shown: Receipt
    totals: dict[str, Decimal]
    summarized: bool

    @property
    def state(self) -> str:
        """``refused`` where the newest try was refused, even though an older delivery is still held; else ``accepted``."""
        return REFUSED if self.refused else ACCEPTED


def statuses(lake: Lake) -> list[SliceStatus]:
    """How every (source, month) stands that was ever tried, sorted."""
    known = holdings(lake)
    totals = totals_by_delivery(lake)
    stale = {(each.source, each.billing_period) for each in stale_slices(lake)}
    found = []
    for slice_ in sorted(known.receipts):
        history = known.history(slice_)
        held, refused = history.committed, history.refused[-1] if history.refused else None
        if held and refused and held.loaded_at >= refused.loaded_at:
            refused = None
        shown = held or refused
        if shown is None:
            continue  # a first load was killed between its receipt and its commit: it never happened
        by_currency = totals.get((slice_, held.delivery_id), {}) if held else {}
        amounts = {currency: total.stored for currency, total in by_currency.items()}
        summarized = held is not None and (slice_.source, slice_.billing_period) not in stale
        found.append(SliceStatus(slice_, held, refused, shown, amounts, summarized))
    return found


def show_status(config: Path | None, as_json: bool) -> int:
    """Print how everything stands; the exit code (0: showing a failure is no failure)."""
    found = statuses(Lake(settings_of(config)))
    if as_json:
        print_json([_as_json(each) for each in found])
    elif not found:
        say("Nothing is loaded yet. Load what is delivered with `cost-lakehouse run`.")
    else:
        columns = ("source", "month", "delivery", "files", "rows", "bytes", "unblended cost", "loaded at (UTC)", "state")
        console().print(table(columns, [_as_row(each) for each in found], right=("files", "rows", "bytes", "unblended cost")))
        for each in found:
            if each.refused:
                say()
                say(f"{each.slice_}: delivery {each.refused.delivery_id} was refused: {each.refused.reason}")
    return 0


def _as_row(status: SliceStatus) -> tuple[Any, ...]:
    shown = status.shown
    state = status.state if status.summarized or not status.held else f"{status.state}, not summarized"
    held = (shown.files, f"{shown.rows:,}", size(shown.bytes), money(status.totals)) if status.held else ("", "", "", "")
    return (status.slice_.source, status.slice_.month, shown.delivery_id, *held, f"{shown.loaded_at:%Y-%m-%d %H:%M:%S}", state)


def _as_json(status: SliceStatus) -> dict[str, Any]:
    shown, held = status.shown, status.held
    return {
        "source": status.slice_.source,
        "billing_period": status.slice_.billing_period,
        "month": status.slice_.month,
        "delivery_id": shown.delivery_id,
        "files": held.files if held else 0,
        "rows": held.rows if held else 0,
        "bytes": held.bytes if held else 0,
        "totals": status.totals,
        "loaded_at": held.loaded_at if held else None,
        "delivered_at": shown.delivered_at,
        "state": status.state,
        "last_error": status.refused.reason if status.refused else None,
        "refused_delivery_id": status.refused.delivery_id if status.refused else None,
        "summarized": status.summarized,
    }
