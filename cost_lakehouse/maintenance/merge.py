"""Merges small files and applies another engine's deletes: the same rows in fewer files, by one commit that any load beats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pyiceberg.table import FileScanTask, Table

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.commit import Change, commit
from cost_lakehouse.lake.ledger import LEDGERS
from cost_lakehouse.lake.loads import load_lock
from cost_lakehouse.lake.locks import Lock
from cost_lakehouse.lake.manifests import file_tasks, slice_of
from cost_lakehouse.lake.replace import commit_with_retries
from cost_lakehouse.lake.rewrite import check_same_rows, new_rewrite_id, read_rows
from cost_lakehouse.lake.slice_writer import SliceWriter
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import ADDING_TABLES
from cost_lakehouse.maintenance.facts import SlicePlan
from cost_lakehouse.maintenance.report import Files

LABEL = "cost-lakehouse.merge"
"""In the summary of snapshots that only merged files: an id that tells the commit."""


@dataclass(frozen=True)
class Batch:
    """Slices that are merged by one commit, under one lock (None: every commit of others is noticed, and wins)."""

    plans: list[SlicePlan]
    lock: str | None = None
    what: str = ""


def batches(table_name: str, plans: Sequence[SlicePlan]) -> list[Batch]:
    """What is merged together, and who has to stay away meanwhile.

    Loads of a source are kept away from its line items, whose months are merged one by one where each is one delivery.
    The publisher removes unfinished files of its own, so it is kept away from marts. Ledgers are small: should a load come in
    between, it wins, and they are merged next time.
    """
    if not plans:
        return []
    if table_name in LEDGERS:
        return [Batch(list(plans))]
    if table_name.startswith("marts."):
        return [Batch(list(plans), "publish", "Publishing summaries")]
    if table_name in ADDING_TABLES:
        sources: dict[str, list[SlicePlan]] = {}
        for slice_plan in plans:
            sources.setdefault(slice_plan.slice_.source, []).append(slice_plan)
        report = table_name.rsplit(".", 1)[-1]
        return [
            Batch(own, load_lock(source, table_name), f"The load of {source}'s {report}") for source, own in sources.items()
        ]
    return [
        Batch([slice_plan], load_lock(slice_plan.slice_.source, table_name), f"The load of {slice_plan.slice_}")
        for slice_plan in plans
    ]


@dataclass(frozen=True)
class Merged:
    """What a batch came to: the slices that were merged with the new files, and those that others changed meanwhile."""

    plans: list[SlicePlan]
    new: Files
    changed: list[Slice]


def merge(lake: Lake, table_name: str, batch: Batch) -> Merged:
    """Rewrite the batch's files.

    Raises Busy where somebody else has the batch's lock, LakeError where the files cannot be read or written, or would not
    hold the same rows.
    """
    with exclusively(lake, batch) as lock:
        table = lake.table(table_name)
        planned, tasks = _still_planned(table, batch.plans)
        written: dict[Slice, list[_New]] = {}
        for plan in planned:
            written[plan.slice_] = []
            for group in plan.groups:
                written[plan.slice_] += _rewrite(lake, table, plan.slice_, [tasks[file.location] for file in group])
        if lock is not None:
            lock.ensure_held()
        merged = _commit(lake, table_name, planned, written)
    done = {item.slice_ for item in merged}
    lake.warehouse.delete([element.location for slice_, new in written.items() if slice_ not in done for element in new])
    new = Files.of(item.size for plan in merged for item in written[plan.slice_])
    return Merged(merged, new, [entry.slice_ for entry in batch.plans if entry.slice_ not in done])


class Busy(Exception):
    """Another process works on what was to be merged."""


@contextmanager
def exclusively(lake: Lake, batch: Batch) -> Iterator[Lock | None]:
    """Hold the batch's lock. Raises Busy where somebody else has it: maintenance does not wait."""
    with ExitStack() as stack:
        lock = None
        if batch.lock is not None:
            try:
                lock = stack.enter_context(lake.lock(batch.lock, batch.what))
            except LakeError as error:
                raise Busy(error.problem) from None
        yield lock


@dataclass(frozen=True)
class _New:
    location: str
    size: int


def _still_planned(table: Table, plans: Sequence[SlicePlan]) -> tuple[list[SlicePlan], dict[str, FileScanTask]]:
    """The plans that still fit the current snapshot, and its files: a load may have replaced some, or rows were deleted."""
    tasks = {file_task.file.file_path: file_task for file_task in file_tasks(table, [plan.slice_ for plan in plans])}
    counts = Counter(slice_of(task.file) for task in tasks.values())
    fitting = []
    for plan in plans:
        same = all(
            candidate.location in tasks and _deletes(tasks[candidate.location]) == candidate.deletes for candidate in plan.files
        )
        # Where deletes go, the whole slice is rewritten: a file that came in meanwhile may need them.
        if same and (not plan.deletes or counts[plan.slice_] == len(plan.files)):
            fitting.append(plan)
    return fitting, tasks


def _deletes(task: FileScanTask) -> frozenset[str]:
    return frozenset(delete_file.file_path for delete_file in task.delete_files)


def _rewrite(lake: Lake, table: Table, slice_: Slice, tasks: Sequence[FileScanTask]) -> list[_New]:
    """The rows of some files in new ones, which nobody sees before the commit that names them."""
    folder = lake.data_folder(".".join(table.name()), slice_)
    rewrite_id = new_rewrite_id()
    with lake.warehouse.writing(folder, rewrite_id) as local:
        writer = SliceWriter(local, rewrite_id, [])
        try:
            for batch in read_rows(table, tasks):
                writer.write(batch)
            writer.close()
            check_same_rows(lake, table, tasks, writer.files)
            sizes = [file.stat().st_size for file in writer.files]
            return [_New(*item) for item in zip(lake.warehouse.keep(writer.files, folder), sizes, strict=True)]
        except BaseException:
            writer.close()
            for file in writer.files:
                file.unlink(missing_ok=True)
            raise


def _commit(
    lake: Lake, table_name: str, plans: Sequence[SlicePlan], written: Mapping[Slice, Sequence[_New]]
) -> list[SlicePlan]:
    """Put the new files in the place of the old ones, where they are still there; the plans that came true."""
    done: list[SlicePlan] = []
    labels = {LABEL: new_rewrite_id()}

    def change(table: Table) -> None:
        if any(
            snapshot.summary is not None and snapshot.summary.get(LABEL) == labels[LABEL]
            for snapshot in table.metadata.snapshots
        ):
            return  # the attempt before this one did land; only its answer was lost
        done[:], tasks = _still_planned(table, plans)
        if done:
            old = [tasks[candidate.location].file for plan in done for candidate in plan.files]
            new = [candidate.location for plan in done for candidate in written[plan.slice_]]
            without = {plan.slice_ for plan in done if plan.deletes}
            commit(table, Change(old, new, labels, without_deletes=without))

    # Whatever it raises, it may have landed: its files are left alone, and are orphans if it has not.
    commit_with_retries(lake, table_name, change, "merge its small files", history=True)
    return done
