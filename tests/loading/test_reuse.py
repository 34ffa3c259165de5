"""Files of a month that come again as they were: their rows stay, and what is stored is what reading all would give."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.audit.file_totals import FileTotals, from_text
from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.lake.data_files import load_of
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading import read, reuse
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.sources.registry import open_source
from tests.builders import Workshop, csv_bytes, line

FIRST, SECOND, THIRD = ([line(UnblendedCost=f"{file}.{row}") for row in range(1, 4)] for file in (1, 2, 3))
CHANGED = [line(UnblendedCost="20.5"), line(UnblendedCost="-1e-22")]  # the second one is rounded to nothing


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A lake in which files of any size have row groups of their own."""
    monkeypatch.setattr(read, "OWN_GROUPS_BYTES", 0)
    return Workshop(tmp_path)


def ask(workshop: Workshop, sql: str) -> list[tuple[Any, ...]]:
    with connect(workshop.lake) as connection:
        return connection.execute(sql).fetchall()


def read_now(workshop: Workshop) -> list[str]:
    """The files that the last load read, as people call them."""
    rows = ask(
        workshop,
        "select key from raw.files where read_by = load_id and delivery_id in (select delivery_id from raw.aws_cur) order by 1",
    )
    return [key.rsplit("/", 1)[-1].split(".")[0] for (key,) in rows]


def bill(workshop: Workshop) -> list[tuple[Any, ...]]:
    return ask(workshop, "select * from raw.aws_cur order by file_name, row_number")


def as_read_whole(workshop: Workshop, folder: Path) -> tuple[list[tuple[Any, ...]], Receipt]:
    """The rows and the receipt of the same delivery in a lake that has never seen another one."""
    folder.mkdir()
    other = Workshop(folder, {"acme": str(workshop.bucket / "cur/hourly")})
    receipt = other.load().receipt
    return bill(other), receipt


def proves_the_same(one: Receipt, other: Receipt) -> bool:
    names = ("digest", "files", "rows", "bytes", "rejected", "rounding_values", "delivery_id", "fingerprint")
    return [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


def test_of_a_redelivery_only_the_changed_file_is_read_and_all_rows_are_the_new_delivery_s(
    workshop: Workshop, tmp_path: Path
) -> None:
    workshop.write(FIRST, SECOND, THIRD, assembly="A1")
    workshop.load()
    workshop.write(FIRST, CHANGED, THIRD, assembly="A2")

    result = workshop.load()

    assert read_now(workshop) == ["hourly-00002"]
    assert result.totals[date(2026, 10, 1)] == {"USD": Decimal("33.6999999999999999999999")}  # 3.6 + 9.6 + 20.5 - 1e-22
    rows, receipt = as_read_whole(workshop, tmp_path / "other")
    assert bill(workshop) == rows
    assert proves_the_same(result.receipt, receipt)
    assert ask(workshop, "select distinct delivery_id from raw.aws_cur") == [("A2",)]
    assert ask(workshop, "select count(*), sum(line_item_unblended_cost) from raw.aws_cur") == [(8, Decimal("33.7"))]


def test_after_many_redeliveries_the_lake_holds_what_the_last_one_says(workshop: Workshop, tmp_path: Path) -> None:
    chance = random.Random(5)
    files = [list(FIRST), list(SECOND), list(THIRD)]
    workshop.write(*files, assembly="A00")
    workshop.load()
    for number in range(1, 6):
        files[number % 3] = [line(UnblendedCost=str(chance.randrange(10**9))) for _ in range(chance.randrange(1, 5))]
        workshop.write(*files, assembly=f"A{number:02d}")
        last = workshop.load()
        assert read_now(workshop) == [f"hourly-0000{number % 3 + 1}"]

    rows, receipt = as_read_whole(workshop, tmp_path / "other")
    assert bill(workshop) == rows
    assert proves_the_same(last.receipt, receipt)
    # Each load has a file of rows that were taken over and one of rows that were read; the first one's has one a thread.
    assert (
        len(ask(workshop, "select distinct filename from read_parquet('" + data_glob(workshop) + "', filename = true)")) <= 12
    )


def data_glob(workshop: Workshop) -> str:
    return f"{workshop.warehouse}/raw/aws_cur/data/*/*/*.parquet"


def parquet_bytes(rows: Sequence[dict[str, str]]) -> bytes:
    """The rows as a Parquet delivery: names as AWS spells them there, numbers as doubles."""
    table = pa_csv.read_csv(io.BytesIO(csv_bytes(rows)), convert_options=pa_csv.ConvertOptions(strings_can_be_null=True))
    names = {"lineItem/": "line_item_", "bill/": "bill_", "identity/": "identity_"}
    columns = {}
    for name in table.column_names:
        category, _, rest = name.partition("/")
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in rest).removeprefix("_")
        column = table.column(name)
        is_id = rest.endswith("Id")
        columns[names[f"{category}/"] + snake] = column.cast(pa.string()) if is_id else column
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written)
    return written.getvalue()


def test_files_of_parquet_deliveries_are_taken_over_too(workshop: Workshop, tmp_path: Path) -> None:
    options: dict[str, object] = {"suffix": ".snappy.parquet", "content_type": "Parquet"}
    workshop.write(parquet_bytes(FIRST), parquet_bytes(SECOND), assembly="A1", **options)
    workshop.load()
    workshop.write(parquet_bytes(FIRST), parquet_bytes(THIRD), assembly="A2", **options)

    result = workshop.load()

    assert read_now(workshop) == ["hourly-00002"]
    rows, receipt = as_read_whole(workshop, tmp_path / "other")
    assert bill(workshop) == rows
    assert proves_the_same(result.receipt, receipt)


class Watched:
    """A source whose ETags are MD5, as S3's are; it says what was opened, and opens nothing that is forbidden."""

    def __init__(self, workshop: Workshop) -> None:
        self.source = open_source(workshop.settings, workshop.settings.source("acme"))
        self.workshop = workshop
        self.opened: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def open(self, obj: Any) -> BinaryIO:
        self.opened.append(obj.name.split(".")[0])
        (listed,) = [found for found in self.workshop.delivery().objects if found.key == obj.key]
        return self.source.open(listed)

    def is_unchanged(self, delivery: object) -> bool:
        return True

    def load(self) -> LoadResult:
        delivery = self.workshop.delivery()
        objects = tuple(
            replace(found, etag=hashlib.md5((self.workshop.bucket / found.key).read_bytes()).hexdigest())  # noqa: S324
            for found in delivery.objects
        )
        self.opened = []
        return load_delivery(self.workshop.lake, self, replace(delivery, objects=objects))


def test_what_an_etag_says_is_the_same_is_not_even_opened(workshop: Workshop) -> None:
    workshop.write(FIRST, SECOND, THIRD, assembly="A1")
    source = Watched(workshop)
    source.load()
    workshop.write(FIRST, CHANGED, THIRD, assembly="A2")

    source.load()

    assert source.opened == ["hourly-00002"]
    assert ask(workshop, "select count(*), sum(line_item_unblended_cost) from raw.aws_cur") == [(8, Decimal("33.7"))]


def test_a_file_that_is_gone_is_gone_and_one_that_comes_twice_counts_twice(workshop: Workshop) -> None:
    workshop.write(FIRST, SECOND, assembly="A1")
    workshop.load()
    workshop.write(SECOND, SECOND, assembly="A2")

    workshop.load()

    assert ask(workshop, "select count(*), sum(line_item_unblended_cost) from raw.aws_cur") == [(6, Decimal("13.2"))]
    assert read_now(workshop) == ["hourly-00002"]


def test_small_files_share_row_groups_and_are_read_again(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.write(FIRST, SECOND, assembly="A1")
    workshop.load()
    workshop.write(FIRST, THIRD, assembly="A2")

    workshop.load()

    assert ask(workshop, "select sum(line_item_unblended_cost) from raw.aws_cur") == [(Decimal("13.2"),)]


def other_amounts(table: pa.Table) -> pa.Table:
    """Somebody else's rows under the same names."""
    cost = table.column_names.index("line_item_unblended_cost")
    return table.set_column(cost, table.field(cost), pa.array([Decimal(7)] * len(table), table.field(cost).type))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: pq.write_table(other_amounts(pq.read_table(path)), path),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b"PAR1" + bytes(path.stat().st_size - 4)),
        lambda path: path.write_bytes(path.read_bytes()[:4] + bytes(600) + path.read_bytes()[604:]),
    ],
    ids=["other amounts", "torn", "no footer", "zeroed pages"],
)
def test_rows_of_the_lake_that_are_not_those_on_record_are_read_again(
    workshop: Workshop, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    workshop.write(FIRST, SECOND, THIRD, assembly="A1")
    workshop.load()
    for path in workshop.warehouse.glob("raw/aws_cur/data/*/*/*.parquet"):
        damage(path)
    workshop.write(FIRST, CHANGED, THIRD, assembly="A2")

    result = workshop.load()

    assert len(read_now(workshop)) == 3
    rows, receipt = as_read_whole(workshop, tmp_path / "other")
    assert bill(workshop) == rows
    assert proves_the_same(result.receipt, receipt)


def test_control_totals_on_record_that_are_not_the_rows_own_are_found_out_and_all_is_read(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubled(text: str) -> FileTotals:
        found = from_text(text)
        found.totals.merge(from_text(text).totals)
        return found

    monkeypatch.setattr(reuse, "from_text", doubled)
    workshop.write(FIRST, SECOND, assembly="A1")
    workshop.load()
    workshop.write(FIRST, THIRD, assembly="A2")

    result = workshop.load()

    assert read_now(workshop) == ["hourly-00001", "hourly-00002"]
    assert result.totals[date(2026, 10, 1)] == {"USD": Decimal("13.2")}
    assert ask(workshop, "select sum(line_item_unblended_cost), count(*) from raw.aws_cur") == [(Decimal("13.2"), 6)]
    assert len(list(workshop.warehouse.glob("raw/aws_cur/data/*/*/*.parquet"))) <= 4  # nothing is left of what was given up


def test_rows_that_older_rules_made_are_read_again(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.write(FIRST, SECOND, assembly="A1")
    with monkeypatch.context() as older:
        older.setattr("cost_lakehouse.loading.records.reader_version", lambda: "an older release")
        workshop.load()
    workshop.write(FIRST, THIRD, assembly="A2")

    workshop.load()

    assert read_now(workshop) == ["hourly-00001", "hourly-00002"]


def test_files_whose_rows_were_merged_since_are_read_again_and_no_others(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # one writer a load: all its rows are in one file
    workshop.write(FIRST, SECOND, assembly="A1")
    workshop.load()
    workshop.write(FIRST, THIRD, assembly="A2")
    workshop.load()  # FIRST is in file 0, THIRD in file 1
    workshop.write(CHANGED, FIRST, THIRD, assembly="A3")

    with monkeypatch.context() as merged:
        merged.setattr(reuse, "load_of", lambda file: None if "-00001." in file.file_path else load_of(file))
        workshop.load()

    assert read_now(workshop) == ["hourly-00001", "hourly-00003"]
    assert ask(workshop, "select sum(line_item_unblended_cost) from raw.aws_cur") == [(Decimal("33.7"),)]


def test_a_forced_load_reads_every_file(workshop: Workshop) -> None:
    workshop.write(FIRST, SECOND, assembly="A1")
    workshop.load()

    workshop.load(force=True)

    assert read_now(workshop) == ["hourly-00001", "hourly-00002"]


def test_a_bad_number_in_a_new_file_is_refused_by_its_own_name(workshop: Workshop) -> None:
    workshop.write(FIRST, SECOND, assembly="A1")
    workshop.load()
    workshop.write(FIRST, [line(UnblendedCost="12,34")], assembly="A2")

    with pytest.raises(Exception, match=r"hourly-00002.csv.gz, record 1.*'12,34' is not a number"):
        workshop.load()

    assert ask(workshop, "select sum(line_item_unblended_cost) from raw.aws_cur") == [(Decimal("10.2"),)]
    assert ask(workshop, "select state from raw.receipts where delivery_id = 'A2'") == [("refused",)]


def test_an_object_that_is_shorter_than_listed_has_no_digest(workshop: Workshop) -> None:
    class Short:
        def open(self, obj: object) -> BinaryIO:
            return io.BytesIO(b"12")

    (found, *_) = [replace(each, size=3) for each in delivered(workshop)]
    held = reuse.HeldFile("other", "x", 3, 1, hashlib.sha256(b"12").hexdigest(), "", "", "")
    assert reuse.same_files(Short(), [found], [held]) == {}


def delivered(workshop: Workshop) -> Sequence[Any]:
    workshop.write(FIRST, assembly="A1")
    return workshop.delivery().objects
