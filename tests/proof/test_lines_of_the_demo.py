"""Lines of AWS and of Oracle that two deliveries changed: their changes add up to what the ledger says, cell by cell."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from tests.demo import Told, command

CELL = ("usage_date", "account_id", "service", "line_item_type", "currency_code")


def changes(demo: Told, *arguments: str) -> dict[tuple[str, ...], Decimal]:
    """Cell -> by how much more it costs, as a comparison's rows add up; what does not change is left out."""
    done = command("diff", *arguments, "--format", "csv", "--config", demo.config)
    assert done.exit_code == 0, done.stderr
    sums: dict[tuple[str, ...], Decimal] = {}
    for row in csv.DictReader(done.stdout.splitlines()):
        cell = tuple(row[name] for name in CELL)
        sums[cell] = sums.get(cell, Decimal(0)) + Decimal(row["change"])
    return {cell: change for cell, change in sums.items() if change}


@pytest.mark.parametrize(
    ("source", "month"), [("acme-payer", "2026-09"), ("acme-payer", "2026-10"), ("acme-oci", "2026-10")], ids="-".join
)
def test_the_lines_that_changed_add_up_to_each_cell_of_the_ledger(demo: Told, source: str, month: str) -> None:
    """A refund; rows that are changed or gone; and a file of Oracle's that came again with other rows."""
    of_lines = changes(demo, source, month, "--lines")
    assert of_lines
    assert of_lines == changes(demo, source, month, "--by", "day,account,service,type")


def test_the_refund_of_a_closed_month_is_one_line_that_came(demo: Told) -> None:
    done = command("diff", "acme-payer", "2026-09", "--lines", "--format", "csv", "--config", demo.config)
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert (row["kind"], row["line_item_type"], row["before"], row["after"], row["change"]) == (
        *("came", "Refund", "", "-18.75", "-18.75"),
    )
    assert row["description"].startswith("Late refund: storage billed twice")
    assert (row["file_before"], row["row_before"]) == ("", "")
    assert int(row["row_after"]) > 0
