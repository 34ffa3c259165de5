"""Rows of many months at once: no more files open than allowed, no row lost."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.lake.month_writers import MonthWriters

LOAD_ID = "load-0123456789abcdef"
MONTHS = [date(2020 + number // 12, 1 + number % 12, 1) for number in range(60)]


def batch(number: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array([number])})


class Counted(pq.ParquetWriter):  # type: ignore[misc]  # pyarrow's is untyped
    """A writer that tells how many are open, and the most there ever were."""

    open_now = 0
    most = 0

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        Counted.open_now += 1
        Counted.most = max(Counted.most, Counted.open_now)

    def close(self) -> None:
        if self.is_open:
            Counted.open_now -= 1
        super().close()


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "open_now", 0)
    monkeypatch.setattr(Counted, "most", 0)
    monkeypatch.setattr(pq, "ParquetWriter", Counted)


def rows_in(files: dict[date, list[Path]]) -> dict[date, Counter[int]]:
    return {
        month: Counter(number for path in paths for number in pq.read_table(path)["n"].to_pylist())
        for month, paths in files.items()
    }


def test_a_year_in_turns_makes_one_file_a_month(tmp_path: Path) -> None:
    writers = MonthWriters(lambda month: tmp_path / month.isoformat(), LOAD_ID, threads=1)
    for number in range(36):
        writers.write(MONTHS[number % 12], batch(number))
    files = writers.close()
    assert {len(paths) for paths in files.values()} == {1}
    assert rows_in(files) == {month: Counter([n, n + 12, n + 24]) for n, month in enumerate(MONTHS[:12])}


def test_many_months_are_never_all_open(tmp_path: Path) -> None:
    asked: Counter[date] = Counter()

    def folder_of(month: date) -> Path:
        asked[month] += 1
        return tmp_path / month.isoformat()

    writers = MonthWriters(folder_of, LOAD_ID, threads=3)
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(writers.write, MONTHS[number % 60], batch(number)) for number in range(300)]:
            done.result()
    files = writers.close()

    assert rows_in(files) == {month: Counter(range(n, 300, 60)) for n, month in enumerate(MONTHS)}
    assert asked == Counter(MONTHS)
    assert Counted.most <= 3 + 12 + 3  # each thread may have opened one while another closes the longest unused
    assert Counted.open_now == 0


def test_nothing_written_makes_no_file(tmp_path: Path) -> None:
    assert MonthWriters(lambda _: tmp_path, LOAD_ID, threads=2).close() == {}
