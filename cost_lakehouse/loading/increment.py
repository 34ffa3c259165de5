"""New files of a bill that arrives in increments become rows of the months they touch: one commit, a receipt a month."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from cost_lakehouse.audit.corrections import as_json, corrections_of
from cost_lakehouse.audit.receipts import Receipt, control_total_rows, retracted_total_rows
from cost_lakehouse.audit.stored_totals import StoredTotals, stored_totals
from cost_lakehouse.errors import CostLakehouseError, DeliveryRefused
from cost_lakehouse.formats.table_format import CORRECTION, FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import remove_files_of_killed_loads
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
from cost_lakehouse.lake.retraction import Retraction, retract
from cost_lakehouse.loading.holders import LOCK_WAIT_SECONDS
from cost_lakehouse.loading.load import Change, Load
from cost_lakehouse.loading.read import LoadedFiles, LoadedSlice
from cost_lakehouse.loading.records import (
    WithoutRows,
    accepted_receipt,
    files_of_month,
    objects_without_rows,
    refused_receipt,
    taken_out_rows,
)
from cost_lakehouse.loading.repeats import in_order, overlaps, refuse_partial, same_content
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.sources.base import Progress, Source
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.storage.object_store import StoredObject


def load_increment(
    lake: Lake,
    source: Source,
    increment: Delivery,
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
    table = increment.table
    name = increment_lock(increment.source, increment.report_name)
    with lake.lock(name, f"The load of {increment.source}'s {increment.report_name}", LOCK_WAIT_SECONDS) as lock:
        known = receipts(lake, raw_table=table)
        held = held_increments(lake, known, increment.source).get((increment.source, table), Increments())
        for item in held.killed:
            rollback(lake, item)
        remove_files_of_killed_loads(lake, table, increment.source, held.loads)
        objects = increment.objects if force else _to_load(increment, held)
        if not objects:
            return LoadResult(Status.UNCHANGED)
        todo = increment if objects == increment.objects else increment.only(objects)
        if progress is not None:
            progress.start(f"{todo.source} {todo.report_name} {len(todo.objects)} files", todo.bytes)
        try:
            return _Load(lake, source, todo, held, replaces, lock, progress).run()
        finally:
            if progress is not None:
                progress.finish()


def _to_load(increment: Delivery, held: Increments) -> tuple[StoredObject, ...]:
    """What of an increment the lake does not hold as it is: of a month that is delivered whole, all or nothing."""
    if increment.billing_period is None:
        etags = held.etags
        return tuple(
            stored_object
            for stored_object in increment.objects
            if etags.get(stored_object.key) != stored_object.etag or held.objects[stored_object.key].repeats in increment.gone
        )
    is_held = held.holds_whole(
        increment.billing_period, {stored_object.key: stored_object.etag for stored_object in increment.objects}
    )
    return () if is_held else increment.objects


class _Load(Load):
    """Some objects beside those that the lake holds, or in place of them."""

    def __init__(
        self,
        lake: Lake,
        source: Source,
        increment: Delivery,
        held: Increments,
        replaces: bool,
        lock: Lock,
        progress: Progress | None,
    ) -> None:
        label = f"{increment.source}, {increment.report_name}, delivery {increment.delivery_id}"
        super().__init__(lake, source, increment, FORMATS[increment.table], lock, progress, label)
        self._held = held
        self._replaces = replaces
        self._replaced = {
            stored_object.key: held.objects[stored_object.key]
            for stored_object in increment.objects
            if stored_object.key in held.objects
        }
        self._gone = {
            key: item
            for key, item in held.objects.items()
            if key not in self._replaced and (key in increment.gone or increment.billing_period in item.rows)
        }
        self._without: Mapping[str, WithoutRows] = {}
        self._retracted: Mapping[date, Retraction] = {}
        self._taken_out: dict[date, dict[str, HeldObject]] = {}  # month -> what goes from it for others to take its place
        self._on_record: list[Receipt] = []

    def read(self, stack: ExitStack) -> LoadedFiles:
        """Every object, without those that say again what another one says: these are left out, and read no second time."""
        objects = self.delivery.objects
        self.loaded = loaded = self.read_objects(stack, objects)
        repeated = self._repeated(loaded) if self.delivery.billing_period is None else {}
        if repeated:
            for part in loaded.slices.values():
                for path in part.files:
                    path.unlink()
            loaded = self.read_objects(stack, [stored_object for stored_object in objects if stored_object.key not in repeated])
        self._without = objects_without_rows(self.delivery, loaded, repeated)
        self.findings = tuple(item.sentence(key) for key, item in sorted(self._without.items()))
        return loaded

    def change(self, stack: ExitStack) -> Change:
        """Files with rows of objects that came again, or that others replace, go; what else they hold is written anew."""
        self._retracted = self._retract(Path(stack.enter_context(TemporaryDirectory(prefix="cost-lakehouse-retracted-"))))
        dropped = {location for value in self._retracted.values() for location in value.dropped}
        return Change(
            sorted({*self.loaded.slices, *self._retracted, *self._months_without_rows}),
            lambda table, file: file.file_path in dropped,
            [location for value in self._retracted.values() for location in value.kept],
            {last_load_property(self.delivery.source): self.load_id},
        )

    def record(self, change: Change) -> list[Receipt]:
        """A receipt for each month that the commit touches, what is taken out of it included."""
        loaded_at = datetime.now(UTC)
        read = [
            sum(part.records.values()) for part in (self.loaded.slices.get(month, LoadedSlice()) for month in change.months)
        ]
        for month, effort in zip(change.months, self.meter.read().shares(read), strict=True):
            part = self.loaded.slices.get(month, LoadedSlice())
            gone = self._retracted.get(month, Retraction())
            totals = control_total_rows(part.totals, self.stored.get(month, StoredTotals()), self.format.cost)
            totals += retracted_total_rows(stored_totals(gone.gone, self.format))
            files = files_of_month(self.delivery, month, part.records, self._without, self.loaded.contents)
            corrections = self._corrections(month, part, gone)
            taken_out = self._taken_out.get(month, {})
            old = [*(value for value in self._replaced.values() if month in value.rows), *taken_out.values()]
            receipt = accepted_receipt(
                self.delivery, self.load_id, month, part, old, gone.rows, files, totals, corrections, loaded_at, effort
            )
            record_increment(self.lake, receipt, totals, [*files, *taken_out_rows(taken_out)])
            self._on_record.append(receipt)
        return self._on_record

    def record_refused(self, error: CostLakehouseError) -> None:
        """Put the refusal on record, with the objects to blame; the others are loaded without them next time."""
        for receipt in self._on_record:
            rollback(self.lake, receipt)
        culprits = {error.key} if error.key else set()
        if isinstance(error, DeliveryRefused) and error.rejected:
            culprits |= set(self.loaded.rejected_by_object)
        objects = self.delivery.objects
        guilty = tuple(stored_object for stored_object in objects if stored_object.key in culprits)
        blamed = self.delivery.only(guilty) if guilty else self.delivery
        receipt, files = refused_receipt(self.delivery, self.load_id, blamed, error, self.loaded, self.meter.read())
        record_increment(self.lake, receipt, [], files)

    def clean(self) -> None:
        """Files of the source that no load which came to its commit wrote."""
        remove_files_of_killed_loads(self.lake, self.delivery.table, self.delivery.source, self._held.loads)

    @property
    def _months_without_rows(self) -> set[date]:
        return {value.month for value in self._without.values()}

    def _repeated(self, loaded: LoadedFiles) -> dict[str, WithoutRows]:
        """The objects all of whose lines are in others, new ones or held ones.

        Raises DeliveryRefused where a part of an object's lines is.
        """
        leaving = {*self._replaced, *self._gone}
        order = in_order(self.delivery.objects, loaded.records)
        others = {key: item for key, item in self._held.objects.items() if key not in leaving}
        copies = same_content(order, loaded.contents, others)
        slices = [self.slice_of(month) for month in sorted(loaded.slices)]
        new = [path for part in loaded.slices.values() for path in part.files]
        held = [data_file.file_path for data_file in data_files(self.lake.current(self.delivery.table), slices)]
        for found in overlaps(self.lake, self.format, [key for key in order if key not in copies], new, held, leaving):
            if found.lines < loaded.records[found.key]:
                refuse_partial(self.label, found, loaded.records[found.key])
            copies[found.key] = found.other
        months = {key: min(month for month, part in loaded.slices.items() if part.records[key]) for key in copies}
        return {key: WithoutRows(months[key], other, loaded.records[key]) for key, other in copies.items()}

    def _retract(self, aside: Path) -> dict[date, Retraction]:
        """Take the rows of objects that came again out of the months that hold them, and those of what others replace."""
        months: dict[date, set[str]] = {}
        for key, each in self._replaced.items():
            for month in each.rows:
                months.setdefault(month, set()).add(key)
        for month in {*self.loaded.slices, *self._months_without_rows}:
            gone = {key: item for key, item in self._gone.items() if month in item.rows}
            if gone:
                self._taken_out[month] = gone
                months.setdefault(month, set()).update(gone)
        known = self._replaced | self._gone
        found = {
            month: retract(self.lake, self.delivery.table, self.slice_of(month), keys, aside)
            for month, keys in sorted(months.items())
        }
        for month, keys in months.items():
            expected = sum(known[key].rows[month] for key in keys)
            if found[month].rows != expected:
                raise DeliveryRefused(
                    f"{self.slice_of(month)}: {found[month].rows} rows of {len(keys)} files were found to replace; their loads "
                    f"put {expected} there.",
                    "Nothing was committed. Somebody else changed the table; see its snapshots.",
                )
        return found

    def _corrections(self, month: date, part: LoadedSlice, gone: Retraction) -> str:
        """What the load's corrections in a month come to, for the receipt; only bills of costs have any that count."""
        if self.format.table != "raw.oci_cost" or not any(row.line_item_type == CORRECTION for row in part.totals.rows):
            return ""
        present = [
            data_file.file_path for data_file in data_files(self.lake.current(self.delivery.table), [self.slice_of(month)])
        ]
        files = (
            [data_file for data_file in present if data_file not in gone.dropped]
            + gone.kept
            + list(self.locations.get(month, ()))
        )
        with duckdb.connect(":memory:") as connection:
            self.lake.warehouse.let_duckdb_read(connection)
            return as_json(corrections_of(connection, files, self.delivery.delivery_id, self._replaces))
