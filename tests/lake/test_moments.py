"""Which snapshot was current at a moment, worked out by hand."""

from __future__ import annotations

from datetime import datetime

import pytest

from cost_lakehouse.lake.moments import Expired, KnownSnapshot, snapshot_at


def on(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 10, day, hour)


CHAIN = [KnownSnapshot(1, None, on(1), 1), KnownSnapshot(2, 1, on(5), 2), KnownSnapshot(3, 2, on(9), 3)]


@pytest.mark.parametrize(
    ("moment", "found"),
    [(on(9), 3), (on(20), 3), (on(8, 23), 2), (on(5), 2), (on(1), 1), (datetime(2026, 9, 30), None)],
    ids=["its-own-moment", "later", "just-before", "middle", "first", "empty-then"],
)
def test_the_newest_snapshot_up_to_the_moment_counts(moment: datetime, found: int | None) -> None:
    assert snapshot_at(CHAIN, 3, moment) == found


def test_a_table_that_never_had_a_row_is_empty_at_any_moment() -> None:
    assert snapshot_at([], None, on(1)) is None


def test_what_maintenance_removed_is_told_from_what_never_was() -> None:
    with pytest.raises(Expired) as told:
        snapshot_at(CHAIN[1:], 3, on(4))
    assert told.value.oldest == on(5)
    # Expiring may leave the oldest that is kept without a parent: that does not make it the first.
    with pytest.raises(Expired):
        snapshot_at([KnownSnapshot(3, None, on(9), 3)], 3, on(4))


def test_a_snapshot_that_was_rolled_back_is_not_found() -> None:
    assert snapshot_at([*CHAIN, KnownSnapshot(9, 2, on(6), 4)], 3, on(7)) == 2
