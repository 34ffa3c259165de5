"""An independent reader of sample deliveries: standard library and Decimal only for CSV, pyarrow for Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from decimal import Context, Decimal, Inexact, localcontext
from pathlib import Path

import pyarrow.parquet as pq

from sample_bills import Written

csv.field_size_limit(10_000_000)
Row = dict[str, str]
GroupKey = tuple[str, str, str, str]


def text_of(path: Path) -> str:
    """The unpacked CSV text."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            (name,) = archive.namelist()
            return archive.read(name).decode()
    return gzip.decompress(path.read_bytes()).decode()


def csv_rows(written: Written) -> list[Row]:
    """All rows of the delivery's CSV files, in order."""
    return [row for path in written.files for row in csv.DictReader(io.StringIO(text_of(path), newline=""))]


def parquet_rows(written: Written) -> list[Row]:
    """All rows of the delivery's Parquet files; numbers as the shortest text of their double."""
    rows = [row for path in written.files for row in pq.read_table(path).to_pylist()]
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]


def sums(rows: Iterable[Row], column: str, keys: tuple[str, str, str, str]) -> dict[GroupKey, Decimal]:
    """The exact sum of ``column`` by the four ``keys``; groups without any value are left out."""
    totals: dict[GroupKey, Decimal] = defaultdict(Decimal)
    with localcontext(Context(prec=200, traps=[Inexact])):
        for row in rows:
            if row.get(column):
                totals[row[keys[0]], row[keys[1]], row[keys[2]], row[keys[3]]] += Decimal(row[column])
    return dict(totals)
