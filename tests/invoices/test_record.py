"""Recording invoices: once, in one commit, of the right source."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.errors import InvoicesRefused
from cost_lakehouse.invoices.invoice import Invoice
from cost_lakehouse.invoices.record import record_invoices, recorded_invoices, with_source
from cost_lakehouse.lake.slices import Slice
from tests.builders import Workshop

ONE = Invoice("INV-1", date(2026, 10, 1), "USD", Decimal("10.00"), before_tax=Decimal(9))
TWO = Invoice("INV-2", date(2026, 9, 1), "EUR", Decimal(7))


def test_invoices_are_recorded_once_and_a_newer_word_takes_the_older_ones_place(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    lake = workshop.lake

    def snapshot() -> object:
        return lake.table("raw.invoices").metadata.current_snapshot_id

    first = record_invoices(lake, workshop.settings, [ONE, TWO], "file a.csv")
    assert (len(first.new), len(first.changed), first.known) == (2, 0, 0)
    assert len(lake.table("raw.invoices").snapshots()) == 1
    before = snapshot()
    # The same amount, written otherwise, is the same invoice.
    again = record_invoices(lake, workshop.settings, [replace(ONE, total=Decimal(10))], "file b.csv")
    assert (len(again.new), len(again.changed), again.known, again.slices) == (0, 0, 1, [])
    assert snapshot() == before

    # Corrected, and of another month now: the row moves.
    moved = replace(ONE, billing_period=date(2026, 11, 1), total=Decimal(11))
    third = record_invoices(lake, workshop.settings, [moved, TWO], "file c.csv")
    assert (len(third.new), len(third.changed), third.known) == (0, 1, 1)
    assert third.slices == [Slice("acme", date(2026, 11, 1))]
    rows = [(row["invoice_id"], row["billing_period"], row["total"], row["origin"]) for row in recorded_invoices(lake)]
    assert rows == [
        ("INV-2", date(2026, 9, 1), Decimal(7), "file a.csv"),
        ("INV-1", date(2026, 11, 1), Decimal(11), "file c.csv"),
    ]


@pytest.mark.parametrize(
    ("own", "named", "account", "told"),
    [
        pytest.param("b", "a", None, "b", id="says-it-itself"),
        pytest.param(None, "a", None, "a", id="named"),
        pytest.param(None, None, "2", "b", id="by-its-payer"),
        pytest.param(None, None, "9", "no source's bill tells", id="unknown-payer"),
        pytest.param("c", None, None, "there is no source 'c'", id="unknown-source"),
        pytest.param("a", None, "2", "said to be of a, but b has that payer", id="another-payer"),
    ],
)
def test_an_invoice_is_of_the_source_that_its_payer_has(
    own: str | None, named: str | None, account: str | None, told: str
) -> None:
    invoice = replace(ONE, source=own, account_id=account)
    payers = {"1": {"a"}, "2": {"b"}}
    if len(told) == 1:
        assert with_source(invoice, named, payers, ["a", "b"]).source == told
    else:
        with pytest.raises(InvoicesRefused, match=told):
            with_source(invoice, named, payers, ["a", "b"])
