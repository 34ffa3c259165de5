"""OCI's sample reports: laid out as Oracle does, and what they say they hold is what another program reads from them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from sample_bills import OciBill, OciExpected, OciFault, OciReport, OciWritten, write_oci
from sample_bills.money import EXACT

MONTHS = (date(2026, 9, 1), date(2026, 10, 1))
BILL = OciBill(months=MONTHS, files_a_day=4, rows=40)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> OciWritten:
    """Two months, four files a day, all three reports."""
    return write_oci(tmp_path_factory.mktemp("oci"), BILL)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode(), newline="")))


def rows(written: OciWritten, report: OciReport = OciReport.COST) -> list[dict[str, str]]:
    return [row for file in written.of(report) for row in rows_of(file.path)]


def start_of(row: dict[str, str]) -> datetime:
    text = row["lineItem/intervalUsageStart"]
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ" if text.count(":") == 2 else "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)


def test_costs_are_what_the_files_say_by_day_tenancy_service_and_currency(written: OciWritten) -> None:
    found: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    with localcontext(EXACT):
        for row in rows(written):
            key = (start_of(row).date(), row["lineItem/tenantId"], row["product/service"], row["cost/currencyCode"])
            found[key] += Decimal(row["cost/myCost"])
    assert written.expected.by("usage_date", "tenant_id", "service", "currency") == found
    assert written.expected.rows == len(rows(written))


def test_what_corrections_void_is_what_they_refer_to(written: OciWritten) -> None:
    all_rows = rows(written)
    corrected = {row["lineItem/backreferenceNo"] for row in all_rows if row["lineItem/isCorrection"] == "true"}
    places = {row["lineItem/referenceNo"]: file.key for file in written.of(OciReport.COST) for row in rows_of(file.path)}
    assert len(places) == len(all_rows)
    assert corrected <= places.keys()
    with localcontext(EXACT):
        left = sum(Decimal(row["cost/myCost"]) for row in all_rows if row["lineItem/referenceNo"] not in corrected)
    assert written.expected.total(voiding=True) == {"USD": left}
    assert written.expected.total()["USD"] > left
    distant = [
        row
        for row in all_rows
        if places.get(row["lineItem/backreferenceNo"]) not in (None, places[row["lineItem/referenceNo"]])
    ]
    assert distant, "some corrections refer to a row of an earlier file"


def test_every_oddity_of_real_reports_is_there(written: OciWritten) -> None:
    all_rows = rows(written)
    starts = {row["lineItem/intervalUsageStart"].count(":") for row in all_rows}
    assert starts == {1, 2}
    assert {row["cost/overageFlag"] for row in all_rows} == {"Y", "N", "", "false"}
    nameless = [row for row in all_rows if not row["cost/currencyCode"]]
    assert nameless
    assert {row["cost/myCost"] for row in nameless} == {"0"}
    assert any(len(row["usage/billedQuantity"].partition(".")[2]) == 18 for row in all_rows)
    assert {row["lineItem/tenantId"] for row in all_rows} == {BILL.tenant_id, BILL.child_tenant_id}
    headers = {tuple(rows_of(file.path)[0]) for file in written.of(OciReport.COST)}
    assert len(headers) == 2
    assert {"cost/attributedCost", "tags/Oracle-Tags.CreatedBy", r"tags/k8s:io\cluster name"} <= set.union(*map(set, headers))
    with localcontext(EXACT):
        for row in all_rows:
            assert Decimal(row["cost/myCostOverage"]) <= abs(Decimal(row["cost/myCost"]))


def test_late_rows_of_a_month_come_in_files_of_the_next(written: OciWritten) -> None:
    increments = {increment.name(1): increment for increment in BILL.increments}
    months = {
        (increments[file.path.name].start.month, start_of(row).month)
        for file in written.of(OciReport.COST)
        for row in rows_of(file.path)
    }
    assert months == {(9, 9), (10, 9), (10, 10), (11, 10)}
    assert written.expected.months == MONTHS


def test_files_lie_where_oracle_puts_them(written: OciWritten) -> None:
    assert all(re.fullmatch(r"reports/cost-csv/\d{16}-00001\.csv\.gz", file.key) for file in written.of(OciReport.COST))
    assert all(
        re.fullmatch(r"FOCUS Reports/2026/\d\d/\d\d/\d{16}-00001\.csv\.gz", file.key) for file in written.of(OciReport.FOCUS)
    )
    keys = [file.key for file in written.of(OciReport.COST)]
    assert keys == sorted(keys)
    assert len(keys) == (30 + 31 + 1) * 4


def test_focus_says_the_same_and_usage_more(written: OciWritten) -> None:
    focus, cost, usage = rows(written, OciReport.FOCUS), rows(written), rows(written, OciReport.USAGE)
    assert len(focus[0]) == 49
    assert [row["BilledCost"] for row in focus] == [row["cost/myCost"] for row in cost]
    assert all(json.loads(row["Tags"]) is not None for row in focus)
    only = {row["lineItem/referenceNo"] for row in usage} - {row["lineItem/referenceNo"] for row in cost}
    assert len(only) == len(written.of(OciReport.USAGE))
    assert max(Decimal(row["usage/consumedQuantity"]) for row in usage) > 10**16


def test_the_same_bill_gives_the_same_bytes_and_parts_hold_what_one_file_holds(tmp_path: Path, written: OciWritten) -> None:
    again = write_oci(tmp_path / "again", BILL, first=3, last=4)
    parts = write_oci(tmp_path / "parts", OciBill(months=MONTHS, part_rows=15), first=3, last=4)
    known = {file.key: digest(file.path) for file in written.files}
    assert {file.key: digest(file.path) for file in again.files}.items() <= known.items()
    assert [file.path.name[-12:-7] for file in parts.of(OciReport.COST)] == ["00001", "00002", "00003"] * 2
    assert parts.expected == again.expected
    assert rows(parts) == rows(again)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_increments_written_one_by_one_add_up_to_the_bill(tmp_path: Path) -> None:
    bill = OciBill(months=MONTHS[1:], files_a_day=1, rows=10)
    whole = write_oci(tmp_path / "whole", bill)
    parts = [write_oci(tmp_path / "parts", bill, first=number, last=number) for number in range(len(bill.increments))]
    assert OciExpected.together(part.expected for part in parts) == whole.expected


def test_an_open_month_ends_where_it_is_cut(tmp_path: Path) -> None:
    bill = OciBill(months=MONTHS[1:], rows=10, until=datetime(2026, 10, 3, 12, tzinfo=UTC))
    assert max(file.path.stat().st_mtime for file in write_oci(tmp_path, bill).files) <= bill.until.timestamp()  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", list(OciFault))
def test_a_fault_hits_the_last_increment_only(tmp_path: Path, fault: OciFault) -> None:
    good = write_oci(tmp_path / "good", BILL, last=4)
    moment = datetime(2026, 9, 9, tzinfo=UTC)
    bad = write_oci(tmp_path / "bad", BILL, last=4, faults=frozenset({fault}), delivered_at=moment)
    *before, last = zip(good.of(OciReport.COST), bad.of(OciReport.COST), strict=True)
    assert all(digest(one.path) == digest(other.path) for one, other in before)
    assert last[1].path.stat().st_mtime == moment.timestamp()
    if fault is OciFault.EARLY_NAME:
        assert last[1].key < before[0][1].key
        assert digest(last[0].path) == digest(last[1].path)
        return
    assert last[0].key == last[1].key
    assert digest(last[0].path) != digest(last[1].path)
    if fault in {OciFault.BAD_NUMBER, OciFault.NOT_A_NUMBER, OciFault.BAD_TIME}:
        (planted,) = bad.expected.planted
        assert rows_of(last[1].path)[planted.record - 1][planted.column] == planted.value
        assert planted.key == last[1].key
    if fault in {OciFault.CHANGED_ROWS, OciFault.VANISHED_ROWS}:
        assert bad.expected.total() != good.expected.total()


def test_a_bill_that_cannot_be_is_refused(tmp_path: Path) -> None:
    for wrong in ({"rows": 9}, {"files_a_day": 5}, {"months": (date(2026, 1, 2),)}, {"plain_names": True, "part_rows": 3}):
        with pytest.raises(ValueError, match="must|leaves no room"):
            OciBill(**{"months": MONTHS, **wrong})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="increments 0 to 247"):
        write_oci(tmp_path, BILL, first=248)
