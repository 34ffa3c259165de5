"""New files of a bill that arrives in increments become rows of the months they touch: one commit, a receipt a month."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from cost_lakehouse.audit.corrections import as_json, corrections_of
from cost_lakehouse.audit.receipts import (
    ACCEPTED,
    REFUSED,
    Receipt,
    control_total_rows,
    digest_of,
    rejected_values_json,
    withdrawn_total_rows,
)
from cost_lakehouse.audit.stored_totals import StoredTotals, differences, stored_totals
from cost_lakehouse.errors import CostLakehouseError, DeliveryChanged, DeliveryFailed, DeliveryRefused
from cost_lakehouse.formats.table_format import CORRECTION, FORMATS, TableFormat
from cost_lakehouse.ingest import Outcome, commit_lock, refuse_differences, refuse_other_holders, refuse_rejected
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import commit_labels, data_files, remove_files_of_killed_loads
from cost_lakehouse.lake.increments import (
    TAKEN_OUT,
    HeldObject,
    Increments,
    held_increments,
    increment_lock,
    last_load_property,
)
from cost_lakehouse.lake.ledger import holders_of, receipts, record_increment, take_back
from cost_lakehouse.lake.locks import Lock
from cost_lakehouse.lake.replace import replace_files
from cost_lakehouse.lake.slice_writer import new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.withdrawal import Withdrawal, withdraw
from cost_lakehouse.load_files import FilesToLoad, LoadedFiles, LoadedSlice, load_files
from cost_lakehouse.progress import Progress
from cost_lakehouse.sources.delivery import Increment
from cost_lakehouse.sources.focus import increment_is_unchanged
from cost_lakehouse.sources.object_store import ObjectStore

_LOCK_WAIT_SECONDS = 600


@dataclass(frozen=True)
class IncrementResult:
    """What a load did and proved. ``receipts`` has one for each month that it touched, oldest month first."""

    outcome: Outcome
    receipts: tuple[Receipt, ...] = ()
    seconds: float = 0.0
    totals: Mapping[date, Mapping[str, Decimal]] = field(default_factory=dict)  # month -> currency -> cost that was added
    top_services: Mapping[date, Sequence[tuple[str, str, Decimal]]] = field(default_factory=dict)


def load_increment(
    lake: Lake,
    store: ObjectStore,
    increment: Increment,
    *,
    force: bool = False,
    replaces: bool = False,
    progress: Progress | None = None,
) -> IncrementResult:
    """Load those objects of an increment that the lake does not hold as they are; all of them with ``force``.

    An object that the lake holds another version of has its rows replaced. ``replaces`` says that a correction takes the place
    of the row it refers to, which changes no row here, but what the receipt shows.
    Raises DeliveryRefused where the numbers would be wrong, DeliveryFailed or DeliveryChanged where a file cannot be read whole
    (the first two are put on record; what the lake holds stays as it is), SourceError and LakeError where a place is of no use.
    """
    started = time.monotonic()
    table = increment.table
    name = increment_lock(increment.source, increment.report_name)
    with lake.lock(name, f"The load of {increment.source}'s {increment.report_name}", _LOCK_WAIT_SECONDS) as lock:
        known = receipts(lake, raw_table=table)
        held = held_increments(lake, known, increment.source).get((increment.source, table), Increments())
        for each in held.killed:
            take_back(lake, each)
        remove_files_of_killed_loads(lake, table, increment.source, held.loads)
        todo = increment if force else _to_load(increment, held)
        if not todo.objects:
            return IncrementResult(Outcome.UNCHANGED)
        if progress is not None:
            progress.start(f"{todo.source} {todo.report_name} {len(todo.objects)} files", todo.bytes)
        try:
            return _Load(lake, store, todo, held, replaces, lock, started, progress).run()
        finally:
            if progress is not None:
                progress.finish()


def _to_load(increment: Increment, held: Increments) -> Increment:
    """What of an increment the lake does not hold as it is: of a month that is delivered whole, all or nothing."""
    month = increment.billing_period
    new = tuple(each for each in increment.objects if held.etags.get(each.key) != each.etag)
    if month is None:
        return replace(increment, objects=new)
    keys = {each.key for each in increment.objects}
    is_held = not new and not any(month in each.rows for key, each in held.objects.items() if key not in keys)
    return replace(increment, objects=()) if is_held else increment


class _Load:
    """One attempt to load some objects, under the source's lock."""

    def __init__(
        self,
        lake: Lake,
        store: ObjectStore,
        increment: Increment,
        held: Increments,
        replaces: bool,
        lock: Lock,
        started: float,
        progress: Progress | None,
    ) -> None:
        self._lake = lake
        self._store = store
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

    def run(self) -> IncrementResult:
        """Read, prove, commit. Whatever goes wrong before the commit leaves every month as it was."""
        committed = False
        try:
            with ExitStack() as stack:
                loaded = self._read(stack)
                stored = {month: stored_totals(part.files, self._format) for month, part in loaded.slices.items()}
                self._prove(loaded, stored)
                self._refuse_other_holders(loaded)
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

    def _read(self, stack: ExitStack) -> LoadedFiles:
        """Every object, its rows in new files of the months they belong to."""

        def folder_of(month: date) -> Path:
            folder = self._lake.data_folder(self._increment.table, self._slice(month))
            return stack.enter_context(self._lake.warehouse.writing(folder, self._load_id))

        increment = self._increment
        wanted = FilesToLoad(
            increment.source,
            increment.delivery_id,
            increment.objects,
            self._format,
            increment.file_format,
            increment.billing_period,
        )
        try:
            return load_files(self._store, wanted, folder_of, self._load_id, self._progress)
        except DeliveryChanged:
            raise
        except DeliveryFailed as error:
            self._record_refused(error, {error.key} if error.key else set())
            raise

    def _prove(self, loaded: LoadedFiles, stored: Mapping[date, StoredTotals]) -> None:
        try:
            refuse_rejected(self._label, loaded)
            counted = sum(loaded.records.values())
            rows = sum(part.totals.row_count for part in loaded.slices.values())
            found = [f"{counted} records were counted, {rows} were read"] if counted != rows else []
            for month, part in sorted(loaded.slices.items()):
                found += [f"{month:%Y-%m}: {each}" for each in differences(part.totals, stored[month])]
            refuse_differences(self._label, found)
        except DeliveryRefused as error:
            self._record_refused(error, set(loaded.rejected_by_object), loaded)
            raise
        if not increment_is_unchanged(self._store, self._increment):
            raise DeliveryChanged(f"{self._label}: it was replaced while it was read.", "Run it again.")

    def _refuse_other_holders(self, loaded: LoadedFiles, made: Sequence[Receipt] = ()) -> None:
        """One payer (tenancy) and month comes from one source only, or its costs would add up twice.

        ``made`` are receipts that are on record already, for a commit that is called off here.
        """
        wanted = {month: part.totals.payers for month, part in loaded.slices.items()}
        try:
            source = self._increment.source
            refuse_other_holders(source, holders_of(self._lake, self._increment.table, source, wanted))
        except DeliveryRefused as error:
            for each in made:
                take_back(self._lake, each)
            self._record_refused(error, set(), loaded)
            raise

    def _withdraw(self, aside: Path, loaded: LoadedFiles) -> dict[date, Withdrawal]:
        """Take the rows of objects that came again out of the months that hold them, and those of what others replace."""
        months: dict[date, set[str]] = {}
        for key, each in self._replaced.items():
            for month in each.rows:
                months.setdefault(month, set()).add(key)
        for month in self._touched(loaded):
            for key in self._gone_from(month):
                months.setdefault(month, set()).add(key)
        known = self._replaced | self._gone
        found = {
            month: withdraw(self._lake, self._increment.table, self._slice(month), keys, aside)
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

    def _touched(self, loaded: LoadedFiles) -> set[date]:
        """The months that the new objects have rows in, or stand for."""
        return {*loaded.slices, *self._months_of_empty_objects(loaded)}

    def _gone_from(self, month: date) -> list[str]:
        """The objects whose rows go from a month that the load touches, because they are no part of its bill any more."""
        return sorted(key for key, each in self._gone.items() if month in each.rows)

    def _commit(
        self,
        loaded: LoadedFiles,
        stored: Mapping[date, StoredTotals],
        withdrawn: Mapping[date, Withdrawal],
        locations: Mapping[date, Sequence[str]],
    ) -> IncrementResult:
        table, increment = self._increment.table, self._increment
        empty = self._months_of_empty_objects(loaded)
        months = sorted({*loaded.slices, *withdrawn, *empty})
        dropped = {location for each in withdrawn.values() for location in each.dropped}
        added = [location for of_month in locations.values() for location in of_month]
        added += [location for each in withdrawn.values() for location in each.kept]
        loaded_at = datetime.now(UTC)
        made: list[Receipt] = []
        self._lock.ensure_held()
        for month in months:
            part = loaded.slices.get(month, LoadedSlice())
            gone = withdrawn.get(month, Withdrawal())
            totals = control_total_rows(part.totals, stored.get(month, StoredTotals()), self._format.cost)
            totals += withdrawn_total_rows(stored_totals(gone.gone, self._format))
            files = self._files_of(month, part.records, empty.get(month, ()))
            taken_out = [] if month not in withdrawn else self._gone_from(month)
            marks = [{"key": key, "etag": TAKEN_OUT, "size": self._gone[key].size, "rows": 0} for key in taken_out]
            corrections = self._corrections(month, part, locations.get(month, ()), gone)
            receipt = self._receipt(month, part, gone, files, totals, corrections, loaded_at)
            record_increment(self._lake, receipt, totals, [*files, *marks])
            made.append(receipt)
        labels = commit_labels(increment.delivery_id, self._load_id, [self._slice(month) for month in months])

        def may_commit() -> None:
            self._lock.ensure_held()
            self._refuse_other_holders(loaded, made)

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
        return IncrementResult(
            Outcome.LOADED,
            tuple(made),
            time.monotonic() - self._started,
            {month: part.totals.by_currency(self._format.cost) for month, part in loaded.slices.items()},
            {month: each.top_services for month, each in stored.items()},
        )

    def _months_of_empty_objects(self, loaded: LoadedFiles) -> dict[date, list[str]]:
        """Objects without a row are on record too, in the month that they are announced for or were written in."""
        found: dict[date, list[str]] = {}
        for each in self._increment.objects:
            if not loaded.records.get(each.key):
                month = self._increment.billing_period or _month_of(each.last_modified)
                found.setdefault(month, []).append(each.key)
        return found

    def _files_of(self, month: date, records: Mapping[str, int], empty: Collection[str]) -> list[dict[str, Any]]:
        return [
            {"key": each.key, "etag": each.etag, "size": each.size, "rows": records.get(each.key, 0)}
            for each in self._increment.objects
            if records.get(each.key) or each.key in empty
        ]

    def _corrections(self, month: date, part: LoadedSlice, new: Sequence[str], gone: Withdrawal) -> str:
        """What the load's corrections in a month come to, for the receipt; only bills of costs have any that count."""
        if self._format.table != "raw.oci_cost" or not any(each.line_item_type == CORRECTION for each in part.totals.rows):
            return ""
        present = [each.file_path for each in data_files(self._lake.table(self._increment.table), [self._slice(month)])]
        files = [each for each in present if each not in gone.dropped] + gone.kept + list(new)
        with duckdb.connect(":memory:") as connection:
            self._lake.warehouse.let_duckdb_read(connection)
            return as_json(corrections_of(connection, files, self._increment.delivery_id, self._replaces))

    def _receipt(
        self,
        month: date,
        part: LoadedSlice,
        gone: Withdrawal,
        files: Sequence[Mapping[str, Any]],
        totals: Sequence[dict[str, Any]],
        corrections: str,
        loaded_at: datetime,
    ) -> Receipt:
        """What the load adds to a month, less what it takes out of it."""
        objects = [(str(each["key"]), str(each["etag"]), int(each["size"]), int(each["rows"])) for each in files]
        old: list[HeldObject] = [each for each in self._replaced.values() if month in each.rows]
        if gone.rows:
            old += [self._gone[key] for key in self._gone_from(month)]
        proof = digest_of(f"{self._slice(month)} {self._increment.delivery_id}", objects, part.totals.row_count, totals)
        return Receipt(
            source=self._increment.source,
            billing_period=month,
            delivery_id=self._increment.delivery_id,
            load_id=self._load_id,
            state=ACCEPTED,
            reason="",
            files=len(files) - len(old),
            rows=part.totals.row_count - gone.rows,
            bytes=sum(size for _, _, size, _ in objects) - sum(each.size for each in old),
            rejected=0,
            rejected_values="",
            rounding_values=part.rounded,
            loaded_at=loaded_at,
            delivered_at=self._increment.delivered_at.astimezone(UTC),
            fingerprint=self._increment.fingerprint,
            digest=proof,
            raw_table=self._increment.table,
            corrections=corrections,
        )

    def _record_refused(self, error: CostLakehouseError, culprits: Collection[str], loaded: LoadedFiles | None = None) -> None:
        """Put the refusal on record, with the objects to blame; the others are loaded without them next time."""
        whole = list(self._increment.objects)
        blamed = whole if self._increment.is_whole else [each for each in whole if each.key in culprits] or whole
        month = self._increment.billing_period or min(
            [*(loaded.slices if loaded else ()), *(_month_of(each.last_modified) for each in blamed)]
        )
        files = [{"key": each.key, "etag": each.etag, "size": each.size, "rows": None} for each in blamed]
        reason = str(error)
        receipt = Receipt(
            source=self._increment.source,
            billing_period=month,
            delivery_id=replace(self._increment, objects=tuple(blamed)).delivery_id,
            load_id=self._load_id,
            state=REFUSED,
            reason=reason,
            files=len(blamed),
            rows=0,
            bytes=sum(each.size for each in blamed),
            rejected=loaded.rejected_count if loaded else 0,
            rejected_values=rejected_values_json(loaded.rejected) if loaded else "",
            rounding_values=0,
            loaded_at=datetime.now(UTC),
            delivered_at=self._increment.delivered_at.astimezone(UTC),
            fingerprint=self._increment.fingerprint,
            digest=digest_of(f"{self._label} {reason}", [], 0, []),
            raw_table=self._increment.table,
        )
        record_increment(self._lake, receipt, [], files)


def _month_of(moment: datetime) -> date:
    return moment.astimezone(UTC).date().replace(day=1)
