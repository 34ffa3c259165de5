"""Keeps what a table showed at moments that matter: a tag of Iceberg's for each, which neither engine expires."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from pyiceberg.table import Table

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.invoiced import invoiced_moments
from cost_lakehouse.lake.moments import invoiced_tag, kept_moments, month_end_tag
from cost_lakehouse.lake.replace import commit_with_retries
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.maintenance.facts import snapshot_facts
from cost_lakehouse.maintenance.rules import Rules, SnapshotFacts

Moments = Mapping[str, datetime]
"""The name of a tag -> the moment (UTC without zone) of which it keeps every table."""


@dataclass(frozen=True)
class KeptTags:
    """Which tags of a table are to be made (name -> snapshot) and which to be removed."""

    make: Mapping[str, int]
    remove: Sequence[str]


def moments_to_keep(lake: Lake, rules: Rules, now: datetime) -> dict[str, datetime]:
    """The last ends of months, and the moments at which the last months were first invoiced; as the rules say."""
    return month_ends(rules.keep_month_ends, now) | invoiced_states(invoiced_moments(lake), rules.keep_invoiced, now)


def month_ends(count: int, now: datetime) -> dict[str, datetime]:
    """The last ``count`` ends of months up to ``now``, by their tags: each is the beginning of the next month. Pure."""
    return {month_end_tag(moment): moment for moment in _firsts(now, count)}


def invoiced_states(moments: Mapping[Slice, datetime], count: int, now: datetime) -> dict[str, datetime]:
    """The moments at which the last ``count`` billing months, the present one among them, were first invoiced, by tag. Pure."""
    months = {first.date() for first in _firsts(now, count)}
    return {invoiced_tag(moment): moment for slice_, moment in moments.items() if slice_.billing_period in months}


def tags_to_keep(snapshots: Sequence[SnapshotFacts], tagged: Moments, wanted: Moments) -> KeptTags:
    """The wanted tags that a table lacks, and those it has of other moments. Pure.

    ``tagged`` are those that it has. A moment gets no tag where the table was empty then, or where the snapshot of then may
    have been expired already.
    """
    ordered = sorted(snapshots, key=lambda one: one.sequence)
    make = {}
    for name, moment in wanted.items():
        if name in tagged:
            continue
        then = moment.replace(tzinfo=UTC)
        # Sequence numbers have a gap where a snapshot was expired: it, and not the one before, may have been current then.
        for current, following in itertools.zip_longest(ordered, ordered[1:]):
            unbroken = following is None or following.sequence == current.sequence + 1 or current.made == then
            if current.made <= then and unbroken and (following is None or following.made > then):
                make[name] = current.id
    return KeptTags(make, sorted(name for name in tagged if name not in wanted))


def keep_moments(lake: Lake, name: str, wanted: Moments) -> None:
    """Tag the table's snapshots of these moments, and let go of others; before anything is expired. Raises LakeError."""
    planned = planned_tags(lake.table(name), wanted)
    if planned.make or planned.remove:
        commit_with_retries(lake, name, lambda current: _tag(current, wanted), "tag what is kept", history=True)


def planned_tags(table: Table, wanted: Moments) -> KeptTags:
    """What ``keep_moments`` would do."""
    return tags_to_keep(snapshot_facts(table), kept_moments(table), wanted)


def _tag(table: Table, wanted: Moments) -> None:
    planned = planned_tags(table, wanted)
    if not planned.make and not planned.remove:
        return
    with table.manage_snapshots() as manage:
        for tag in planned.remove:
            manage.remove_tag(tag)
        for tag, snapshot_id in planned.make.items():
            manage.create_tag(snapshot_id, tag)


def _firsts(now: datetime, count: int) -> list[datetime]:
    """The beginnings of the last months up to ``now``, newest first: UTC without zone."""
    first = now.astimezone(UTC)
    months = (first.year * 12 + first.month - 1 - back for back in range(count))
    days = (date(month // 12, month % 12 + 1, 1) for month in months)
    return [datetime.combine(day, time()) for day in days]
