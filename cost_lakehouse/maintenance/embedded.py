"""Maintenance of one table without any server: pyiceberg changes the metadata, the files are removed here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from pyiceberg.table import Table

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake, table_folder
from cost_lakehouse.lake.replace import commit_with_retries
from cost_lakehouse.lake.warehouse import FoundFile
from cost_lakehouse.maintenance.facts import (
    SlicePlan,
    keep_tags,
    merge_plans,
    metadata_files,
    reachable,
    snapshot_facts,
    versions_ahead,
)
from cost_lakehouse.maintenance.kept_moments import Moments, keep_moments, planned_tags
from cost_lakehouse.maintenance.merge import Busy, batches, merge
from cost_lakehouse.maintenance.report import Files, TableReport
from cost_lakehouse.maintenance.rules import TABLE_FOLDERS, Rules, file_key, orphans, snapshots_to_expire


def maintain_table(
    lake: Lake, name: str, rules: Rules, now: datetime, *, moments: Moments | None = None, dry_run: bool
) -> TableReport:
    """Expire, merge, remove, in this order: what is merged now stays readable as an old snapshot until it expires.

    ``moments`` are those of which the table is kept, however old they are.
    Raises LakeError; whatever was done until then is complete in itself.
    """
    report = TableReport(name)
    # Listed first: what others commit from here on is referenced by the metadata that is read later.
    found = found_files(lake, name)
    report.before = Files.of(entry.size for entry in found.values())
    ensure_newest(lake.table(name), found)
    if not dry_run:
        keep_moments(lake, name, moments or {})
    # Versions of the metadata that fall out of the log during this run are removed by the commits themselves.
    handled = metadata_files(lake.table(name))
    handled |= _expire(lake, name, rules, now, moments or {}, found, report, dry_run)
    _merge(lake, name, rules, report, dry_run)
    _remove_orphans(lake, name, rules, now, found, handled, report, dry_run)
    if dry_run:
        report.after = report.before - report.removed_expired - report.removed_orphans
    else:
        report.after = Files.of(found_file.size for found_file in found_files(lake, name).values())
    return report


def ensure_newest(table: Table, found: Collection[str]) -> None:
    """Raises LakeError where the table's folder holds later states of it than the catalog's.

    ``found`` are the keys of what lay there before the table was read.
    """
    ahead = versions_ahead(table, found)
    if len(ahead) > 1:
        raise LakeError(
            f"The warehouse holds later states of {'.'.join(table.name())} ({len(ahead)} of them, up to {ahead[-1]}) than the "
            "catalog knows: it was restored from a backup, or another catalog works in this warehouse.",
            "Nothing of the table was removed. `cost-lakehouse lake adopt` takes the newest state from the warehouse.",
        )


def found_files(lake: Lake, name: str) -> dict[str, FoundFile]:
    """What lies in the table's folders, by file key."""
    listed = [entry for folder in TABLE_FOLDERS for entry in lake.warehouse.list(f"{table_folder(name)}/{folder}")]
    return {file_key(entry.location): entry for entry in listed}


def referenced_files(table: Table) -> set[str]:
    """The keys of every file that the table needs, for any of its snapshots or as metadata."""
    return reachable(table) | metadata_files(table)


def _expire(
    lake: Lake,
    name: str,
    rules: Rules,
    now: datetime,
    moments: Moments,
    found: dict[str, FoundFile],
    report: TableReport,
    dry_run: bool,
) -> set[str]:
    """Expire snapshots, and remove the files that only they referred to; the keys of these files."""
    table = lake.table(name)
    report.snapshots = len(table.metadata.snapshots)
    expiring = {item.id for item in snapshots_to_expire(snapshot_facts(table), rules, now)}
    expiring -= set(planned_tags(table, moments).make.values())  # which a dry run has not tagged
    report.expired = len(expiring)
    if not expiring:
        return set()
    of_expired = reachable(table, expiring)
    if dry_run:
        needed = reachable(table, {snapshot.snapshot_id for snapshot in table.metadata.snapshots} - expiring)
    else:
        commit_with_retries(lake, name, lambda current: _remove_snapshots(current, expiring), "expire snapshots", history=True)
        table = lake.table(name)
        needed = reachable(table)
    unneeded = (of_expired - needed - metadata_files(table)) & found.keys()
    report.removed_expired = Files.of(found[candidate].size for candidate in unneeded)
    if not dry_run:
        lake.warehouse.delete(sorted(found[candidate].location for candidate in unneeded))
    return unneeded


def _remove_snapshots(table: Table, expiring: Collection[int]) -> None:
    """Remove them from the metadata. One that somebody has tagged in the meantime, or that is gone, is left out."""
    tags = [tag for tag, snapshot_id in keep_tags(table).items() if snapshot_id in expiring]
    if tags:
        with table.manage_snapshots() as manage:
            for element in tags:
                manage.remove_tag(element)
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    ids = [
        snapshot.snapshot_id
        for snapshot in table.metadata.snapshots
        if snapshot.snapshot_id in expiring and snapshot.snapshot_id not in named
    ]
    if ids:
        table.maintenance.expire_snapshots().by_ids(ids).commit()


def _merge(lake: Lake, name: str, rules: Rules, report: TableReport, dry_run: bool) -> None:
    for batch in batches(name, merge_plans(lake.table(name), rules)):
        plans = batch.plans
        if not dry_run:
            try:
                merged = merge(lake, name, batch)
            except Busy as error:
                report.skipped.append(f"not merged: {error}")
                continue
            plans = merged.plans
            report.merged_into += merged.new
            report.skipped += [f"not merged: {item} changed meanwhile" for item in merged.changed]
        note_merged(report, plans)


def note_merged(report: TableReport, plans: Sequence[SlicePlan]) -> None:
    """Put on the report what merging these slices takes in."""
    report.slices_merged += len(plans)
    report.merged += Files.of(file.size for plan in plans for file in plan.files)
    report.position_deletes += len(frozenset().union(*(slice_plan.deletes for slice_plan in plans)))


def _remove_orphans(
    lake: Lake,
    name: str,
    rules: Rules,
    now: datetime,
    found: dict[str, FoundFile],
    handled: Collection[str],
    report: TableReport,
    dry_run: bool,
) -> None:
    referenced = referenced_files(lake.table(name)) | set(handled)
    old, young = orphans(found.values(), referenced, rules, now)
    report.removed_orphans = Files.of(old_file.size for old_file in old)
    report.left_young = Files.of(young_file.size for young_file in young)
    if not dry_run:
        lake.warehouse.delete([old_file.location for old_file in old])
