"""Maintenance of one table by Trino's own procedures. What may go is decided here; what has to stay is tagged before."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from pyiceberg.table import Table

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.replace import commit_with_retries
from cost_lakehouse.lake.trino_client import connect, explained, trino_settings
from cost_lakehouse.maintenance.embedded import ensure_newest, found_files, note_merged, referenced_files
from cost_lakehouse.maintenance.facts import KEEP_TAG, keep_tags, merge_plans, snapshot_facts
from cost_lakehouse.maintenance.kept_moments import Moments, keep_moments
from cost_lakehouse.maintenance.merge import Batch, Busy, batches, exclusively
from cost_lakehouse.maintenance.report import Files, TableReport
from cost_lakehouse.maintenance.rules import Rules, SnapshotFacts, orphans, snapshots_to_expire

# Trino's clock and ours may differ: what is about to be old is tagged as well.
_CLOCKS_DIFFER = timedelta(hours=1)


def maintain_table(lake: Lake, name: str, rules: Rules, now: datetime, *, moments: Moments | None = None) -> TableReport:
    """Expire, merge, remove, in this order, as the embedded engine does.

    Raises LakeError; whatever was done until then is complete in itself.
    """
    report = TableReport(name)
    found = found_files(lake, name)
    report.before = Files.of(entry.size for entry in found.values())
    ensure_newest(lake.table(name), found)
    keep_moments(lake, name, moments or {})
    _expire(lake, name, rules, now, report)
    _merge(lake, name, rules, report)
    _remove_orphans(lake, name, rules, now, report)
    report.after = Files.of(found_file.size for found_file in found_files(lake, name).values())
    return report


def snapshots_to_tag(snapshots: Collection[SnapshotFacts], expiring: Collection[int], rules: Rules, now: datetime) -> set[int]:
    """The snapshots that stay although they are older than what Trino is told to keep by age.

    The current one too: a load may take its place before Trino looks.
    """
    old = now - rules.keep + _CLOCKS_DIFFER
    return {
        snapshot_facts_.id
        for snapshot_facts_ in snapshots
        if snapshot_facts_.id not in expiring and snapshot_facts_.made <= old
    }


def _expire(lake: Lake, name: str, rules: Rules, now: datetime, report: TableReport) -> None:
    table = lake.table(name)
    facts = snapshot_facts(table)
    report.snapshots = len(facts)
    expiring = {item.id for item in snapshots_to_expire(facts, rules, now)}
    if not expiring:
        return
    keep = snapshots_to_tag(facts, expiring, rules, now)
    commit_with_retries(lake, name, lambda current: _tag(current, keep), "tag what is kept", history=True)
    found = found_files(lake, name)
    _execute(lake, name, f"expire_snapshots(retention_threshold => '{int(rules.keep.total_seconds())}s')", "expire_snapshots")
    left = {snapshot.snapshot_id for snapshot in lake.table(name).metadata.snapshots}
    report.expired = len({fact.id for fact in facts} - left)
    still = found_files(lake, name)
    report.removed_expired = Files.of(item.size for key, item in found.items() if key not in still)


def _tag(table: Table, keep: Collection[int]) -> None:
    """Our tags are on these snapshots, and on no other."""
    tags = keep_tags(table)
    here = {snapshot.snapshot_id for snapshot in table.metadata.snapshots}
    missing = sorted((set(keep) & here) - set(tags.values()))
    needless = sorted(tag for tag, snapshot_id in tags.items() if snapshot_id not in keep)
    if not missing and not needless:
        return
    with table.manage_snapshots() as manage:
        for tag in needless:
            manage.remove_tag(tag)
        for snapshot_id in missing:
            manage.create_tag(snapshot_id, f"{KEEP_TAG}{snapshot_id}")


def _merge(lake: Lake, name: str, rules: Rules, report: TableReport) -> None:
    for batch in batches(name, merge_plans(lake.table(name), rules)):
        try:
            with exclusively(lake, batch):
                new = _optimize(lake, name, batch, rules)
        except Busy as error:
            report.skipped.append(f"not merged: {error}")
            continue
        note_merged(report, batch.plans)
        report.merged_into += new


def _optimize(lake: Lake, name: str, batch: Batch, rules: Rules) -> Files:
    """Let Trino merge the batch's slices; the new files. Raises Busy where a load committed meanwhile."""
    before = {data_file.file_path for data_file in data_files(lake.table(name))}
    # Trino takes one slice, or the whole table; where it is the table, slices with nothing to merge stay as they are.
    where = ""
    if len(batch.plans) == 1:
        slice_ = batch.plans[0].slice_
        where = f" WHERE source = '{slice_.source}' AND billing_period = DATE '{slice_.billing_period.isoformat()}'"
    try:
        _execute(lake, name, f"optimize(file_size_threshold => '{rules.small_bytes}B'){where}")
    except LakeError as error:
        if "ICEBERG_COMMIT_ERROR" in error.problem or "TRANSACTION_CONFLICT" in error.problem:
            raise Busy(f"{name} changed meanwhile") from None
        raise
    return Files.of(
        data_file.file_size_in_bytes for data_file in data_files(lake.table(name)) if data_file.file_path not in before
    )


def _remove_orphans(lake: Lake, name: str, rules: Rules, now: datetime, report: TableReport) -> None:
    found = found_files(lake, name)
    old, young = orphans(found.values(), referenced_files(lake.table(name)), rules, now)
    report.left_young = Files.of(young_file.size for young_file in young)
    if old:
        seconds = int(rules.orphan_safety.total_seconds())
        _execute(lake, name, f"remove_orphan_files(retention_threshold => '{seconds}s')", "remove_orphan_files")
        still = found_files(lake, name)
        report.removed_orphans = Files.of(item.size for key, item in found.items() if key not in still)


def _execute(lake: Lake, name: str, procedure: str, minimum: str | None = None) -> None:
    """Run a table procedure; ``minimum`` names the one whose least age is ours to decide, in this session alone."""
    catalog = trino_settings(lake.settings).catalog
    namespace, table = name.split(".")
    with explained(lake.settings), connect(lake.settings) as connection:
        cursor = connection.cursor()
        if minimum is not None:
            cursor.execute(f"SET SESSION {catalog}.{minimum}_min_retention = '0s'")
            cursor.fetchall()
        cursor.execute(f'ALTER TABLE {catalog}.{namespace}."{table}" EXECUTE {procedure}')
        cursor.fetchall()
