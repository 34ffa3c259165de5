"""Maintenance without any server: nothing that is needed goes, everything else does, and it is told before and after."""

from __future__ import annotations

import os
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import file_name, load_of
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import LEDGERS
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.moments import month_end_tags, tables_at
from cost_lakehouse.lake.replace import replace_slices
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.maintenance.embedded import found_files, referenced_files
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.maintenance.report import Report, TableReport
from tests.builders import Workshop, line, settings_for
from tests.lake.test_replace import COLUMNS, put
from tests.maintenance.rows import TABLES, file_count, rows, rules

OCTOBER = Slice("acme", date(2026, 10, 1))


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def deliver(workshop: Workshop, number: int) -> None:
    workshop.write([line(UnblendedCost=str(number)), line(UnblendedCost="0.5")], assembly=f"A{number:04d}")
    workshop.load()


def by_table(reports: list[TableReport] | tuple[TableReport, ...]) -> dict[str, TableReport]:
    return {report.table: report for report in reports}


def later(hours: float = 100) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def test_everything_unneeded_goes_and_no_row_of_any_table_changes(workshop: Workshop) -> None:
    lake = workshop.lake
    for number in range(1, 6):
        deliver(workshop, number)
    before = rows(lake)

    planned = by_table([*maintain(lake, dry_run=True, rules=rules()).tables])
    assert rows(lake) == before
    assert file_count(lake, "raw.receipts") == 5
    first = by_table([*maintain(lake, rules=rules()).tables])
    second = by_table([*maintain(lake, rules=rules(), now=later()).tables])

    assert rows(lake) == before
    for name in TABLES:
        assert not first[name].failed
        assert (planned[name].expired, planned[name].removed_expired, planned[name].merged) == (
            first[name].expired,
            first[name].removed_expired,
            first[name].merged,
        )
        assert second[name].after.count < first[name].before.count
        # Not one file is left that nothing needs, and not one that is needed is missing.
        table = lake.table(name)
        assert set(found_files(lake, name)) == referenced_files(table) - {"metadata/version-hint.text"}
    assert first["raw.aws_cur"].expired == 3
    for name in LEDGERS:
        assert (first[name].merged.count, first[name].merged_into.count, file_count(lake, name)) == (5, 1, 1)
    third = maintain(lake, rules=rules(), now=later())
    assert not any(candidate.changed for candidate in third.tables)


def test_old_snapshots_that_are_kept_are_still_readable(workshop: Workshop) -> None:
    for number in range(1, 5):
        deliver(workshop, number)
    for _ in range(2):
        maintain(workshop.lake, rules=rules(), now=later())

    table = workshop.lake.table("raw.aws_cur")
    seen = {
        snapshot.summary["delivery-id"]: sorted(
            table.scan(snapshot_id=snapshot.snapshot_id, selected_fields=("line_item_unblended_cost",))
            .to_arrow()[0]
            .to_pylist()
        )
        for snapshot in table.metadata.snapshots
        if snapshot.summary is not None
    }
    assert seen == {"A0003": [Decimal("0.5"), Decimal(3)], "A0004": [Decimal("0.5"), Decimal(4)]}


def test_several_small_files_of_line_items_become_one_and_the_slice_keeps_its_load(workshop: Workshop) -> None:
    lake = workshop.lake
    deliver(workshop, 1)
    _split_line_items(lake)
    before = rows(lake)
    assert file_count(lake, "raw.aws_cur") == 2

    report = by_table([*maintain(lake, rules=rules()).tables])["raw.aws_cur"]

    assert (report.merged.count, report.merged_into.count, file_count(lake, "raw.aws_cur")) == (2, 1, 1)
    assert rows(lake) == before
    assert workshop.load().status.value == "unchanged"


def _split_line_items(lake: Lake) -> None:
    """The slice's rows in two files of one load, as a load with two threads leaves them."""
    (file,) = data_files(lake.table("raw.aws_cur"))
    path = Path(file.file_path.removeprefix("file://"))
    content = pq.read_table(path, partitioning=None)
    locations = []
    for number in (1, 2):
        part = path.with_name(file_name(str(load_of(file)), number))
        pq.write_table(content.slice(number - 1, 1), part, store_schema=False)
        locations.append(f"file://{part}")
    summary = lake.table("raw.aws_cur").snapshots()[-1].summary
    assert summary is not None
    labels = {name: summary.additional_properties[name] for name in ("delivery-id", "load-id", "slices")}
    replace_slices(lake, "raw.aws_cur", [OCTOBER], locations, labels)


def test_line_items_that_are_just_loaded_are_left_for_next_time(workshop: Workshop) -> None:
    lake = workshop.lake
    deliver(workshop, 1)
    _split_line_items(lake)

    with Lake(lake.settings).lock("load-acme-aws_cur", "The load of acme 2026-10"):
        report = maintain(lake, ["raw.aws_cur"], rules=rules()).tables[0]

    assert report.skipped == ["not merged: The load of acme 2026-10 is being worked on by another process."]
    assert (report.slices_merged, report.failed) == (0, "")
    assert file_count(lake, "raw.aws_cur") == 2


def test_loads_and_maintenance_beside_each_other_both_come_to_their_end(workshop: Workshop) -> None:
    deliver(workshop, 1)
    done = threading.Event()
    reports: list[Report] = []

    def maintain_all_the_time() -> None:
        while not done.is_set():
            reports.append(maintain(Lake(workshop.settings), rules=rules(keep=timedelta(days=30))))

    thread = threading.Thread(target=maintain_all_the_time)
    thread.start()
    try:
        for number in range(2, 7):
            deliver(workshop, number)
    finally:
        done.set()
        thread.join()

    assert all(report.ok for report in reports), reports
    found = rows(workshop.lake)
    wanted = [f"A{number:04d}" for number in range(1, 7)]
    assert sorted(entry[2] for entry in found["raw.receipts"]) == wanted
    assert sorted(entry[2] for entry in found["raw.files"]) == wanted
    assert len(found["raw.aws_cur"]) == 2


def test_orphans_go_when_they_are_old_enough_whatever_they_are(workshop: Workshop) -> None:
    lake = workshop.lake
    deliver(workshop, 1)
    before = rows(lake)
    left = [
        workshop.warehouse / "raw/aws_cur" / text
        for text in (
            "data/source=acme/billing_period=2026-10-01/load-00000000000000ff-00000.parquet",
            "data/source=acme/billing_period=2026-10-01/.upload-1.tmp",
            "metadata/00000-aaaa.metadata.json",
            "metadata/snap-1-0-bbbb.avro",
            "metadata/bbbb-m0.avro",
        )
    ]
    for left_slice in left:
        left_slice.write_bytes(b"x" * 100)
        os.utime(left_slice, (1_000_000_000, 1_000_000_000))
    young = left[0].with_name("merged-00000000000000ff-00000.parquet")
    young.write_bytes(b"just being written")

    planned = maintain(lake, ["raw.aws_cur"], dry_run=True, rules=rules()).tables[0]
    assert all(left_slice.exists() for left_slice in left)
    done = maintain(lake, ["raw.aws_cur"], rules=rules()).tables[0]

    for report in (planned, done):
        assert (report.removed_orphans.count, report.removed_orphans.bytes, report.left_young.count) == (5, 500, 1)
    assert not any(left_slice.exists() for left_slice in left)
    assert young.exists()
    assert rows(lake) == before


def test_a_snapshot_that_somebody_tagged_is_kept_with_its_files(workshop: Workshop) -> None:
    lake = workshop.lake
    deliver(workshop, 1)
    table = lake.table("raw.aws_cur")
    audited = table.snapshots()[-1].snapshot_id
    table.manage_snapshots().create_tag(audited, "audit-2026").commit()
    for number in range(2, 6):
        deliver(workshop, number)

    for _ in range(2):
        maintain(lake, rules=rules(), now=later())

    table = lake.table("raw.aws_cur")
    assert len(table.metadata.snapshots) == 3
    assert table.scan(snapshot_id=audited).to_arrow().num_rows == 2


def test_marts_are_merged_unless_they_are_just_published(tmp_path: Path) -> None:
    lake = Lake(settings_for(tmp_path, {}))
    lake.create_table("marts.costs", COLUMNS)
    for source in ("acme", "globex"):
        put(lake, Slice(source, date(2026, 10, 1)), "d1", "1", "2")
    with Lake(lake.settings).lock("publish", "Publishing summaries"):
        assert maintain(lake, ["marts.costs"], rules=rules()).tables[0].skipped == []  # there is nothing to merge
    assert file_count(lake, "marts.costs") == 2


def test_one_broken_table_is_told_and_does_not_hold_back_the_others(workshop: Workshop) -> None:
    lake = workshop.lake
    for number in range(1, 4):
        deliver(workshop, number)
    needed = data_files(lake.table("raw.files"))[0]
    Path(needed.file_path.removeprefix("file://")).unlink()
    files = set(found_files(lake, "raw.files"))

    report = maintain(lake, rules=rules(keep=timedelta(days=30)))

    assert not report.ok
    found = by_table([*report.tables])
    assert [name for name, item in found.items() if item.failed] == ["raw.files"]
    assert Path(needed.file_path).name in found["raw.files"].failed
    assert set(found_files(lake, "raw.files")) == files
    assert found["raw.receipts"].merged.count == 3


def test_two_maintenances_at_once_are_one_too_many(workshop: Workshop) -> None:
    with (
        Lake(workshop.settings).lock("maintenance", "Lake maintenance"),
        pytest.raises(LakeError, match="Lake maintenance is being worked on by another process"),
    ):
        maintain(workshop.lake, rules=rules())


def test_a_table_that_is_not_there_is_a_mistake_in_the_command(workshop: Workshop) -> None:
    with pytest.raises(ConfigurationError, match=r"raw\.oci"):
        maintain(workshop.lake, ["raw.oci"])


def test_the_end_of_a_month_stays_readable_until_it_is_one_too_many(workshop: Workshop) -> None:
    lake = workshop.lake
    deliver(workshop, 1)
    end = datetime.now(UTC).replace(day=28) + timedelta(days=4)  # a moment of the next month
    end = end.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    at_end = end.replace(tzinfo=None)
    kept = rules(keep_deliveries=1, keep_month_ends=1)
    maintain(lake, ["raw.aws_cur"], rules=kept, now=end + timedelta(hours=3))
    for number in (2, 3):
        deliver(workshop, number)
    maintain(lake, ["raw.aws_cur"], rules=kept, now=end + timedelta(hours=4))
    assert list(month_end_tags(lake.table("raw.aws_cur")).values()) == [at_end]
    assert _deliveries_at(lake, at_end) == ["A0001"]

    # One month on, this one is let go.
    maintain(lake, ["raw.aws_cur"], rules=kept, now=end + timedelta(days=40))
    assert at_end not in month_end_tags(lake.table("raw.aws_cur")).values()


def test_a_table_of_which_a_moment_is_gone_holds_back_those_alone_that_need_it(workshop: Workshop) -> None:
    lake = workshop.lake
    deliver(workshop, 1)
    then = datetime.now(UTC).replace(tzinfo=None)
    for number in (2, 3):
        deliver(workshop, number)
    maintain(lake, ["raw.aws_cur"], rules=rules(keep_deliveries=1, keep_month_ends=0), now=later())

    at_then = tables_at(lake, then, lambda name: name == "raw.receipts")
    assert "raw.aws_cur" not in at_then
    assert "raw.receipts" in at_then
    with pytest.raises(LakeError, match=r"raw\.aws_cur of .* is not kept any more: its oldest snapshot is of"):
        tables_at(lake, then, lambda name: name == "raw.aws_cur")


def _deliveries_at(lake: Lake, moment: datetime) -> list[str]:
    with connect(lake, tables={"raw.aws_cur": tables_at(lake, moment)["raw.aws_cur"]}) as connection:
        return [name for (name,) in connection.execute("select distinct delivery_id from raw.aws_cur").fetchall()]
