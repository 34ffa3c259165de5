"""Reads ``marts.cost_changes``: which deliveries a month's summaries have seen, and what they changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from cost_lakehouse.audit.receipts import ACCEPTED, Receipt
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import BILLS, receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import COST_CHANGES
from cost_lakehouse.summaries.publish import published_status

DIMENSIONS = {
    "day": "usage_date",
    "account": "account_id",
    "service": "service",
    "type": "line_item_type",
}
"""What changes can be told apart by: the word on the command line, and the ledger's column."""


@dataclass(frozen=True, order=True)
class Loaded:
    """A delivery of a month and when it was loaded (UTC, without zone)."""

    at: datetime
    delivery_id: str


@dataclass(frozen=True)
class CellChange:
    """One cell (values of the chosen dimensions, and a currency) at two moments."""

    values: tuple[str | date | None, ...]
    currency_code: str | None
    before: Decimal
    after: Decimal
    effective_change: Decimal
    lines_before: int
    lines_after: int

    @property
    def change(self) -> Decimal:
        """By how much more is billed."""
        return EXACT.subtract(self.after, self.before)

    @property
    def kind(self) -> str:
        """``came`` where there was no line before, ``went`` where there is none any more, else ``changed``."""
        if not self.lines_before:
            return "came"
        return "changed" if self.lines_after else "went"


def dimensions_of(text: str) -> tuple[str, ...]:
    """``service,account`` as the ledger's columns, in that order. Raises ConfigurationError."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = {**DIMENSIONS, **{column: column for column in DIMENSIONS.values()}}
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        raise ConfigurationError(
            f"--by {text!r} names {unknown[0]!r}, which no change has." if unknown else "--by names nothing.",
            f"Choose some of {', '.join(DIMENSIONS)}, parted by commas.",
        )
    return tuple(dict.fromkeys(known[word] for word in words))


def bill_receipts(known: Sequence[Receipt]) -> list[Receipt]:
    """Of a month's receipts those of the bill that is summarised, oldest first: FOCUS repeats others where they are there."""
    tables = {receipt.raw_table for receipt in known if receipt.raw_table in BILLS and receipt.state == ACCEPTED}
    chosen = next((table for table in BILLS if table in tables), None)
    return sorted(
        (receipt for receipt in known if receipt.raw_table == chosen or (chosen is None and receipt.raw_table in BILLS)),
        key=lambda receipt: receipt.loaded_at,
    )


def summarised(lake: Lake, slice_: Slice) -> list[Loaded]:
    """The deliveries up to the one that the month's marts are of, oldest first.

    Raises LakeError where the month is not published, with what to do.
    """
    status = published_status(lake, slice_)
    if not status:
        raise LakeError(
            f"{slice_} has no summaries.",
            f"Look what there is with `cost-lakehouse status`; `cost-lakehouse run --source {slice_.source}` builds them.",
        )
    known = bill_receipts(receipts(lake, slice_))
    loads = {Loaded(receipt.stored_at, receipt.delivery_id) for receipt in known if receipt.state == ACCEPTED}
    return sorted(load for load in loads if load.at <= status[0]["loaded_at"])


def cell_changes(lake: Lake, slice_: Slice, after: datetime | None, until: datetime, by: Sequence[str]) -> list[CellChange]:
    """What changed in a month after one moment (None: since ever) and until another, biggest first; from the ledger alone.

    Moments are UTC without zone, ``by`` columns of ``DIMENSIONS``. Cells that are the same at both moments are left out.
    """
    columns = ", ".join(by)
    sums = ", ".join(
        f"coalesce(sum({column}) filter (where changed_at <= ?), 0)"
        for column in ("billed_cost", "billed_cost", "effective_cost", "effective_cost", "line_item_count", "line_item_count")
    )
    with connect(lake, [COST_CHANGES]) as connection:
        rows = connection.execute(
            f"select {columns}, currency_code, {sums} from {COST_CHANGES} where {slice_.condition} group by all",
            [after, until] * 3,
        ).fetchall()
    cells = []
    for row in rows:
        values, (currency, before, now, effective, effective_now, lines, lines_now) = row[: len(by)], row[len(by) :]
        if before != now or effective != effective_now or lines != lines_now:
            cells.append(
                CellChange(values, currency, before, now, EXACT.subtract(effective_now, effective), int(lines), int(lines_now))
            )
    return biggest_first(cells)


def biggest_first(cells: Sequence[CellChange]) -> list[CellChange]:
    """By the size of the change, up or down; what is equal by its values."""
    return sorted(cells, key=lambda cell: (-abs(cell.change), str(cell.currency_code), tuple(map(str, cell.values))))
