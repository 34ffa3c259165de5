"""Reads the current snapshot's manifests: those that may tell of the slices that are asked for, and each once a process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pyiceberg.conversions import from_bytes
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestContent, ManifestEntry, ManifestFile, PartitionFieldSummary
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import DateType, PrimitiveType, StringType

from cost_lakehouse.lake.remembered import Remembered
from cost_lakehouse.lake.slices import Slice

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Span:
    """Days of a column from ``begin`` up to ``end``, which is no part of it."""

    column: str
    begin: date
    end: date


_lists: Remembered[tuple[ManifestFile, ...]] = Remembered(32)
_entries: Remembered[tuple[ManifestEntry, ...]] = Remembered(100_000, len)


def slice_of(file: DataFile) -> Slice:
    """The slice whose rows a data file holds."""
    source, period = file.partition[0], file.partition[1]
    return Slice(str(source), _date(period))


def is_sliced(table: Table) -> bool:
    """Whether the table is partitioned by source and billing period, and always was."""
    return all([field.name for field in spec.fields] == ["source", "billing_period"] for spec in table.specs().values())


def manifests_of(table: Table) -> tuple[ManifestFile, ...]:
    """The manifests of the current snapshot; none where there is no snapshot yet."""
    snapshot = table.current_snapshot()
    return () if snapshot is None else _lists.get(snapshot.manifest_list, lambda: tuple(snapshot.manifests(table.io)))


def is_live(manifest: ManifestFile) -> bool:
    """Whether a manifest tells of files that are still there."""
    return manifest.has_added_files() or manifest.has_existing_files()


def entries_of(io: FileIO, manifest: ManifestFile) -> tuple[ManifestEntry, ...]:
    """What a manifest tells of files that are still there. The entries are shared: nobody changes them."""
    return _entries.get(manifest.manifest_path, lambda: tuple(manifest.fetch_manifest_entry(io)))


def bounds_of(manifest: ManifestFile) -> tuple[Slice, Slice] | None:
    """The least and the greatest source and month that a manifest of a sliced table tells of; None where it does not say."""
    sources, months = (manifest.partitions or (None, None))[:2]
    if sources is None or months is None:
        return None
    first, last = _bounds(sources, StringType()), _bounds(months, DateType())
    if first is None or last is None:
        return None
    return Slice(str(first[0]), _date(last[0])), Slice(str(first[1]), _date(last[1]))


def may_hold(manifest: ManifestFile, slices: Collection[Slice]) -> bool:
    """Whether a manifest of a sliced table may tell of files of one of these slices."""
    bounds = bounds_of(manifest)
    if bounds is None:
        return True
    least, greatest = bounds
    return any(
        least.source <= slice_.source <= greatest.source
        and least.billing_period <= slice_.billing_period <= greatest.billing_period
        for slice_ in slices
    )


def file_tasks(
    table: Table, slices: Sequence[Slice] | None = None, months: Collection[date] | None = None
) -> list[FileScanTask]:
    """The data files of the current snapshot with what other engines deleted in them; of the given slices, or months, alone."""
    live = [item for item in manifests_of(table) if is_live(item)]
    if slices is not None:
        live = [item for item in live if may_hold(item, slices)]
    if months is not None:
        live = [item for item in live if _may_hold_months(item, months)]
    if any(item.content == ManifestContent.DELETES for item in live):
        # Which deletes belong to which file is pyiceberg's to say; maintenance soon takes them out.
        tasks = list(table.scan().plan_files())
    else:
        tasks = [FileScanTask(entry.data_file) for manifest in live for entry in entries_of(table.io, manifest)]
    if slices is not None:
        chosen = {*slices}
        tasks = [task for task in tasks if slice_of(task.file) in chosen]
    if months is not None:
        tasks = [task for task in tasks if slice_of(task.file).billing_period in months]
    return tasks


def within(table: Table, tasks: Sequence[FileScanTask], spans: Sequence[Span]) -> list[FileScanTask]:
    """Those of a table's files that may hold rows of one of the spans, as the manifests tell without a file being opened.

    All of a table that is not partitioned by months. Where a table has no such column, a span means the bills of its months.
    """
    columns = {field.name: field.field_id for field in table.schema().fields}
    if not spans or not is_sliced(table):
        return list(tasks)
    months, days = [], []
    for span in spans:
        if span.column == "billing_period" or span.column not in columns:
            months.append((_number(span.begin.replace(day=1)), _number(span.end)))
        else:
            days.append((columns[span.column], _number(span.begin), _number(span.end)))

    def may_hold(file: DataFile) -> bool:
        month = file.partition[1]
        period = _number(month) if isinstance(month, date) else int(str(month))
        if any(begin <= period < end for begin, end in months):
            return True
        for field_id, begin, end in days:
            low, high = (file.lower_bounds or {}).get(field_id), (file.upper_bounds or {}).get(field_id)
            # A date is kept as its days since 1970, four bytes, the least first (Iceberg's appendix D).
            if low is None or high is None or (_day(low) < end and begin <= _day(high)):
                return True
        return False

    return [task for task in tasks if may_hold(task.file)]


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _day(bound: bytes) -> int:
    return int.from_bytes(bound, "little", signed=True)


def data_files(table: Table, slices: Sequence[Slice] | None = None) -> list[DataFile]:
    """The data files of the current snapshot, of the given slices only where they are given."""
    return [task.file for task in file_tasks(table, slices)]


def has_rows_of(table: Table, source: str) -> bool:
    """Whether a sliced table has files of a source."""
    return any(slice_of(file).source == source for file in data_files(table))


def _may_hold_months(manifest: ManifestFile, months: Collection[date]) -> bool:
    bounds = bounds_of(manifest)
    return bounds is None or any(bounds[0].billing_period <= month <= bounds[1].billing_period for month in months)


def _bounds(summary: PartitionFieldSummary, kind: PrimitiveType) -> tuple[object, object] | None:
    if summary.lower_bound is None or summary.upper_bound is None:
        return None
    return from_bytes(kind, summary.lower_bound), from_bytes(kind, summary.upper_bound)


def _date(period: object) -> date:
    return period if isinstance(period, date) else _EPOCH + timedelta(days=int(str(period)))
