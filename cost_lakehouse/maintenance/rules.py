"""What maintenance may do, decided from facts alone: which snapshots expire, which files are merged, which are orphans."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from cost_lakehouse.config.maintenance import MaintenanceSettings
from cost_lakehouse.lake.slice_writer import ROWS_PER_FILE
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.warehouse import FoundFile

TABLE_FOLDERS = ("metadata", "data")
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Rules:
    """``lake.maintenance`` as numbers to decide by."""

    keep: timedelta
    keep_deliveries: int
    orphan_safety: timedelta
    small_bytes: int
    target_bytes: int
    keep_month_ends: int = 0
    keep_invoiced: int = 0


def rules_of(settings: MaintenanceSettings) -> Rules:
    """The settings as rules."""
    return Rules(
        timedelta(days=settings.keep_days),
        settings.keep_deliveries,
        timedelta(hours=settings.orphan_safety_hours),
        settings.small_file_mb * _MEGABYTE,
        settings.target_file_mb * _MEGABYTE,
        settings.keep_month_ends,
        settings.keep_invoiced,
    )


@dataclass(frozen=True)
class SnapshotFacts:
    """What the decision to keep a snapshot needs. ``sequence`` orders the snapshots of a table."""

    id: int
    sequence: int
    made: datetime
    deliveries: frozenset[tuple[Slice, str]] = frozenset()  # what a load committed with it: slice and delivery id
    protected: bool = False  # current, or named by somebody's branch or tag


def snapshots_to_expire(snapshots: Iterable[SnapshotFacts], rules: Rules, now: datetime) -> list[SnapshotFacts]:
    """The snapshots nobody needs any more, oldest first.

    Kept are: the current and protected ones; each that was current at any moment of the last ``rules.keep`` (its age counts
    from when the next one took its place); and the commits of the newest ``rules.keep_deliveries`` deliveries of every slice.
    """
    ordered = sorted(snapshots, key=lambda one: one.sequence)
    wanted = _commits_of_newest_deliveries(ordered, rules.keep_deliveries)
    expired = []
    for each, following in itertools.pairwise(ordered):
        young = following.made > now - rules.keep
        if not (young or each.protected or each.id in wanted):
            expired.append(each)
    return expired


def _commits_of_newest_deliveries(ordered: Sequence[SnapshotFacts], count: int) -> set[int]:
    """The snapshots that committed the newest deliveries; of a delivery that was loaded twice, the later commit."""
    newest: dict[Slice, dict[str, int]] = {}
    for snapshot_facts in reversed(ordered):
        for slice_, delivery_id in snapshot_facts.deliveries:
            known = newest.setdefault(slice_, {})
            if delivery_id not in known and len(known) < count:
                known[delivery_id] = snapshot_facts.id
    return {commit for commits in newest.values() for commit in commits.values()}


@dataclass(frozen=True)
class FileFacts:
    """A data file of a slice. ``deletes`` are the files in which another engine noted rows of it as deleted."""

    location: str
    size: int
    rows: int
    deletes: frozenset[str] = frozenset()


def groups_to_merge(files: Collection[FileFacts], rules: Rules) -> list[list[FileFacts]]:
    """Which files of one slice are to be rewritten together into one; none where that gains nothing.

    Where rows were noted as deleted, the whole slice is rewritten, so that the notes can go. Otherwise small files are merged
    as long as one file of the target size takes them.
    """
    ordered = sorted(files, key=lambda item: item.location)
    if any(item.deletes for item in ordered):
        return [ordered]
    groups: list[list[FileFacts]] = []
    for item in ordered:
        if item.size >= rules.small_bytes:
            continue
        for group in groups:
            size, rows = sum(one.size for one in group), sum(one.rows for one in group)
            if size + item.size <= rules.target_bytes and rows + item.rows <= ROWS_PER_FILE:
                group.append(item)
                break
        else:
            groups.append([item])
    return [group for group in groups if len(group) > 1]


def file_key(location: str) -> str:
    """What tells a table's file, however its location is spelled (``file:///a``, ``/a``, ``s3a://b/k``, ``s3://b/k``).

    It is the path below the table's folder; a spelling of the part before it cannot make a file look unneeded.
    """
    below = max(location.rfind(f"/{folder}/") for folder in TABLE_FOLDERS)
    return location[below + 1 :] if below >= 0 else location


def orphans(
    found: Iterable[FoundFile], referenced: AbstractSet[str], rules: Rules, now: datetime
) -> tuple[list[FoundFile], list[FoundFile]]:
    """The files that nothing refers to: those to remove, and those too young for that. ``referenced`` holds file keys.

    ``found`` has to be listed before ``referenced`` was read: what was committed in between is referenced then.
    """
    unreferenced = [found_file for found_file in found if file_key(found_file.location) not in referenced]
    old = [item for item in unreferenced if item.modified <= now - rules.orphan_safety]
    return old, [item for item in unreferenced if item.modified > now - rules.orphan_safety]
