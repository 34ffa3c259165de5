"""One report that comes twice counts once: as a copy, packed anew, cut into other files, or beside a part of itself."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.errors import DeliveryRefused
from cost_lakehouse.lake.loads import HeldObject
from cost_lakehouse.loading.repeats import in_order, same_content
from cost_lakehouse.sources.delivery import Status
from cost_lakehouse.storage.object_store import StoredObject
from tests.builders import csv_bytes
from tests.focus_builders import FocusPlace, as_csv, charge
from tests.oci_builders import Mirror, cost_line

TUESDAY = datetime(2026, 10, 6, tzinfo=UTC)
WEDNESDAY = datetime(2026, 10, 7, tzinfo=UTC)
LINES = [cost_line(reference=f"V2.{number}", cost=cost) for number, cost in ((1, "1.25"), (2, "2.50"), (3, "8"))]
COSTS = "select file_name, sum(cost_my_cost) from raw.oci_cost group by all order by all"
FINDINGS = "select key, rows, finding, finding_detail from raw.files where finding is not null order by key"
REPEATED, EMPTY = "report repeats another one", "report without lines"


def zipped(text: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("report.csv", (2026, 10, 6, 0, 0, 0)), text)
    return packed.getvalue()


def key(name: str) -> str:
    return f"reports/cost-csv/{name}"


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path)


COPIES = {
    "0001-00001 copy.csv.gz": gzip.compress(csv_bytes(LINES), mtime=0),
    "0001-00001.csv": csv_bytes(LINES),
    "0001-00001.csv.gz.csv.gz": gzip.compress(csv_bytes(LINES), compresslevel=1, mtime=5),
    "0001-00001.csv.zip": zipped(csv_bytes(LINES)),
    "0009-00001.csv": csv_bytes(LINES[::-1]),
    "0009-00002.csv": csv_bytes([dict(reversed(line.items())) for line in LINES]),
}


@pytest.mark.parametrize("at_once", [True, False], ids=["at-once", "later"])
def test_a_report_that_comes_again_counts_once_and_is_a_finding(at_once: bool, mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", LINES, written=TUESDAY)
    if not at_once:
        mirror.load()
    for name, content in COPIES.items():
        mirror.write(name, content, written=WEDNESDAY)

    (result,) = mirror.load()

    assert mirror.ask(COSTS) == [(key("0001-00001.csv.gz"), Decimal("11.75"))]
    assert mirror.ask(FINDINGS) == [(key(name), 0, REPEATED, key("0001-00001.csv.gz")) for name in sorted(COPIES)]
    assert len(result.findings) == 6
    assert (
        result.findings[1]
        == f"{key('0001-00001.csv')} says again what {key('0001-00001.csv.gz')} says: its 3 lines count once."
    )
    assert mirror.load() == []
    assert mirror.ask("select sum(files)::int, sum(rows)::int from raw.receipts") == [(7, 3)]
    # Everything again, by force: the same.
    mirror.load(standing=Status.CURRENT)
    assert mirror.ask("select sum(cost_my_cost) from raw.oci_cost") == [(Decimal("11.75"),)]


def test_a_report_that_was_cut_into_others_counts_once(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", LINES)
    mirror.load()
    mirror.write("0001-00001a.csv.gz", LINES[:2])
    mirror.write("0001-00001b.csv.gz", LINES[2:])
    mirror.load()

    assert mirror.ask(COSTS) == [(key("0001-00001.csv.gz"), Decimal("11.75"))]
    assert [row[0] for row in mirror.ask(FINDINGS)] == [key("0001-00001a.csv.gz"), key("0001-00001b.csv.gz")]


def test_a_report_that_comes_with_its_parts_is_the_one_that_counts(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", LINES[:2])
    mirror.write("0002-00001.csv.gz", LINES)
    mirror.load()

    assert mirror.ask(COSTS) == [(key("0002-00001.csv.gz"), Decimal("11.75"))]


def test_a_report_that_holds_some_lines_of_another_one_is_refused_and_the_rest_goes_on(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", LINES[:2])
    mirror.load()
    mirror.write("0002-00001.csv.gz", LINES[1:])
    mirror.write("0003-00001.csv.gz", [cost_line(reference="V2.9", cost="16")])

    with pytest.raises(DeliveryRefused) as refused:
        mirror.load()

    assert (
        f"1 of the 2 lines of {key('0002-00001.csv.gz')} are in {key('0001-00001.csv.gz')} too, such as the one with "
        "reference number V2.2" in str(refused.value)
    )
    mirror.load()
    assert mirror.ask(COSTS) == [
        (key("0001-00001.csv.gz"), Decimal("3.75")),
        (key("0003-00001.csv.gz"), Decimal("16")),
    ]
    assert [offer.objects[0].key for offer in mirror.offers(Status.REFUSED)] == [key("0002-00001.csv.gz")]


def test_corrections_split_lines_and_lines_without_a_number_stay(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", [cost_line(reference="a", cost="8"), cost_line(reference="", cost="1")])
    mirror.load()
    mirror.write(
        "0002-00001.csv.gz",
        [
            cost_line(reference="b", cost="-8", back="a", correction="true"),
            cost_line(reference="a", cost="8", **{"tags/Oracle-Tags.CreatedBy": "grace"}),  # the same line, split by its tags
            cost_line(reference="a", cost="8", tenant="ocid1.tenancy.oc1..child"),
            cost_line(reference="", cost="1"),
        ],
    )
    mirror.load()

    assert mirror.ask("select count(*), sum(cost_my_cost) from raw.oci_cost") == [(6, Decimal("18"))]
    assert mirror.ask(FINDINGS) == []


def test_a_copy_counts_once_what_it_repeats_was_replaced(mirror: Mirror) -> None:
    mirror.write("0001-00001.csv.gz", LINES, written=TUESDAY)
    mirror.write("0001-00001.csv", csv_bytes(LINES), written=WEDNESDAY)
    mirror.load()
    mirror.write("0001-00001.csv.gz", [cost_line(reference="V2.7", cost="100")], written=WEDNESDAY)

    mirror.load()
    mirror.load()

    assert mirror.ask(COSTS) == [(key("0001-00001.csv"), Decimal("11.75")), (key("0001-00001.csv.gz"), Decimal("100"))]
    assert mirror.load() == []


def test_usage_reports_are_compared_too(mirror: Mirror) -> None:
    usage = [
        {
            "lineItem/referenceNo": f"U{number}",
            "lineItem/tenantId": "ocid1.tenancy.oc1..acme",
            "lineItem/intervalUsageStart": "2026-10-05T10:00Z",
            "usage/consumedQuantity": "3",
        }
        for number in (1, 2)
    ]
    mirror.write("0001-00001.csv.gz", usage, report="reports/usage-csv")
    mirror.load()
    mirror.write("0001-00001b.csv.gz", usage[1:], report="reports/usage-csv")
    mirror.load()

    assert mirror.ask("select count(*) from raw.oci_usage") == [(2,)]


EMPTY_FILES = {
    "0001-00001.csv.gz": gzip.compress(b"", mtime=0),
    "0001-00002.csv": b"",
    "0001-00003.csv": b"\xef\xbb\xbf\r\n",
    "0001-00004.csv.zip": zipped(b""),
    "0001-00005.parquet": b"",
    "0001-00006.csv.gz": gzip.compress(",".join(cost_line()).encode() + b"\n", mtime=0),
}


def test_a_report_without_lines_is_a_delivery_of_no_rows_with_a_finding(mirror: Mirror) -> None:
    for name, content in EMPTY_FILES.items():
        mirror.write(name, content)
    mirror.write("0002-00001.csv.gz", LINES[:1])

    (result,) = mirror.load()

    assert mirror.ask(COSTS) == [(key("0002-00001.csv.gz"), Decimal("1.25"))]
    assert mirror.ask(FINDINGS) == [(key(name), 0, EMPTY, None) for name in EMPTY_FILES]
    assert result.findings[0] == f"{key('0001-00001.csv.gz')} is empty: it is taken as a report without lines."
    assert mirror.load() == []
    # Once it is whole it is another object.
    mirror.write("0001-00002.csv", csv_bytes(LINES[1:2]), written=WEDNESDAY)
    mirror.load()
    assert mirror.ask("select sum(cost_my_cost) from raw.oci_cost") == [(Decimal("3.75"),)]


def test_a_focus_file_that_comes_twice_counts_once_until_the_first_one_is_gone(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    bill = as_csv([charge("1"), charge("2")])
    first = place.write("a.csv.gz", bill, TUESDAY)
    place.write("b.csv", gzip.decompress(bill), WEDNESDAY)
    place.load()
    assert place.costs() == [("acme", "2026-10", Decimal("3"))]
    assert place.ask(FINDINGS) == [("b.csv", 0, REPEATED, "a.csv.gz")]

    # The copy stays, the first one goes, and another file comes: what is there is the bill.
    first.unlink()
    place.write("c.csv.gz", as_csv([charge("16")]), WEDNESDAY)
    place.load()
    assert place.costs() == [("acme", "2026-10", Decimal("19"))]
    assert place.ask("select distinct file_name from raw.focus order by 1") == [("b.csv",), ("c.csv.gz",)]
    assert place.load() == []


def test_an_empty_focus_file_does_not_hold_back_the_others(tmp_path: Path) -> None:
    place = FocusPlace(tmp_path)
    place.write("a.csv.gz", gzip.compress(b"", mtime=0), TUESDAY)
    place.write("b.csv.gz", as_csv([charge("4")]), TUESDAY)

    place.load()

    assert place.costs() == [("acme", "2026-10", Decimal("4"))]
    assert place.ask(FINDINGS) == [("a.csv.gz", 0, EMPTY, None)]


def test_the_largest_then_the_oldest_object_is_the_one_that_others_repeat() -> None:
    objects = [StoredObject(name, "e", 1, moment) for name, moment in (("a", WEDNESDAY), ("b", TUESDAY), ("c", WEDNESDAY))]

    assert in_order(objects, {"a": 1, "b": 1, "c": 2}) == ["c", "b", "a"]


def test_only_objects_with_lines_have_a_content_to_compare() -> None:
    october = date(2026, 10, 1)
    held = {
        "old": HeldObject("e", 1, {october: 2}, "x"),
        "copy": HeldObject("e", 1, {}, "x", "old"),
        "bare": HeldObject("e", 1, {}),
    }

    assert same_content(["a", "b", "c", "d"], {"a": "x", "b": "y", "c": "y"}, held) == {"a": "old", "c": "b"}
