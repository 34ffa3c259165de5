"""Puts invoices on record in ``raw.invoices``: one row an invoice, all of a file in one commit, nothing where all is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import InvoicesRefused
from cost_lakehouse.invoices.invoice import Invoice
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from cost_lakehouse.lake.tables import INVOICE_COLUMNS, INVOICES

_WAIT_SECONDS = 600.0
_PAYERS = pa.schema(
    [pa.field("source", pa.string()), pa.field("payer_account_id", pa.string()), pa.field("billing_period", pa.date32())]
)


@dataclass(frozen=True)
class Recorded:
    """What recording changed: invoices that are new, that say something else than before, and that were known as they are."""

    new: tuple[Invoice, ...]
    changed: tuple[Invoice, ...]
    known: int

    @property
    def slices(self) -> list[Slice]:
        """The months whose invoices are others than before."""
        return sorted({Slice(str(invoice.source), invoice.billing_period) for invoice in (*self.new, *self.changed)})


def recorded_invoices(lake: Lake) -> list[dict[str, Any]]:
    """Every invoice on record as the table has it, by source, month and id."""
    rows = ledger_rows(lake, INVOICES, INVOICE_COLUMNS)
    found = [dict(zip(INVOICE_COLUMNS.names, row, strict=True)) for row in rows]
    return sorted(found, key=lambda row: (row["source"], row["billing_period"], row["invoice_id"]))


def payers(lake: Lake) -> dict[str, set[str]]:
    """Payer (tenancy, billing account) -> the sources whose bills it is the payer of."""
    found: dict[str, set[str]] = {}
    for source, payer, _ in months_by_payer(lake):
        found.setdefault(payer, set()).add(source)
    return found


def months_by_payer(lake: Lake) -> list[tuple[str, str, date]]:
    """(source, payer, month) of every bill in the lake's ledger, sorted."""
    return sorted({row for row in ledger_rows(lake, "raw.control_totals", _PAYERS) if row[1]})


def with_source(invoice: Invoice, named: str | None, of_payers: Mapping[str, set[str]], configured: Sequence[str]) -> Invoice:
    """The invoice, and whose bill it is of: as it says itself, else ``named``, else of the source that its account pays for.

    Raises InvoicesRefused where that cannot be told, or names no configured source.
    """
    paid = sorted(of_payers.get(invoice.account_id or "", ()))
    source = invoice.source or named
    if source is None and len(paid) == 1:
        source = paid[0]
    if source is None and len(configured) == 1:
        source = configured[0]
    if source is None:
        of_account = f" of account {invoice.account_id}" if invoice.account_id else ""
        raise InvoicesRefused(
            f"Invoice {invoice.invoice_id}{of_account}: no source's bill tells whose it is.",
            "Name it with --source, or in a column `source`. Nothing was recorded.",
        )
    if source not in configured:
        raise InvoicesRefused(
            f"Invoice {invoice.invoice_id}: there is no source {source!r} in lakehouse.yaml.",
            f"Name one of {', '.join(configured) or 'those you configure'}. Nothing was recorded.",
        )
    if paid and source not in paid:
        raise InvoicesRefused(
            f"Invoice {invoice.invoice_id}, account {invoice.account_id}: said to be of {source}, but "
            f"{paid[0]} has that payer.",
            "Correct the source or the account. Nothing was recorded.",
        )
    return replace(invoice, source=source)


def record_invoices(
    lake: Lake, settings: Settings, invoices: Sequence[Invoice], origin: str, source: str | None = None
) -> Recorded:
    """Record invoices; what is known as it is stays untouched, another word on an invoice takes the older one's place.

    ``origin`` says where they are from. Safe to be killed and called again. Raises InvoicesRefused, LakeError.
    """
    configured = [entry.name for entry in settings.sources]
    of_payers = payers(lake)
    whole = [with_source(invoice, source, of_payers, configured) for invoice in invoices]
    with lake.lock("invoices", "Recording invoices", _WAIT_SECONDS) as lock:
        held = {(row["source"], row["invoice_id"]): row for row in recorded_invoices(lake)}
        moment = datetime.now(UTC).replace(tzinfo=None)
        new: list[Invoice] = []
        changed: list[Invoice] = []
        touched: set[tuple[str, date]] = set()
        for invoice in whole:
            key = str(invoice.source), invoice.invoice_id
            before = held.get(key)
            if before is not None and before["delivery_id"] == invoice.digest:
                continue
            (new if before is None else changed).append(invoice)
            held[key] = _row(invoice, origin, moment)
            touched |= {(key[0], invoice.billing_period)} | ({(key[0], before["billing_period"])} if before else set())
        if touched:
            slices = {Slice(*entry): _of_slice(held.values(), *entry) for entry in touched}
            replace_rows(lake, INVOICES, INVOICE_COLUMNS, slices, lock.ensure_held)
    return Recorded(tuple(new), tuple(changed), len(whole) - len(new) - len(changed))


def _of_slice(rows: Any, source: str, month: date) -> list[dict[str, Any]]:
    return [row for row in rows if (row["source"], row["billing_period"]) == (source, month)]


def _row(invoice: Invoice, origin: str, moment: datetime) -> dict[str, Any]:
    return {**invoice.__dict__, "delivery_id": invoice.digest, "origin": origin, "recorded_at": moment}
