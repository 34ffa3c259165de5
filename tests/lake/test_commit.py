"""A commit of ours is one that every Iceberg library reads, and costs what it changes, however long the table's history is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import ManifestEntryStatus, ManifestFile
from pyiceberg.table import Table

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.commit import Change, commit
from cost_lakehouse.lake.manifests import data_files, entries_of, manifests_of
from cost_lakehouse.lake.slices import Slice
from tests.builders import settings_for
from tests.lake.test_replace import COLUMNS, NOVEMBER, OCTOBER, put

MARCH = Slice("other", date(2025, 3, 1))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(settings_for(tmp_path, {}))
    lake.create_table("marts.costs", COLUMNS)
    return lake


def read_by_pyiceberg(table: Table, snapshot_id: int | None = None) -> list[tuple[str, Decimal]]:
    found = table.scan(snapshot_id=snapshot_id).to_arrow()
    return sorted(zip(found["source"].to_pylist(), found["cost"].to_pylist(), strict=True))


def current_manifests(lake: Lake) -> list[ManifestFile]:
    table = lake.table("marts.costs")
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return snapshot.manifests(table.io)


def metadata_files(lake: Lake) -> list[str]:
    return [
        entry.location for entry in lake.warehouse.list("marts/costs/metadata") if entry.location.endswith(".metadata.json")
    ]


def test_every_snapshot_is_there_for_pyiceberg_as_it_was(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1", "2")
    put(lake, MARCH, "d1", "10")
    put(lake, OCTOBER, "d2", "3")

    table = lake.table("marts.costs")
    first, second, third = table.metadata.snapshots
    assert read_by_pyiceberg(table, first.snapshot_id) == [("acme", Decimal(1)), ("acme", Decimal(2))]
    assert read_by_pyiceberg(table, second.snapshot_id) == [
        ("acme", Decimal(1)),
        ("acme", Decimal(2)),
        ("other", Decimal(10)),
    ]
    assert read_by_pyiceberg(table) == [("acme", Decimal(3)), ("other", Decimal(10))]
    assert [item.parent_snapshot_id for item in (first, second, third)] == [None, first.snapshot_id, second.snapshot_id]
    assert [item.sequence_number for item in (first, second, third)] == [1, 2, 3]
    assert [entry.snapshot_id for entry in table.history()] == [snapshot.snapshot_id for snapshot in (first, second, third)]
    assert third.summary is not None
    told = third.summary.additional_properties
    assert {name: told[name] for name in ("added-records", "deleted-records", "total-records", "total-data-files")} == {
        "added-records": "1",
        "deleted-records": "2",
        "total-records": "2",
        "total-data-files": "2",
    }
    assert told["delivery-id"] == "d2"


def test_a_snapshot_tells_which_files_it_took_out(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1")
    old = data_files(lake.current("marts.costs"))[0].file_path
    put(lake, OCTOBER, "d2", "2")

    table = lake.table("marts.costs")
    told = [
        (planned.status, planned.data_file.file_path, planned.sequence_number)
        for manifest in current_manifests(lake)
        for planned in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
        if planned.status == ManifestEntryStatus.DELETED
    ]
    assert told == [(ManifestEntryStatus.DELETED, old, 1)]


def test_pyiceberg_commits_upon_our_commits_and_we_upon_its(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1")
    row = {"source": "other", "billing_period": date(2025, 3, 1), "delivery_id": "d1", "cost": Decimal(10)}
    lake.table("marts.costs").append(pa.Table.from_pylist([row], schema=COLUMNS))
    put(lake, NOVEMBER, "d1", "5")
    lake.table("marts.costs").delete("source = 'other'")
    put(lake, NOVEMBER, "d2", "6")

    assert read_by_pyiceberg(lake.table("marts.costs")) == [("acme", Decimal(1)), ("acme", Decimal(6))]


def test_a_month_that_is_replaced_again_and_again_leaves_one_manifest_and_few_versions(lake: Lake) -> None:
    for number in range(26):
        put(lake, OCTOBER, f"d{number}", str(number))

    assert len(current_manifests(lake)) == 1
    assert read_by_pyiceberg(lake.table("marts.costs")) == [("acme", Decimal(25))]
    assert len(lake.table("marts.costs").metadata.snapshots) == 26
    # The current one and the twenty before it.
    assert len(metadata_files(lake)) == 21


def test_replacing_a_month_among_many_rewrites_a_manifest_and_leaves_the_others(lake: Lake) -> None:
    slices = [Slice(f"s{source}", date(2020 + year, 1, 1)) for year in range(10) for source in range(12)]
    for slice_ in slices:
        put(lake, slice_, "d1", "1")
    before = {current_manifest.manifest_path for current_manifest in current_manifests(lake)}
    assert len(before) <= 120 // 32 + 1

    put(lake, slices[17], "d2", "5")

    after = {current_manifest.manifest_path for current_manifest in current_manifests(lake)}
    assert len(after - before) <= 1
    assert sum(cost for _, cost in read_by_pyiceberg(lake.table("marts.costs"))) == 119 + 5
    assert all(len(entries_of(lake.warehouse.file_io, item)) <= 64 for item in manifests_of(lake.current("marts.costs")))


def test_a_table_that_was_changed_since_it_was_read_is_not_committed_to(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1")
    read = lake.current("marts.costs")
    put(lake, NOVEMBER, "d1", "5")
    listed = {entry.location for entry in lake.warehouse.list("marts/costs/metadata")}

    with pytest.raises(CommitFailedException, match="changed by another process"):
        commit(read, Change(old=data_files(read)))

    assert {entry.location for entry in lake.warehouse.list("marts/costs/metadata")} == listed
    assert len(read_by_pyiceberg(lake.table("marts.costs"))) == 2


def test_table_properties_and_rows_change_in_one_commit(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1")
    table = lake.current("marts.costs")
    commit(table, Change(old=data_files(table), properties={"told": "yes"}))

    table = lake.table("marts.costs")
    assert (table.properties["told"], read_by_pyiceberg(table), len(table.metadata.snapshots)) == ("yes", [], 2)

    commit(lake.current("marts.costs"), Change(properties={"told": "no"}))
    table = lake.table("marts.costs")
    assert (table.properties["told"], len(table.metadata.snapshots)) == ("no", 2)


def test_the_current_table_knows_its_rows_and_tags_and_not_its_history(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1")
    first = lake.table("marts.costs").metadata.snapshots[0].snapshot_id
    lake.table("marts.costs").manage_snapshots().create_tag(first, "audit").commit()
    for number in range(2, 6):
        put(lake, OCTOBER, f"d{number}", str(number))

    current = lake.current("marts.costs")
    assert read_by_pyiceberg(current) == [("acme", Decimal(5))]
    assert len(current.metadata.snapshots) == 2
    assert read_by_pyiceberg(current, first) == [("acme", Decimal(1))]
    assert len(lake.table("marts.costs").metadata.snapshots) == 5
    assert "audit" in lake.table("marts.costs").metadata.refs


@pytest.mark.parametrize("ask", [Lake.table, Lake.current], ids=["with-history", "current"])
def test_a_table_that_is_not_there_is_said_to_be_missing(lake: Lake, ask: Callable[[Lake, str], Table]) -> None:
    with pytest.raises(LakeError, match=r"no table marts\.nothing"):
        ask(lake, "marts.nothing")


def test_of_a_table_without_time_travel_only_the_newest_snapshots_and_those_with_a_name_stay(lake: Lake) -> None:
    put(lake, OCTOBER, "d1", "1")
    first = lake.table("marts.costs").metadata.snapshots[0].snapshot_id
    lake.table("marts.costs").manage_snapshots().create_tag(first, "audit").commit()
    for number in range(2, 6):
        put(lake, OCTOBER, f"d{number}", str(number))

    table = lake.current("marts.costs")
    commit(table, Change(old=data_files(table), snapshots=2))

    table = lake.table("marts.costs")
    assert [snapshot.sequence_number for snapshot in table.metadata.snapshots] == [1, 5, 6]
    assert {entry.snapshot_id for entry in table.history()} == {snapshot.snapshot_id for snapshot in table.metadata.snapshots}
    assert (read_by_pyiceberg(table), read_by_pyiceberg(table, first)) == ([], [("acme", Decimal(1))])
    put(lake, NOVEMBER, "d1", "7")
    assert read_by_pyiceberg(lake.table("marts.costs")) == [("acme", Decimal(7))]
