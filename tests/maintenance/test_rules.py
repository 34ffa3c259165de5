"""What maintenance may do is decided from facts alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from cost_lakehouse.config.maintenance import MaintenanceSettings
from cost_lakehouse.lake.slice_writer import ROWS_PER_FILE
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.warehouse import FoundFile
from cost_lakehouse.maintenance.kept_moments import KeptTags, invoiced_states, month_ends, tags_to_keep
from cost_lakehouse.maintenance.on_trino import snapshots_to_tag
from cost_lakehouse.maintenance.rules import (
    FileFacts,
    SnapshotFacts,
    file_key,
    groups_to_merge,
    orphans,
    rules_of,
    snapshots_to_expire,
)
from tests.maintenance.rows import MEGABYTE, rules

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ACME, GLOBEX = Slice("acme", date(2026, 10, 1)), Slice("globex", date(2026, 10, 1))


def snapshot(number: int, days_ago: float, slice_: Slice | None = None, delivery: str = "", **more: bool) -> SnapshotFacts:
    """Snapshot ``number``, made so long ago, that committed a delivery of a slice or something else."""
    deliveries = frozenset({(slice_, delivery)}) if slice_ else frozenset()
    return SnapshotFacts(number, number, NOW - timedelta(days=days_ago), deliveries, **more)


def expired(*snapshots: SnapshotFacts, keep_days: float = 30, keep_deliveries: int = 1) -> list[int]:
    chosen = rules(keep=timedelta(days=keep_days), keep_deliveries=keep_deliveries)
    return [item.id for item in snapshots_to_expire(snapshots, chosen, NOW)]


def test_the_newest_snapshot_stays_however_old_it_is() -> None:
    assert expired(snapshot(1, 900), snapshot(2, 800)) == [1]
    assert expired(snapshot(1, 900)) == []
    assert expired() == []


def test_what_was_current_at_any_moment_of_the_kept_days_stays() -> None:
    # 2 is 60 days old, but was what readers saw until 10 days ago.
    assert expired(snapshot(1, 90), snapshot(2, 60), snapshot(3, 10), snapshot(4, 1)) == [1]


def test_the_newest_deliveries_of_every_slice_stay() -> None:
    history = [
        snapshot(1, 99, GLOBEX, "g1"),
        snapshot(2, 98, ACME, "a1"),
        snapshot(3, 97, ACME, "a2"),
        snapshot(4, 96, ACME, "a3"),
        snapshot(5, 95, ACME, "a4"),
        snapshot(6, 94),
    ]
    assert expired(*history, keep_deliveries=2) == [2, 3]
    assert expired(*history, keep_deliveries=1) == [2, 3, 4]


def test_of_a_delivery_that_was_loaded_twice_the_later_commit_stays_and_counts_once() -> None:
    history = [
        snapshot(1, 99, ACME, "a1"),
        snapshot(2, 98, ACME, "a2"),
        snapshot(3, 97, ACME, "a2"),
        snapshot(4, 96),
    ]
    assert expired(*history, keep_deliveries=2) == [2]


def test_what_a_branch_or_tag_names_stays() -> None:
    assert expired(snapshot(1, 99, protected=True), snapshot(2, 98), snapshot(3, 97)) == [2]


def test_trino_is_told_by_tags_what_age_alone_would_not_keep() -> None:
    history = [snapshot(1, 99, ACME, "a1"), snapshot(2, 98), snapshot(3, 97, protected=True), snapshot(4, 3)]
    chosen = rules(keep=timedelta(days=30), keep_deliveries=1)
    assert snapshots_to_tag(history, {2}, chosen, NOW) == {1, 3}


def test_what_was_current_when_a_month_ended_is_tagged_and_earlier_months_are_let_go() -> None:
    # Made on 2 September, 30 September, 2 October and 31 October; it is the first moment of November.
    history = [snapshot(1, 60), snapshot(2, 32), snapshot(3, 30), snapshot(4, 1)]
    assert tags_to_keep(history, {}, month_ends(3, NOW)) == KeptTags({"month-end-2026-10": 4, "month-end-2026-09": 2}, [])
    tagged = {"month-end-2026-09": datetime(2026, 10, 1), "month-end-2025-12": datetime(2026, 1, 1)}
    assert tags_to_keep(history, tagged, month_ends(2, NOW)) == KeptTags({"month-end-2026-10": 4}, ["month-end-2025-12"])
    assert tags_to_keep(history, tagged, month_ends(0, NOW)) == KeptTags({}, ["month-end-2025-12", "month-end-2026-09"])


def test_a_month_is_not_tagged_where_its_snapshot_may_be_gone() -> None:
    # 2 is expired: whether 1 or 2 was current when September ended is not known any more.
    history = [snapshot(1, 60), snapshot(3, 30), snapshot(4, 1)]
    assert tags_to_keep(history, {}, month_ends(2, NOW)) == KeptTags({"month-end-2026-10": 4}, [])
    # What was made at just that moment was current then, whatever is gone after it.
    assert tags_to_keep(history, {}, {"invoiced-x": datetime(2026, 9, 2)}) == KeptTags({"invoiced-x": 1}, [])


def test_the_states_at_which_the_last_months_were_first_invoiced_are_kept_once_a_moment() -> None:
    together = datetime(2026, 10, 3, 4, 5, 6, 789_000)
    moments = {
        ACME: datetime(2026, 10, 31),
        Slice("acme", date(2026, 9, 1)): together,
        Slice("globex", date(2026, 9, 1)): together,
    }
    both = {"invoiced-20261031T000000000Z": datetime(2026, 10, 31), "invoiced-20261003T040506789Z": together}
    assert invoiced_states(moments, 3, NOW) == both
    assert invoiced_states(moments, 2, NOW) == {"invoiced-20261031T000000000Z": datetime(2026, 10, 31)}
    assert invoiced_states(moments, 0, NOW) == {}


def file(name: str, megabytes: float, rows: int = 10, *deletes: str) -> FileFacts:
    return FileFacts(name, int(megabytes * MEGABYTE), rows, frozenset(deletes))


def names(groups: list[list[FileFacts]]) -> list[list[str]]:
    return [[candidate.location for candidate in group] for group in groups]


def test_small_files_are_merged_up_to_the_target_size_and_large_ones_left_alone() -> None:
    files = [file("a", 30), file("b", 30), file("big", 32), file("c", 30), file("d", 30), file("e", 30), file("f", 30)]
    assert names(groups_to_merge(files, rules())) == [["a", "b", "c", "d"], ["e", "f"]]


def test_one_small_file_alone_is_not_rewritten() -> None:
    assert groups_to_merge([file("a", 1), file("big", 500)], rules()) == []
    assert groups_to_merge([], rules()) == []


def test_merged_files_never_have_more_rows_than_a_loads_own() -> None:
    half = ROWS_PER_FILE // 2 + 1
    assert groups_to_merge([file("a", 1, half), file("b", 1, half)], rules()) == []


def test_where_rows_are_noted_as_deleted_the_whole_slice_is_rewritten() -> None:
    assert names(groups_to_merge([file("b", 500, 10, "d"), file("a", 600)], rules())) == [["a", "b"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file:///lake/raw/t/data/source=a/x.parquet", "/lake/raw/t/data/source=a/x.parquet"),
        ("file:/lake/raw/t/metadata/m.avro", "file:///private/lake/raw/t/metadata/m.avro"),
        ("s3a://bucket/w/raw/t/data/source=a/x.parquet", "s3://bucket/w/raw/t/data/source=a/x.parquet"),
        ("s3://data/metadata/raw/t/data/x.parquet", "s3a://data/metadata/raw/t/data/x.parquet"),
    ],
)
def test_a_file_is_known_however_its_location_is_spelled(one: str, other: str) -> None:
    assert file_key(one) == file_key(other)


def test_files_of_two_slices_with_the_same_name_are_two_files() -> None:
    assert file_key("/t/data/source=a/x.parquet") != file_key("/t/data/source=b/x.parquet")


def test_only_unreferenced_files_older_than_the_safety_age_are_orphans() -> None:
    def found(name: str, hours: float) -> FoundFile:
        return FoundFile(f"file:///w/raw/t/data/{name}", 7, NOW - timedelta(hours=hours))

    files = [found("needed", 900), found("old", 72), found("young", 71.9)]
    old, young = orphans(files, {"data/needed"}, rules(orphan_safety=timedelta(hours=72)), NOW)
    assert ([old_file.location[-3:] for old_file in old], [young_file.location[-5:] for young_file in young]) == (
        ["old"],
        ["young"],
    )


def test_the_settings_have_floors_and_can_be_switched_off() -> None:
    given = MaintenanceSettings.model_validate({"schedule": False, "keep_days": 7})
    assert given.schedule is None
    assert rules_of(given).keep == timedelta(days=7)
    assert MaintenanceSettings().schedule is not None
    for wrong in (
        {"orphan_safety_hours": 0},
        {"keep_deliveries": 0},
        {"keep_days": -1},
        {"small_file_mb": 200},
        {"keep_snapshots": 3},
    ):
        with pytest.raises(ValidationError):
            MaintenanceSettings.model_validate(wrong)
