"""Each fault is really planted, and only that one."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sample_bills import Bill, BillDelivery, Fault, FileFormat, Versioning, Written, write_delivery
from sample_bills.columns import APPEARING, VANISHING
from sample_bills.faults import LONG_VALUE

from .reading import Row, csv_rows, text_of

OCTOBER = date(2026, 10, 1)
DELIVERED = datetime(2026, 11, 6, 5, 36, 21, tzinfo=UTC)
BILL = Bill(months=(OCTOBER,), rows=400)
PARQUET = Bill(months=(OCTOBER,), rows=400, file_format=FileFormat.PARQUET, versioning=Versioning.OVERWRITE)


def deliver(root: Path, *faults: Fault, files: int = 2, bill: Bill = BILL, invoiced: bool = False) -> Written:
    delivery = BillDelivery(month=OCTOBER, delivered_at=DELIVERED, files=files, faults=frozenset(faults), invoiced=invoiced)
    return write_delivery(root, bill, delivery)


def contents(rows: list[Row]) -> Counter[tuple[str, ...]]:
    """The rows without their ids, which differ between any two deliveries."""
    return Counter(tuple(text for name, text in row.items() if name != "identity/LineItemId") for row in rows)


@pytest.mark.parametrize(("fault", "text"), [(Fault.BAD_NUMBER, "12,34"), (Fault.NOT_A_NUMBER, "n/a")])
def test_a_bad_number_stands_where_the_totals_say(fault: Fault, text: str, tmp_path: Path) -> None:
    written = deliver(tmp_path, fault)
    (planted,) = written.expected.planted
    assert (planted.column, planted.value) == ("lineItem/UnblendedCost", text)
    rows = csv_rows(written)
    in_first_file = 200
    assert (planted.file, planted.record) == ("hourly-cur-00002.csv.gz", 1)
    assert rows[in_first_file]["lineItem/UnblendedCost"] == text
    assert sum(row["lineItem/UnblendedCost"] == text for row in rows) == 1


def test_two_currencies_are_kept_apart_in_the_totals(tmp_path: Path) -> None:
    totals = deliver(tmp_path, Fault.TWO_CURRENCIES).expected.total()
    assert set(totals) == {"USD", "EUR"}
    assert totals["EUR"] > 0


def test_files_of_headers_only_have_columns_and_no_rows(tmp_path: Path) -> None:
    written = deliver(tmp_path, Fault.HEADER_ONLY)
    assert csv_rows(written) == []
    assert all(text_of(path).startswith("identity/LineItemId,") for path in written.files)
    assert (written.expected.rows, written.expected.total()) == (0, {})
    parquet = deliver(tmp_path, Fault.HEADER_ONLY, bill=PARQUET)
    assert [pq.read_table(path).num_rows for path in parquet.files] == [0, 0]


def test_long_lines_are_longer_than_64_kib(tmp_path: Path) -> None:
    rows = csv_rows(deliver(tmp_path, Fault.LONG_LINES))
    assert len(LONG_VALUE) > 64 * 1024
    assert sum(row["resourceTags/user:Name"] == LONG_VALUE for row in rows) == 3


def test_fine_fractions_have_more_than_20_digits(tmp_path: Path) -> None:
    bill = Bill(months=(OCTOBER,), rows=2_000)
    costs = [row["lineItem/UnblendedCost"] for row in csv_rows(deliver(tmp_path, Fault.FINE_FRACTIONS, bill=bill))]
    assert max(len(cost.partition(".")[2]) for cost in costs) == 25


def test_a_late_refund_is_one_row_more_and_nothing_else(tmp_path: Path) -> None:
    before = deliver(tmp_path / "before", invoiced=True)
    after = deliver(tmp_path / "after", Fault.LATE_REFUND, invoiced=True)
    more, less = contents(csv_rows(after)), contents(csv_rows(before))
    (refund,) = (more - less).elements()
    assert not less - more
    assert "Refund" in refund
    assert "-18.75" in refund
    assert after.expected.total()["USD"] - before.expected.total()["USD"] == Decimal("-18.75")


def test_rows_change_and_vanish_in_a_redelivery(tmp_path: Path) -> None:
    bill = Bill(months=(OCTOBER,), rows=2_000)
    before = deliver(tmp_path / "before", bill=bill)
    changed = deliver(tmp_path / "changed", Fault.CHANGED_ROWS, bill=bill)
    vanished = deliver(tmp_path / "vanished", Fault.VANISHED_ROWS, bill=bill)
    assert changed.expected.rows == before.expected.rows == 2_000
    assert changed.expected.total() != before.expected.total()
    assert vanished.expected.rows < 1_980
    gone = contents(csv_rows(before)) - contents(csv_rows(vanished))
    assert gone.total() >= 2_000 - vanished.expected.rows
    assert changed.expected.commitments == vanished.expected.commitments == before.expected.commitments


def test_columns_appear_and_vanish_between_deliveries(tmp_path: Path) -> None:
    plain = set(deliver(tmp_path).columns)
    assert set(deliver(tmp_path, Fault.COLUMN_APPEARS).columns) - plain == set(APPEARING)
    gone = deliver(tmp_path, Fault.COLUMN_VANISHES)
    assert plain - set(gone.columns) == set(VANISHING)
    assert list(csv_rows(gone)[0]) == list(gone.columns)


def test_columns_differ_between_the_files_of_one_delivery(tmp_path: Path) -> None:
    written = deliver(tmp_path, Fault.UNEVEN_COLUMNS)
    first, last = (set(text_of(path).split("\n", 1)[0].split(",")) for path in written.files)
    assert (last - first, first - last) == (set(APPEARING), set(VANISHING))


def test_a_duplicate_file_lies_beside_unlisted(tmp_path: Path) -> None:
    written = deliver(tmp_path, Fault.DUPLICATE_FILE)
    beside = sorted(path.name for path in written.files[0].parent.glob("*.csv.gz"))
    assert beside == ["hourly-cur-00001.csv.gz", "hourly-cur-00002.csv.gz", "hourly-cur-00003.csv.gz"]
    assert json.loads(written.manifest.read_text())["reportKeys"] == list(written.keys)
    assert len(written.keys) == 2
    assert (written.files[0].parent / beside[2]).read_bytes() == written.files[0].read_bytes()


def test_a_torn_file_ends_in_the_middle_of_its_data(tmp_path: Path) -> None:
    written = deliver(tmp_path, Fault.TORN_FILE)
    gzip.decompress(written.files[0].read_bytes())
    with pytest.raises(EOFError):
        gzip.decompress(written.files[1].read_bytes())


def test_a_corrupt_file_has_its_full_length(tmp_path: Path) -> None:
    good = deliver(tmp_path / "good").files[1].stat().st_size
    written = deliver(tmp_path, Fault.CORRUPT_FILE)
    assert written.files[1].stat().st_size == good
    with pytest.raises((zlib.error, gzip.BadGzipFile, EOFError)):
        gzip.decompress(written.files[1].read_bytes())
    parquet = deliver(tmp_path, Fault.CORRUPT_FILE, bill=PARQUET)
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(parquet.files[1])


def test_missing_and_empty_files_are_listed(tmp_path: Path) -> None:
    missing = deliver(tmp_path / "missing", Fault.MISSING_FILE)
    assert [path.exists() for path in missing.files] == [True, False]
    empty = deliver(tmp_path / "empty", Fault.EMPTY_FILE)
    assert empty.files[1].stat().st_size == 0
    nothing = deliver(tmp_path / "nothing", Fault.MANIFEST_FIRST)
    assert [path.exists() for path in nothing.files] == [False, False]
    for written in (missing, empty, nothing):
        assert len(json.loads(written.manifest.read_text())["reportKeys"]) == 2


def test_an_old_assembly_lies_beside_with_its_own_manifest(tmp_path: Path) -> None:
    written = deliver(tmp_path, Fault.OLD_ASSEMBLY)
    period = written.manifest.parent
    assert sorted(path.name for path in period.iterdir() if path.is_dir()) == ["20261105T023621Z", "20261106T053621Z"]
    old = json.loads((period / "20261105T023621Z" / "hourly-cur-Manifest.json").read_text())
    assert old["assemblyId"] == "20261105T023621Z"
    assert all((written.bucket_root / key).exists() for key in old["reportKeys"])
    assert json.loads(written.manifest.read_text())["assemblyId"] == "20261106T053621Z"


def test_athena_s_status_says_updating_while_a_report_is_refreshed(tmp_path: Path) -> None:
    written = deliver(tmp_path, Fault.REFRESHING, bill=PARQUET)
    (status,) = written.bucket_root.rglob("cost_and_usage_data_status.parquet")
    assert pq.read_table(status).to_pylist() == [{"status": "UPDATING"}]


def test_faults_that_a_delivery_cannot_have_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Parquet delivery cannot have bad-number"):
        deliver(tmp_path, Fault.BAD_NUMBER, bill=PARQUET)
    with pytest.raises(ValueError, match="no assembly folders"):
        deliver(tmp_path, Fault.OLD_ASSEMBLY, bill=PARQUET)
    with pytest.raises(ValueError, match="at least two files"):
        deliver(tmp_path, Fault.UNEVEN_COLUMNS, files=1)


def test_every_fault_says_what_it_does() -> None:
    assert all(fault.what.endswith(".") for fault in Fault)
