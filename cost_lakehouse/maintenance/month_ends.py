"""Keeps what a table showed when a month ended: a tag of Iceberg's for each, which neither engine expires."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pyiceberg.table import Table

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.moments import month_end_tag, month_end_tags
from cost_lakehouse.lake.replace import commit_with_retries
from cost_lakehouse.maintenance.facts import snapshot_facts
from cost_lakehouse.maintenance.rules import Rules, SnapshotFacts


@dataclass(frozen=True)
class MonthEnds:
    """Which tags are to be made (name -> snapshot) and which to be removed."""

    make: Mapping[str, int]
    remove: Sequence[str]


def month_ends(snapshots: Sequence[SnapshotFacts], tagged: Mapping[str, datetime], keep: int, now: datetime) -> MonthEnds:
    """The tags of the last ``keep`` ends of months that a table lacks, and those it has of earlier ones. Pure.

    ``tagged`` are the table's tags of months with the moments they are of (UTC without zone). A month gets no tag where the
    table was empty at its end, or where the snapshot of then may have been expired already.
    """
    wanted = {end.replace(tzinfo=None): end for end in _ends(now, keep)}
    ordered = sorted(snapshots, key=lambda one: one.sequence)
    make = {}
    for moment, end in wanted.items():
        if moment in tagged.values():
            continue
        # Sequence numbers have a gap where a snapshot was expired: it, and not the one before, may have been current then.
        for current, following in itertools.zip_longest(ordered, ordered[1:]):
            unbroken = following is None or following.sequence == current.sequence + 1
            if current.made <= end and unbroken and (following is None or following.made > end):
                make[month_end_tag(moment)] = current.id
    return MonthEnds(make, sorted(name for name, moment in tagged.items() if moment not in wanted))


def keep_month_ends(lake: Lake, name: str, rules: Rules, now: datetime) -> None:
    """Tag the table's snapshots of the last ends of months, and let go of earlier ones. Call it before anything is expired.

    Raises LakeError.
    """
    table = lake.table(name)
    planned = planned_month_ends(table, rules, now)
    if planned.make or planned.remove:
        commit_with_retries(lake, name, lambda current: _tag(current, rules, now), "tag the ends of months", history=True)


def planned_month_ends(table: Table, rules: Rules, now: datetime) -> MonthEnds:
    """What ``keep_month_ends`` would do."""
    return month_ends(snapshot_facts(table), month_end_tags(table), rules.keep_month_ends, now)


def _tag(table: Table, rules: Rules, now: datetime) -> None:
    planned = planned_month_ends(table, rules, now)
    if not planned.make and not planned.remove:
        return
    with table.manage_snapshots() as manage:
        for tag in planned.remove:
            manage.remove_tag(tag)
        for tag, snapshot_id in planned.make.items():
            manage.create_tag(snapshot_id, tag)


def _ends(now: datetime, count: int) -> list[datetime]:
    """The last ends of months up to ``now``, newest first: each is the beginning of the next month, UTC."""
    first = now.astimezone(UTC)
    months = (first.year * 12 + first.month - 1 - back for back in range(count))
    days = (date(month // 12, month % 12 + 1, 1) for month in months)
    return [datetime(day.year, day.month, 1, tzinfo=UTC) for day in days]
