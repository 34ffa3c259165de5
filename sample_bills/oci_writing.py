"""Writes OCI's reports into a folder that plays the object store, laid out as Oracle does."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from pathlib import Path

from sample_bills.faults import corrupt_file, empty_file, tear_file
from sample_bills.oci_bills import Increment, OciBill, OciReport
from sample_bills.oci_columns import cells_of, columns_of
from sample_bills.oci_expected import OciExpected, PlantedText
from sample_bills.oci_faults import BAD_TEXTS, BAD_TIME_TEXT, OciFault
from sample_bills.oci_lines import Line, lines_of, usage_only
from sample_bills.oci_resources import Resource, resources_of

_BATCH = 2_000


@dataclass(frozen=True)
class OciFile:
    """One object as it was written; ``key`` is relative to the bucket."""

    report: OciReport
    key: str
    path: Path
    rows: int


@dataclass(frozen=True)
class OciWritten:
    """Increments as they were written, and what a right reader must find in their cost reports."""

    bill: OciBill
    bucket_root: Path
    files: tuple[OciFile, ...]
    expected: OciExpected

    def of(self, report: OciReport) -> tuple[OciFile, ...]:
        """The files of one kind of report, in the order they came."""
        return tuple(file for file in self.files if file.report is report)

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.path.stat().st_size for file in self.files)


def write_oci(
    root: Path,
    bill: OciBill,
    *,
    first: int = 0,
    last: int | None = None,
    faults: frozenset[OciFault] = frozenset(),
    delivered_at: datetime | None = None,
) -> OciWritten:
    """Write the increments from ``first`` to ``last`` (by index, both included; all by default) under ``root/<bucket>``.

    Faults hit the last of them. An increment that is written again has the same names: with ``CHANGED_ROWS`` or
    ``VANISHED_ROWS`` and a ``delivered_at`` of its own (the files' modification time) that is a redelivery.
    Raises ValueError where there is no such increment.
    """
    increments = bill.increments[first : None if last is None else last + 1]
    if not increments or (last is not None and last >= len(bill.increments)):
        raise ValueError(f"The bill has increments 0 to {len(bill.increments) - 1}, not {first} to {last}")
    resources = resources_of(bill)
    expected = OciExpected()
    files: list[OciFile] = []
    for increment in increments:
        planted = faults if increment is increments[-1] else frozenset[OciFault]()
        written = _write_increment(root / bill.bucket, bill, resources, increment, planted, expected)
        files += written
        moment = int((delivered_at or increment.created_at).timestamp())
        for file in written:
            os.utime(file.path, (moment, moment))
    return OciWritten(bill, root / bill.bucket, tuple(files), expected)


def key_of(bill: OciBill, report: OciReport, increment: Increment, part: int, *, early: bool = False) -> str:
    """The object's name in the bucket. FOCUS reports lie in the folder of the day they were made on."""
    name = increment.name(part, plain=bill.plain_names, early=early)
    if report is OciReport.FOCUS:
        return f"{report}/{increment.created_at:%Y/%m/%d}/{name}"
    return f"reports/{report}/{name}"


def _write_increment(
    bucket_root: Path,
    bill: OciBill,
    resources: list[Resource],
    increment: Increment,
    faults: frozenset[OciFault],
    expected: OciExpected,
) -> list[OciFile]:
    found: list[OciFile] = []
    for report in bill.reports:
        lines = lines_of(bill, resources, increment, faults)
        if report is OciReport.COST:
            lines = _counted(lines, expected)
        else:
            lines = chain(lines, usage_only(bill, resources, increment)) if report is OciReport.USAGE else lines
        written: list[OciFile] = []
        rest = _Peekable(lines)
        while rest.more or not written:
            key = key_of(bill, report, increment, len(written) + 1, early=OciFault.EARLY_NAME in faults)
            rows = _write_file(bucket_root / key, key, bill, report, increment, islice(rest, bill.part_rows), faults, expected)
            written.append(OciFile(report, key, bucket_root / key, rows))
        if report is OciReport.COST:
            _spoil_file(written[-1].path, faults)
        found += written
    return found


class _Peekable(Iterator[Line]):
    """An iterator that knows whether it has more, so that no empty part is written."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._next = next(self._lines, None)

    @property
    def more(self) -> bool:
        """Whether there is another one."""
        return self._next is not None

    def __next__(self) -> Line:
        line = self._next
        if line is None:
            raise StopIteration
        self._next = next(self._lines, None)
        return line


def _counted(lines: Iterable[Line], expected: OciExpected) -> Iterator[Line]:
    for line in lines:
        expected.add(line)
        yield line


def _write_file(
    path: Path,
    key: str,
    bill: OciBill,
    report: OciReport,
    increment: Increment,
    lines: Iterable[Line],
    faults: frozenset[OciFault],
    expected: OciExpected,
) -> int:
    columns = columns_of(bill, report, increment)
    rows: Iterator[list[str]] = map(cells_of(bill, report, increment), lines)
    header = list(columns)
    if report is OciReport.COST and faults:
        rows = _spoilt(rows, columns, bill.rows // 2, faults, key, expected)
        if OciFault.WRONG_HEADER in faults:
            header[header.index("cost/myCost")] = "cost/yourCost"
        if OciFault.COLUMN_APPEARS in faults:
            header.append("emissions/estimate")
            rows = ([*row, "low"] for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    # No name and no time in the gzip header, or two runs would differ.
    with path.open("wb") as file, gzip.GzipFile("", "wb", bill.gzip_level, file, mtime=0) as packed:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(header)
        packed.write(text.getvalue().encode())
        while batch := list(islice(rows, _BATCH)):
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows(batch)
            packed.write(text.getvalue().encode())
            written += len(batch)
    return written


def _spoilt(
    rows: Iterable[list[str]],
    columns: Sequence[str],
    middle: int,
    faults: frozenset[OciFault],
    key: str,
    expected: OciExpected,
) -> Iterator[list[str]]:
    """Pass ``rows`` on with the faults of single values planted; a file that is shorter has them in its first row."""
    cost, start = columns.index("cost/myCost"), columns.index("lineItem/intervalUsageStart")
    planted = [(cost, text) for fault, text in BAD_TEXTS.items() if fault in faults]
    if OciFault.BAD_TIME in faults:
        planted.append((start, BAD_TIME_TEXT))
    for number, row in enumerate(rows):
        if number == middle:
            for column, text in planted:
                row[column] = text
                expected.planted.append(PlantedText(key, number + 1, columns[column], text))
        elif OciFault.FINE_FRACTIONS in faults and number % 4 == 1:
            row[cost] = _finer(row[cost])
        yield row


def _finer(text: str) -> str:
    """``text`` with 25 fractional digits, so little more that a reader who rounds to 20 gets ``text`` again."""
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<20}00012"


def _spoil_file(path: Path, faults: frozenset[OciFault]) -> None:
    for fault, spoil in (
        (OciFault.TORN_FILE, tear_file),
        (OciFault.CORRUPT_FILE, corrupt_file),
        (OciFault.EMPTY_FILE, empty_file),
    ):
        if fault in faults:
            spoil(path)
