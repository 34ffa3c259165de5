"""New files of a bill that arrives in increments become rows of the months they touch: one commit, a receipt a month."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from cost_lakehouse.audit.corrections import as_json, corrections_of
from cost_lakehouse.audit.receipts import Receipt, control_total_rows, retracted_total_rows
from cost_lakehouse.audit.stored_totals import StoredTotals, stored_totals
from cost_lakehouse.errors import CostLakehouseError, DeliveryChanged, DeliveryFailed, DeliveryRefused
from cost_lakehouse.formats.table_format import CORRECTION, FORMATS, TableFormat
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import commit_labels, remove_files_of_killed_loads
from cost_lakehouse.lake.increments import (
    HeldObject,
    Increments,
    held_increments,
    increment_lock,
    last_load_property,
)
from cost_lakehouse.lake.ledger import receipts, record_increment, rollback
from cost_lakehouse.lake.locks import Lock
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.lake.retraction import Retraction, retract
from cost_lakehouse.lake.slice_writer import new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.holders import refuse_other_holders
from cost_lakehouse.loading.locks import LOCK_WAIT_SECONDS, commit_lock
from cost_lakehouse.loading.prove import refuse_unproven
from cost_lakehouse.loading.read import FilesToLoad, LoadedFiles, LoadedSlice, load_files
from cost_lakehouse.loading.records import (
    WithoutRows,
    accepted_receipt,
    files_of_month,
    objects_without_rows,
    refused_receipt,
    taken_out_rows,
)
from cost_lakehouse.loading.repeats import Overlap, in_order, overlaps, refuse_partial, same_content
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.progress import Progress
from cost_lakehouse.sources.base import Source
from cost_lakehouse.sources.delivery import Increment, Status, StoredObject


def load_increment(
    lake: Lake,
    source: Source,
    increment: Increment,
    *,
    force: bool = False,
    replaces: bool = False,
    progress: Progress | None = None,
) -> LoadResult:
    """Load those objects of an increment that the lake does not hold as they are; all of them with ``force``.

    An object that the lake holds another version of has its rows replaced. ``replaces`` says that a correction takes the place
    of the row it refers to, which changes no row here, but what the receipt shows.
    Raises DeliveryRefused where the numbers would be wrong, DeliveryFailed or DeliveryChanged where a file cannot be read whole
    (the first two are put on record; what the lake holds stays as it is), SourceError and LakeError where a place is of no use.
    """
    started = time.monotonic()
    table = increment.table
    name = increment_lock(increment.source, increment.report_name)
    with lake.lock(name, f"The load of {increment.source}'s {increment.report_name}", LOCK_WAIT_SECONDS) as lock:
        known = receipts(lake, raw_table=table)
        held = held_increments(lake, known, increment.source).get((increment.source, table), Increments())
        for each in held.killed:
            rollback(lake, each)
        remove_files_of_killed_loads(lake, table, increment.source, held.loads)
        todo = increment if force else _to_load(increment, held)
        if not todo.objects:
            return LoadResult(Status.UNCHANGED)
        if progress is not None:
            progress.start(f"{todo.source} {todo.report_name} {len(todo.objects)} files", todo.bytes)
        try:
            return _Load(lake, source, todo, held, replaces, lock, started, progress).run()
        finally:
            if progress is not None:
                progress.finish()


def _to_load(increment: Increment, held: Increments) -> Increment:
    """What of an increment the lake does not hold as it is: of a month that is delivered whole, all or nothing."""
    if increment.billing_period is None:
        etags = held.etags
        todo = (
            each
            for each in increment.objects
            if etags.get(each.key) != each.etag or held.objects[each.key].repeats in increment.gone
        )
        return replace(increment, objects=tuple(todo))
    is_held = held.holds_whole(increment.billing_period, {each.key: each.etag for each in increment.objects})
    return replace(increment, objects=()) if is_held else increment


class _Load:
    """One attempt to load some objects, under the source's lock."""

    def __init__(
        self,
        lake: Lake,
        source: Source,
        increment: Increment,
        held: Increments,
        replaces: bool,
        lock: Lock,
        started: float,
        progress: Progress | None,
    ) -> None:
        self._lake = lake
        self._source = source
        self._increment = increment
        self._held = held
        self._replaces = replaces
        self._lock = lock
        self._started = started
        self._progress = progress
        self._format: TableFormat = FORMATS[increment.table]
        self._load_id = new_load_id()
        self._label = f"{increment.source}, {increment.report_name}, delivery {increment.delivery_id}"
        self._replaced = {each.key: held.objects[each.key] for each in increment.objects if each.key in held.objects}
        self._gone = {
            key: each
            for key, each in held.objects.items()
            if key not in self._replaced and (key in increment.gone or increment.billing_period in each.rows)
        }
        self._without: Mapping[str, WithoutRows] = {}
        self._taken_out: dict[date, dict[str, HeldObject]] = {}  # month -> what goes from it for others to take its place

    def run(self) -> LoadResult:
        """Read, prove, commit. Whatever goes wrong before the commit leaves every month as it was."""
        committed = False
        try:
            with ExitStack() as stack:
                loaded, repeated = self._read_once(stack)
                self._without = objects_without_rows(self._increment, loaded, repeated)
                stored = {month: stored_totals(part.files, self._format) for month, part in loaded.slices.items()}
                self._prove(loaded, stored)
                self._refuse_other_holders(loaded, stored)
                aside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cost-lakehouse-withdrawn-")))
                withdrawn = self._withdraw(aside, loaded)
                locations = {
                    month: self._lake.warehouse.keep(
                        part.files, self._lake.data_folder(self._increment.table, self._slice(month))
                    )
                    for month, part in loaded.slices.items()
                }
                result = self._commit(loaded, stored, withdrawn, locations)
                committed = True
                return result
        finally:
            if not committed:
                remove_files_of_killed_loads(self._lake, self._increment.table, self._increment.source, self._held.loads)

    def _slice(self, month: date) -> Slice:
        return Slice(self._increment.source, month)

    def _read_once(self, stack: ExitStack) -> tuple[LoadedFiles, dict[str, WithoutRows]]:
        """Every object, without those that say again what another one says: these are left out, and read no second time."""
        loaded = self._read(stack, self._increment.objects)
        repeated = self._repeated(loaded) if self._increment.billing_period is None else {}
        if repeated:
            for part in loaded.slices.values():
                for path in part.files:
                    path.unlink()
            loaded = self._read(stack, [each for each in self._increment.objects if each.key not in repeated])
        return loaded, repeated

    def _repeated(self, loaded: LoadedFiles) -> dict[str, WithoutRows]:
        """The objects all of whose lines are in others, new ones or held ones.

        Raises DeliveryRefused where a part of an object's lines is.
        """
        leaving = {*self._replaced, *self._gone}
        order = in_order(self._increment.objects, loaded.records)
        others = {key: each for key, each in self._held.objects.items() if key not in leaving}
        copies = same_content(order, loaded.contents, others)
        slices = [self._slice(month) for month in sorted(loaded.slices)]
        new = [path for part in loaded.slices.values() for path in part.files]
        held = [each.file_path for each in data_files(self._lake.table(self._increment.table), slices)]
        for found in overlaps(self._lake, self._format, [key for key in order if key not in copies], new, held, leaving):
            if found.lines < loaded.records[found.key]:
                self._refuse_partial(found, loaded)
            copies[found.key] = found.other
        months = {key: min(month for month, part in loaded.slices.items() if part.records[key]) for key in copies}
        return {key: WithoutRows(months[key], other, loaded.records[key]) for key, other in copies.items()}

    def _refuse_partial(self, found: Overlap, loaded: LoadedFiles) -> None:
        try:
            refuse_partial(self._label, found, loaded.records[found.key])
        except DeliveryRefused as error:
            self._record_refused(error, {found.key}, loaded)
            raise

    def _read(self, stack: ExitStack, objects: Sequence[StoredObject]) -> LoadedFiles:
        """Every object, its rows in new files of the months they belong to."""

        def folder_of(month: date) -> Path:
            folder = self._lake.data_folder(self._increment.table, self._slice(month))
            return stack.enter_context(self._lake.warehouse.writing(folder, self._load_id))

        increment = self._increment
        wanted = FilesToLoad(
            increment.source,
            increment.delivery_id,
            tuple(objects),
            self._format,
            increment.file_format,
            increment.billing_period,
            adds=increment.billing_period is None,
        )
        try:
            return load_files(self._source, wanted, folder_of, self._load_id, self._progress)
        except DeliveryChanged:
            raise
        except DeliveryFailed as error:
            self._record_refused(error, {error.key} if error.key else set())
            raise

    def _prove(self, loaded: LoadedFiles, stored: Mapping[date, StoredTotals]) -> None:
        try:
            refuse_unproven(self._label, loaded, stored)
        except DeliveryRefused as error:
            self._record_refused(error, set(loaded.rejected_by_object), loaded)
            raise
        if not self._source.is_unchanged(self._increment):
            raise DeliveryChanged(f"{self._label}: it was replaced while it was read.", "Run it again.")

    def _refuse_other_holders(
        self, loaded: LoadedFiles, stored: Mapping[date, StoredTotals], made: Sequence[Receipt] = ()
    ) -> None:
        """An account's (tenancy's) month comes from one source only, or its costs would add up twice.

        ``made`` are receipts that are on record already, for a commit that is called off here.
        """
        wanted = {month: each.accounts for month, each in stored.items()}
        try:
            refuse_other_holders(self._lake, self._increment.table, self._increment.source, wanted)
        except DeliveryRefused as error:
            for each in made:
                rollback(self._lake, each)
            self._record_refused(error, set(), loaded)
            raise

    def _withdraw(self, aside: Path, loaded: LoadedFiles) -> dict[date, Retraction]:
        """Take the rows of objects that came again out of the months that hold them, and those of what others replace."""
        months: dict[date, set[str]] = {}
        for key, each in self._replaced.items():
            for month in each.rows:
                months.setdefault(month, set()).add(key)
        for month in {*loaded.slices, *(each.month for each in self._without.values())}:
            gone = {key: each for key, each in self._gone.items() if month in each.rows}
            if gone:
                self._taken_out[month] = gone
                months.setdefault(month, set()).update(gone)
        known = self._replaced | self._gone
        found = {
            month: retract(self._lake, self._increment.table, self._slice(month), keys, aside)
            for month, keys in sorted(months.items())
        }
        for month, keys in months.items():
            expected = sum(known[key].rows[month] for key in keys)
            if found[month].rows != expected:
                raise DeliveryRefused(
                    f"{self._slice(month)}: {found[month].rows} rows of {len(keys)} files were found to replace; their loads "
                    f"put {expected} there.",
                    "Nothing was committed. Somebody else changed the table; see its snapshots.",
                )
        return found

    def _commit(
        self,
        loaded: LoadedFiles,
        stored: Mapping[date, StoredTotals],
        withdrawn: Mapping[date, Retraction],
        locations: Mapping[date, Sequence[str]],
    ) -> LoadResult:
        table, increment = self._increment.table, self._increment
        months = sorted({*loaded.slices, *withdrawn, *(each.month for each in self._without.values())})
        dropped = {location for each in withdrawn.values() for location in each.dropped}
        added = [location for of_month in locations.values() for location in of_month]
        added += [location for each in withdrawn.values() for location in each.kept]
        loaded_at = datetime.now(UTC)
        made: list[Receipt] = []
        self._lock.ensure_held()
        for month in months:
            part = loaded.slices.get(month, LoadedSlice())
            gone = withdrawn.get(month, Retraction())
            totals = control_total_rows(part.totals, stored.get(month, StoredTotals()), self._format.cost)
            totals += retracted_total_rows(stored_totals(gone.gone, self._format))
            files = files_of_month(increment, month, part.records, self._without, loaded.contents)
            corrections = self._corrections(month, part, locations.get(month, ()), gone)
            taken_out = self._taken_out.get(month, {})
            old = [*(each for each in self._replaced.values() if month in each.rows), *taken_out.values()]
            receipt = accepted_receipt(
                increment, self._load_id, month, part, old, gone.rows, files, totals, corrections, loaded_at
            )
            record_increment(self._lake, receipt, totals, [*files, *taken_out_rows(taken_out)])
            made.append(receipt)
        labels = commit_labels(increment.delivery_id, self._load_id, [self._slice(month) for month in months])

        def may_commit() -> None:
            self._lock.ensure_held()
            self._refuse_other_holders(loaded, stored, made)

        with commit_lock(self._lake, self._label):
            replace_files(
                self._lake,
                table,
                [self._slice(month) for month in months],
                added,
                lambda _, file: file.file_path in dropped,
                {**labels, "rows": str(sum(each.rows for each in made))},
                guard=may_commit,
                table_properties={last_load_property(increment.source): self._load_id},
            )
        return LoadResult(
            Status.LOADED,
            tuple(made),
            time.monotonic() - self._started,
            {month: part.totals.row_count for month, part in loaded.slices.items()},
            {month: part.totals.by_currency(self._format.cost) for month, part in loaded.slices.items()},
            {month: each.top_services for month, each in stored.items()},
            tuple(each.sentence(key) for key, each in sorted(self._without.items())),
        )

    def _corrections(self, month: date, part: LoadedSlice, new: Sequence[str], gone: Retraction) -> str:
        """What the load's corrections in a month come to, for the receipt; only bills of costs have any that count."""
        if self._format.table != "raw.oci_cost" or not any(each.line_item_type == CORRECTION for each in part.totals.rows):
            return ""
        present = [each.file_path for each in data_files(self._lake.current(self._increment.table), [self._slice(month)])]
        files = [each for each in present if each not in gone.dropped] + gone.kept + list(new)
        with duckdb.connect(":memory:") as connection:
            self._lake.warehouse.let_duckdb_read(connection)
            return as_json(corrections_of(connection, files, self._increment.delivery_id, self._replaces))

    def _record_refused(self, error: CostLakehouseError, culprits: Collection[str], loaded: LoadedFiles | None = None) -> None:
        """Put the refusal on record, with the objects to blame; the others are loaded without them next time."""
        whole = self._increment.objects
        guilty = () if self._increment.is_whole else tuple(each for each in whole if each.key in culprits)
        blamed = replace(self._increment, objects=guilty or whole)
        receipt, files = refused_receipt(self._increment, self._load_id, blamed, error, loaded)
        record_increment(self._lake, receipt, [], files)
