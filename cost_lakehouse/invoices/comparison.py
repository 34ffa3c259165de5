"""Every invoice beside the bill: what ``marts.invoices`` says, and what is on record of it that was not compared yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cost_lakehouse.invoices.record import recorded_invoices
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect

AGREES, DIFFERS, NO_INVOICE, NO_ROWS = "agrees", "differs", "no invoice", "no rows"
NOT_COMPARED = "not compared yet"
MART = "marts.invoices"


@dataclass(frozen=True)
class ComparedInvoice:
    """One invoice and currency of a month: what it says, what the lines of the bill that name it add up to, and how they stand.

    ``invoiced`` is None where there is no invoice, ``billed`` where it was not compared yet; ``difference`` is billed less
    invoiced.
    """

    source: str
    billing_period: date
    invoice_id: str | None
    currency_code: str | None
    invoiced: Decimal | None
    billed: Decimal | None
    difference: Decimal | None
    allowance: Decimal | None
    state: str
    explanation: str | None


def compared_invoices(lake: Lake) -> list[ComparedInvoice]:
    """All of them, by source, month and id. Raises LakeError where the lake cannot be read."""
    rows: list[tuple[Any, ...]] = []
    if lake.table_or_none(MART) is not None:
        with connect(lake, [MART]) as connection:
            rows = connection.execute(
                "select source, billing_period, invoice_id, currency_code, invoice_total, billed_cost, difference, allowance, "
                "state, explanation, recorded_at from marts.invoices"
            ).fetchall()
    compared = [ComparedInvoice(*row) for *row, _ in rows]
    # A month's invoices are compared together: what was recorded after the newest of them was not.
    newest: dict[tuple[str, date], datetime] = {}
    for source, month, *_, recorded_at in rows:
        if recorded_at is not None:
            newest[source, month] = max(recorded_at, newest.get((source, month), recorded_at))
    waiting = [
        ComparedInvoice(
            source, month, row["invoice_id"], row["currency_code"], row["total"], None, None, None, NOT_COMPARED, None
        )
        for row in recorded_invoices(lake)
        for source, month in [(row["source"], row["billing_period"])]
        if (source, month) not in newest or row["recorded_at"] > newest[source, month]
    ]
    return sorted(compared + waiting, key=lambda row: (row.source, row.billing_period, row.invoice_id or "", row.state))
