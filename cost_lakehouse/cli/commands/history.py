"""``cost-lakehouse history``: every delivery of a month, and what it changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cost_lakehouse.cli.choices import month_of, settings_of
from cost_lakehouse.cli.output import money, print_json, print_table
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.history import HistoryEntry, history

_COLUMNS = (
    Column("loaded at"),
    Column("delivery", "id"),
    Column("state"),
    Column("rows", "number", 2),
    Column("total", "number", 1),
    Column("changed", "number"),
    Column("reason", "note", 3),
)


def show_history(config: Path | None, source: str, month_text: str, as_json: bool) -> int:
    """Print a month's deliveries, oldest first; the exit code. Raises ConfigurationError, LakeError."""
    settings = settings_of(config)
    settings.source(source)
    month = month_of(month_text, settings)
    if month is None:
        raise ConfigurationError("No month is named.", "Write it as YYYY-MM, such as 2026-01.")
    found = history(Lake(settings), Slice(source, month))
    if as_json:
        print_json([_as_json(entry) for entry in found])
    else:
        print_table(_COLUMNS, [_as_row(entry) for entry in found], f"{source} {month:%Y-%m}", "`--json` has all.")
    return 0


def _as_row(entry: HistoryEntry) -> tuple[Any, ...]:
    receipt = entry.receipt
    at = f"{receipt.loaded_at:%Y-%m-%d %H:%M}"
    return at, receipt.delivery_id, entry.state, receipt.rows, money(entry.totals), money(entry.changed), receipt.reason


def _as_json(entry: HistoryEntry) -> dict[str, Any]:
    receipt = entry.receipt
    return {
        "source": receipt.source,
        "billing_period": receipt.billing_period,
        "delivery_id": receipt.delivery_id,
        "loaded_at": receipt.loaded_at,
        "delivered_at": receipt.delivered_at,
        "state": entry.state,
        "reason": receipt.reason,
        "files": receipt.files,
        "rows": receipt.rows,
        "totals": dict(entry.totals),
        "changed": dict(entry.changed),
    }
