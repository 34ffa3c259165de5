"""``cost-lakehouse close``: one month is closed, accepted or reopened, and its marts follow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.commands.run import execute, print_summary
from cost_lakehouse.cli.interrupts import Interruption
from cost_lakehouse.cli.output import EXIT_FAILED, amount_shown, say
from cost_lakehouse.cli.progress import LoadBar
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.closing import Wish, close_month
from cost_lakehouse.summaries.closings import CLOSED
from cost_lakehouse.summaries.publish import published_status


def close_one(
    config: Path | None,
    source: str,
    month_text: str,
    action: str,
    note: str | None,
    without_invoice: bool,
    despite_difference: bool,
    interruption: Interruption,
) -> int:
    """Close, accept or reopen; the exit code. Raises CloseRefused where it may not be done."""
    settings = settings_of(config)
    month = month_of(month_text, settings)
    if month is None:
        raise ConfigurationError("No month is named.", "Write it as YYYY-MM, such as 2026-01.")
    slice_ = Slice(source, month)
    lake = Lake(settings)
    wish = Wish(action, note, without_invoice, despite_difference)
    done = close_month(lake, slice_, wish)
    entry = done.closing
    new = "" if done.is_new else " already"
    say(
        f"{slice_}:{new} {entry.action} at {entry.done_at:%Y-%m-%d %H:%M} UTC by {entry.done_by}, delivery {entry.delivery_id}."
    )
    if entry.invoices:
        say(f"  invoices: {entry.invoices}")
    failed = False
    if done.build_is_due and action != CLOSED:
        interruption.says = lambda: f"{slice_} is {entry.action}; the next `cost-lakehouse run` builds its summaries."
        with LoadBar() as bar:
            _, summary = execute(settings, lake, [], True, False, bar, interruption)
        if summary is not None:
            print_summary(summary)
            failed = not summary.ok
    for row in published_status(lake, slice_):
        say(f"  {_standing(row)}")
    return EXIT_FAILED if failed else 0


def _standing(row: Mapping[str, Any]) -> str:
    """A currency of a month as it stands now."""
    currency = row["currency_code"] or ""
    standing = f"{row['state']}: {amount_shown(row['billed_cost'])} {currency}".rstrip()
    if row["pending_delivery_id"] is None:
        return standing
    change = f"{amount_shown(row['pending_change'])} {currency}".rstrip()
    return f"{standing}; pending: {change} more by delivery {row['pending_delivery_id']} (`--accept` books it)"
