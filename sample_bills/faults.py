"""What can be wrong with a delivery on request, and how files and rows are spoilt."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from sample_bills.columns import INDEX


class Fault(StrEnum):
    """A fault, or a rare but right state, planted in one delivery. ``what`` says what it does."""

    # Rows
    BAD_NUMBER = "bad-number"
    NOT_A_NUMBER = "not-a-number"
    TWO_CURRENCIES = "two-currencies"
    HEADER_ONLY = "header-only"
    LONG_LINES = "long-lines"
    FINE_FRACTIONS = "fine-fractions"
    LATE_REFUND = "late-refund"
    CHANGED_ROWS = "changed-rows"
    VANISHED_ROWS = "vanished-rows"
    # Columns
    COLUMN_APPEARS = "column-appears"
    COLUMN_VANISHES = "column-vanishes"
    UNEVEN_COLUMNS = "uneven-columns"
    # Files
    DUPLICATE_FILE = "duplicate-file"
    TORN_FILE = "torn-file"
    CORRUPT_FILE = "corrupt-file"
    MISSING_FILE = "missing-file"
    EMPTY_FILE = "empty-file"
    MANIFEST_FIRST = "manifest-first"
    OLD_ASSEMBLY = "old-assembly"
    REFRESHING = "refreshing"

    @property
    def what(self) -> str:
        """What the fault does, in one sentence."""
        return _WHAT[self]


_WHAT: dict[Fault, str] = {
    Fault.BAD_NUMBER: 'One row in the middle of the delivery has "12,34" as lineItem/UnblendedCost.',
    Fault.NOT_A_NUMBER: 'One row in the middle of the delivery has "n/a" as lineItem/UnblendedCost.',
    Fault.TWO_CURRENCIES: "A part of the usage is billed in a second currency.",
    Fault.HEADER_ONLY: "The files hold their header and no rows.",
    Fault.LONG_LINES: "Three rows carry a tag value of 70 KiB with quotes and line breaks.",
    Fault.FINE_FRACTIONS: "Some costs have 25 fractional digits, more than 20.",
    Fault.LATE_REFUND: "The month has one Refund row more than before.",
    Fault.CHANGED_ROWS: "Some usage rows have another amount and cost than before.",
    Fault.VANISHED_ROWS: "Some usage rows of the delivery before are gone.",
    Fault.COLUMN_APPEARS: "Two columns are new: an activated tag and one of an unknown category.",
    Fault.COLUMN_VANISHES: "Two columns are gone: a tag and a product attribute.",
    Fault.UNEVEN_COLUMNS: "The last file has two columns less than the others, and two that they do not have.",
    Fault.DUPLICATE_FILE: "A copy of the first file lies beside under the next part number; the manifest does not list it.",
    Fault.TORN_FILE: "The last file ends in the middle of its data.",
    Fault.CORRUPT_FILE: "The last file has its full length, but some wrong bytes.",
    Fault.MISSING_FILE: "The last file is listed in the manifest and is not there.",
    Fault.EMPTY_FILE: "The last file is there with 0 bytes.",
    Fault.MANIFEST_FIRST: "The manifest is there before any of its files.",
    Fault.OLD_ASSEMBLY: "The folder of an older assembly lies beside, with its own manifest and other rows.",
    Fault.REFRESHING: "The Athena status file says UPDATING (Parquet only; elsewhere it does nothing).",
}

PARQUET_IMPOSSIBLE: frozenset[Fault] = frozenset({Fault.BAD_NUMBER, Fault.NOT_A_NUMBER, Fault.FINE_FRACTIONS})
"""Faults that doubles cannot carry."""

_BAD_TEXTS = {Fault.BAD_NUMBER: "12,34", Fault.NOT_A_NUMBER: "n/a"}
LONG_VALUE = 'a long value, "quoted"\n' * (70 * 1024 // 23 + 1)
"""A tag value of 70 KiB, more than many readers' line buffers hold."""


def spoil_rows(rows: Iterator[list[str]], faults: frozenset[Fault], expected_rows: int) -> Iterator[list[str]]:
    """Pass ``rows`` on with the faults of single values planted; commitments and totals stay as they are elsewhere."""
    bad_text = next((text for fault, text in _BAD_TEXTS.items() if fault in faults), None)
    middle = expected_rows // 2
    long_rows = {1, middle + 1, expected_rows - 1} if Fault.LONG_LINES in faults else set()
    for number, row in enumerate(rows):
        if number == middle and bad_text is not None:
            row[INDEX["lineItem/UnblendedCost"]] = bad_text
        if number in long_rows:
            row[INDEX["resourceTags/user:Name"]] = LONG_VALUE
        yield row


def duplicate_file(first: Path, copy: Path) -> None:
    """Lay a copy of ``first`` beside, as a file that no manifest lists."""
    copy.write_bytes(first.read_bytes())


def tear_file(path: Path) -> None:
    """Cut ``path`` after 60 percent of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])


def corrupt_file(path: Path) -> None:
    """Turn over 64 bytes in the middle of ``path``; of a Parquet file the footer, as nothing guards its middle."""
    content = bytearray(path.read_bytes())
    first = len(content) - 64 if path.suffix == ".parquet" else len(content) // 2
    content[first : first + 64] = bytes(byte ^ 0xFF for byte in content[first : first + 64])
    path.write_bytes(content)


def empty_file(path: Path) -> None:
    """Leave ``path`` with 0 bytes."""
    path.write_bytes(b"")
