"""The log ``raw.late_corrections``: what a delivery changes in a month that was invoiced or closed, before it is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb

from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import append_rows
from cost_lakehouse.lake.tables import LATE_CORRECTION_COLUMNS, LATE_CORRECTIONS

DAILY_COSTS = "marts.daily_costs"
_FINAL = ("invoiced", "corrected")
_NOTHING = (Decimal(0), Decimal(0))
Costs = Mapping[tuple[str | None, str | None], tuple[Decimal, Decimal]]
"""(account, currency) -> billed and effective cost."""


def late_corrections(lake: Lake) -> list[dict[str, Any]]:
    """The whole log as the table has it, oldest first."""
    rows = ledger_rows(lake, LATE_CORRECTIONS, LATE_CORRECTION_COLUMNS)
    found = [dict(zip(LATE_CORRECTION_COLUMNS.names, row, strict=True)) for row in rows]
    return sorted(found, key=lambda row: (row["found_at"], row["source"], row["billing_period"], row["account_id"] or ""))


def was_final(status: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a published month counted as settled: closed, or invoiced by invoices that its lines name."""
    return any(
        row["closed_at"] is not None or (row["bill_state"] in _FINAL and row["invoice_ids"] is not None) for row in status
    )


def changes_between(before: Costs, after: Costs) -> dict[tuple[str | None, str | None], tuple[Decimal, Decimal]]:
    """What each account and currency costs more (billed, effective); those that stay the same are left out. Pure."""
    changed = {}
    for key in sorted({*before, *after}, key=str):
        old, new = before.get(key, _NOTHING), after.get(key, _NOTHING)
        change = EXACT.subtract(new[0], old[0]), EXACT.subtract(new[1], old[1])
        if change != _NOTHING:
            changed[key] = change
    return changed


def record_late_corrections(
    lake: Lake, scratch: duckdb.DuckDBPyConnection, statuses: Mapping[Slice, Sequence[Mapping[str, Any]]]
) -> None:
    """Put on record what a build changes in months that were final; nothing twice of one load.

    ``statuses`` are the months' published rows of ``bill_status``. Call it before the build is published: that takes away
    what it is compared with.
    """
    final = {slice_: rows for slice_, rows in statuses.items() if was_final(rows)}
    if not final or lake.table_or_none(DAILY_COSTS) is None:
        return
    known = {(row["source"], row["billing_period"], row["delivery_id"], row["loaded_at"]) for row in late_corrections(lake)}
    found: dict[Slice, list[dict[str, Any]]] = {}
    moment = datetime.now(UTC).replace(tzinfo=None)
    with connect(lake, [DAILY_COSTS]) as connection:
        for slice_, status in final.items():
            ((delivery_id, loaded_at),) = scratch.execute(
                f"select distinct delivery_id, loaded_at from marts.bill_status where {slice_.condition}"
            ).fetchall()
            load = (slice_.source, slice_.billing_period, delivery_id, loaded_at)
            if load in known or (delivery_id, loaded_at) == (status[0]["delivery_id"], status[0]["loaded_at"]):
                continue
            shared = {
                **dict(zip(("source", "billing_period", "delivery_id", "loaded_at"), load, strict=True)),
                "previous_delivery_id": status[0]["delivery_id"],
                "state_before": status[0]["state"],
                "closed_at": status[0]["closed_at"] or status[0]["loaded_at"],
                "invoice_ids": ", ".join(sorted({row["invoice_ids"] for row in status if row["invoice_ids"]})) or None,
                "found_at": moment,
            }
            changes = changes_between(_costs(connection, slice_), _costs(scratch, slice_))
            found[slice_] = [
                {
                    **shared,
                    "account_id": account,
                    "currency_code": currency,
                    "billed_cost_change": billed,
                    "effective_cost_change": effective,
                }
                for (account, currency), (billed, effective) in changes.items()
            ]
    append_rows(lake, LATE_CORRECTIONS, LATE_CORRECTION_COLUMNS, found)


def _costs(
    connection: duckdb.DuckDBPyConnection, slice_: Slice
) -> dict[tuple[str | None, str | None], tuple[Decimal, Decimal]]:
    rows = connection.execute(
        "select account_id, currency_code, coalesce(sum(billed_cost), 0), coalesce(sum(effective_cost), 0) "
        f"from {DAILY_COSTS} where {slice_.condition} group by 1, 2"
    ).fetchall()
    return {(account, currency): (billed, effective) for account, currency, billed, effective in rows}
