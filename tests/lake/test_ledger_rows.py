"""A ledger's rows are read once a process, and are those of now whatever was read before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.lake import ledger_rows as reading
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import FILES, RECEIPTS
from tests.builders import Workshop, line


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files were opened, a reading each."""
    found: list[int] = []
    usual = reading._read

    def counted(lake: Any, locations: Sequence[str], schema: Any) -> Any:
        found.append(len(locations))
        return usual(lake, locations, schema)

    monkeypatch.setattr(reading, "_read", counted)
    return found


def deliver(workshop: Workshop, number: int) -> None:
    workshop.write([line(UnblendedCost=str(number))], assembly=f"A{number:04d}")
    workshop.load()


def test_what_was_read_is_not_read_again_and_new_rows_are(tmp_path: Path, read: list[int]) -> None:
    workshop = Workshop(tmp_path)
    deliver(workshop, 1)
    read.clear()
    assert [receipt.delivery_id for receipt in receipts(workshop.lake)] == ["A0001"]
    assert [receipt.delivery_id for receipt in receipts(workshop.lake)] == ["A0001"]
    assert read == [1]

    deliver(workshop, 2)
    read.clear()
    assert [receipt.delivery_id for receipt in receipts(workshop.lake)] == ["A0001", "A0002"]
    assert read == [1]


def test_rows_of_a_month_or_a_slice_are_asked_for_alone(tmp_path: Path, read: list[int]) -> None:
    workshop = Workshop(tmp_path)
    deliver(workshop, 1)
    (receipt,) = receipts(workshop.lake)
    slice_ = Slice(receipt.source, receipt.billing_period)
    read.clear()

    assert ledger_rows(workshop.lake, "raw.files", FILES, months=[date(2020, 1, 1)]) == []
    assert ledger_rows(workshop.lake, "raw.files", FILES, [Slice("other", slice_.billing_period)]) == []
    assert read == []
    assert len(ledger_rows(workshop.lake, "raw.files", FILES, months=[slice_.billing_period])) == 1
    assert len(ledger_rows(workshop.lake, "raw.receipts", RECEIPTS, [slice_])) == 1


def test_a_ledger_keeps_the_snapshots_of_its_last_loads_only(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    for number in range(23):
        deliver(workshop, number)

    assert [len(workshop.lake.table(name).metadata.snapshots) for name in ("raw.receipts", "raw.aws_cur")] == [20, 23]
    assert len(receipts(workshop.lake)) == 23
