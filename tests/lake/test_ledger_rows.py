"""A ledger's rows are read once a process, and are those of now whatever was read before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake import ledger_rows as reading
from cost_lakehouse.lake.ledger import receipts, rollback
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.remembered import Remembered
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


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process begins."""
    monkeypatch.setattr(reading, "_ROWS", Remembered[tuple[reading.Row, ...]](500_000, len))


def with_two_loads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A lake of two loads, whose ledger files count as many, for a process that has read none of them."""
    workshop = Workshop(folder)
    for number in (1, 2):
        deliver(workshop, number)
    monkeypatch.setattr(reading, "MANY_FILES", 2)
    forget(monkeypatch)
    return workshop


def kept_file(workshop: Workshop) -> Path:
    (found,) = workshop.warehouse.glob("ledgers/raw.receipts-*.rows")
    return found


def test_what_one_process_read_of_many_files_the_next_one_reads_in_one(
    tmp_path: Path, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = with_two_loads(tmp_path, monkeypatch)
    read.clear()
    from_files = ledger_rows(workshop.lake, "raw.receipts", RECEIPTS)
    assert (len(from_files), read) == (2, [2])

    # A load that came since is read from its own file; one that was taken back is not there again.
    deliver(workshop, 3)
    forget(monkeypatch)
    read.clear()
    rows = ledger_rows(workshop.lake, "raw.receipts", RECEIPTS)
    assert read == [1]
    assert len(rows) == 3
    assert {*from_files} < {*rows}
    first, *others = receipts(workshop.lake)
    rollback(workshop.lake, first)
    forget(monkeypatch)
    assert receipts(workshop.lake) == others


@pytest.mark.parametrize("damaged", [b"", b"no rows", None])
def test_a_kept_file_that_is_damaged_is_not_believed(
    tmp_path: Path, read: list[int], monkeypatch: pytest.MonkeyPatch, damaged: bytes | None
) -> None:
    workshop = with_two_loads(tmp_path, monkeypatch)
    known = receipts(workshop.lake)
    whole = kept_file(workshop).read_bytes()
    kept_file(workshop).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if damaged is None else damaged)
    forget(monkeypatch)
    read.clear()

    assert receipts(workshop.lake) == known
    assert read == [2]
    assert kept_file(workshop).read_bytes() == whole


def test_who_may_not_write_reads_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop = with_two_loads(tmp_path, monkeypatch)
    lake = workshop.lake
    monkeypatch.setattr(type(lake.warehouse), "write", Mock(side_effect=LakeError("No right to write.", "")))

    assert [receipt.delivery_id for receipt in receipts(lake)] == ["A0001", "A0002"]


def test_a_ledger_keeps_the_snapshots_of_its_last_loads_only(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    for number in range(23):
        deliver(workshop, number)

    assert [len(workshop.lake.table(name).metadata.snapshots) for name in ("raw.receipts", "raw.aws_cur")] == [20, 23]
    assert len(receipts(workshop.lake)) == 23
