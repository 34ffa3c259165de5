"""One pass over a target: months that changed since it has them are written, sent and put on the ledger ``raw.pushes``.

Killed anywhere, it is run again: files have the names of their contents, a month counts by its manifest, and an id says of a
month that comes twice that it is the same.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from cost_lakehouse.config.push import PushSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger_rows import ledger_rows
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import append_rows
from cost_lakehouse.lake.staging import staging_folder
from cost_lakehouse.lake.tables import PUSH_COLUMNS, PUSHES
from cost_lakehouse.publish.backbone.contents import (
    Published,
    contents,
    described,
    ensure_known,
    marks,
    published,
    sums_of,
)
from cost_lakehouse.publish.backbone.places import FilePlace, MonthToSend, PushPlace
from cost_lakehouse.publish.focus_files import write_files
from cost_lakehouse.sources.lakehouse.layout import (
    DAILY_COSTS,
    FORMAT,
    SUFFIXES,
    VERSION,
    CurrencyTotals,
    PushedFile,
    PushedMonth,
    month_folder,
    month_id,
)

_ROWS_A_BATCH = 64 * 1024
_LOCK_WAIT_SECONDS = 600.0
SETTLE_SECONDS = 10.0
"""How often a long pass makes count what it has sent."""


@dataclass
class PushReport:
    """What one pass did. ``months`` are those that were sent, ``unchanged`` those that the target has as they are."""

    target: str
    place: str
    months: list[PushedMonth] = field(default_factory=list)
    unchanged: int = 0

    @property
    def files(self) -> int:
        """Files that were sent, without manifests."""
        return sum(len(files) for month in self.months for files in month.files.values())

    @property
    def rows(self) -> int:
        """Rows that were sent, of every kind."""
        return sum(file.rows for month in self.months for files in month.files.values() for file in files)

    @property
    def bytes(self) -> int:
        """Bytes that were sent, without manifests."""
        return sum(file.bytes for month in self.months for files in month.files.values() for file in files)

    @property
    def version(self) -> str:
        """A digest of what was sent."""
        return hashlib.sha256(" ".join(month.id for month in self.months).encode()).hexdigest()[:32]


def pushes_due(lake: Lake, target: PushSettings) -> dict[Slice, str]:
    """The published months that the ledger does not say the target has, with their marks. Asks the target nothing."""
    writer, _ = writer_of(lake, target)
    done = _last_pushes(lake, target.name)
    return {
        slice_: mark for slice_, mark in marks(lake, target, writer).items() if slice_ not in done or done[slice_][1] != mark
    }


def writer_of(lake: Lake, target: PushSettings) -> tuple[str, str]:
    """The name that readers know this lakehouse by at a target, and the lake's id.

    Without a ``writer`` the id makes the name its own, so that lakehouses of one configuration never meet.
    """
    record = lake.identity.record()
    lake_id = record.id if record is not None else ""
    return target.writer or f"{target.name}-{lake_id[:8]}", lake_id


def push(
    lake: Lake,
    target: PushSettings,
    *,
    again: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> PushReport:
    """Send what changed; with ``again`` every published month. ``target``'s paths are absolute.

    Raises PushFailed, LakeError or ConfigurationError; what was sent until then counts, and is on the ledger.
    """
    writer, lake_id = writer_of(lake, target)
    with lake.lock(f"push-{target.name}", f"The push to {target.name}", _LOCK_WAIT_SECONDS):
        ensure_known(lake, target)
        place = _place(lake, target, writer, lake_id, sleep)
        done, held = _last_pushes(lake, target.name), place.held()
        all_marks = marks(lake, target, writer)
        due = [
            slice_
            for slice_, mark in all_marks.items()
            if again
            or slice_ not in done
            or done[slice_][1] != mark
            or (held is not None and held.get(slice_) != done[slice_][0])
        ]
        report = PushReport(target.name, target.place, unchanged=len(all_marks) - len(due))
        if due:
            _Pass(lake, target, place, writer, lake_id, report, clock).run(published(lake, due), all_marks, held or {}, again)
    return report


def _place(lake: Lake, target: PushSettings, writer: str, lake_id: str, sleep: Callable[[float], None]) -> PushPlace:
    if target.is_http:
        from cost_lakehouse.publish.backbone.post import HttpPlace

        return HttpPlace(target, writer, sleep)
    return FilePlace(lake.settings, target, writer, lake_id)


def _last_pushes(lake: Lake, target: str) -> dict[Slice, tuple[str, str]]:
    """Month -> the id and mark of its last push to a target."""
    columns = pa.schema(
        [PUSH_COLUMNS.field(name) for name in ("source", "billing_period", "target", "pushed_at", "push_id", "mark")]
    )
    found: dict[Slice, tuple[datetime, str, str]] = {}
    for source, month, name, pushed_at, push_id, mark in ledger_rows(lake, PUSHES, columns):
        slice_ = Slice(source, month)
        if name == target and (slice_ not in found or found[slice_][0] < pushed_at):
            found[slice_] = (pushed_at, push_id, mark)
    return {slice_: (push_id, mark) for slice_, (_, push_id, mark) in found.items()}


class _Pass:
    """The months of one pass, one after the other."""

    def __init__(
        self,
        lake: Lake,
        target: PushSettings,
        place: PushPlace,
        writer: str,
        lake_id: str,
        report: PushReport,
        clock: Callable[[], datetime],
    ) -> None:
        self._lake = lake
        self._target = target
        self._place = place
        self._writer = writer
        self._lake_id = lake_id
        self._report = report
        self._clock = clock
        self._unsettled: list[tuple[Slice, str, PushedMonth]] = []
        self._settled_at = time.monotonic()

    def run(
        self, months: Mapping[Slice, Published], marks_of: Mapping[Slice, str], held: Mapping[Slice, str], again: bool
    ) -> None:
        """Send each month; what was sent counts at the end, and now and then before."""
        try:
            for slice_, month in months.items():
                with staging_folder("push") as folder:
                    made = self._made(month, folder)
                    if again or held.get(slice_) != made.month.id:
                        self._place.send(made)
                        self._report.months.append(made.month)
                    else:
                        self._report.unchanged += 1
                self._unsettled.append((slice_, marks_of[slice_], made.month))
                if time.monotonic() - self._settled_at > SETTLE_SECONDS:
                    self._settle()
        finally:
            self._settle()

    def _settle(self) -> None:
        now = self._clock()
        self._place.settle(now)
        rows = {slice_: [self._row(mark, month, now)] for slice_, mark, month in self._unsettled}
        append_rows(self._lake, PUSHES, PUSH_COLUMNS, rows)
        self._unsettled = []
        self._settled_at = time.monotonic()

    def _row(self, mark: str, month: PushedMonth, now: datetime) -> dict[str, object]:
        files = [file for files in month.files.values() for file in files]
        return {
            "source": month.source,
            "billing_period": month.month,
            "delivery_id": month.delivery_id,
            "target": self._target.name,
            "push_id": month.id,
            "mark": mark,
            "load_id": month.load_id,
            "what": ",".join(month.files),
            "file_format": self._target.format,
            "place": self._target.place,
            "files": len(files),
            "rows": sum(file.rows for file in files),
            "bytes": sum(file.bytes for file in files),
            "manifest_sha256": month.manifest.sha256,
            "pushed_at": now.astimezone(UTC).replace(tzinfo=None),
        }

    def _made(self, month: Published, folder: Path) -> MonthToSend:
        """Write a month's files on this machine, and its manifest."""
        slice_, form = month.slice, self._target.format
        below = month_folder(slice_.source, slice_.billing_period)
        files: dict[str, tuple[PushedFile, ...]] = {}
        local: dict[str, Path] = {}
        totals: dict[str, tuple[CurrencyTotals, ...]] = {}
        schemas: dict[str, object] = {}
        for what in self._target.what:
            with ExitStack() as stack:
                connection, select = stack.enter_context(contents(self._lake, what, month, self._writer, self._lake_id))
                reader = connection.execute(select).to_arrow_reader(_ROWS_A_BATCH)
                schemas[what] = described(reader.schema)
                named: list[PushedFile] = []
                for file in write_files(reader, folder, what, form):
                    path = f"{below}/{what}-{file.sha256[:32]}.{SUFFIXES[form]}"
                    named.append(PushedFile(path, file.rows, file.bytes, file.sha256))
                    local[path] = file.path
                files[what] = tuple(named)
                totals[what] = tuple(
                    CurrencyTotals(currency, rows, {name: Decimal(str(item)) for name, item in amounts.items()})
                    for currency, rows, amounts in sums_of(connection, select, reader.schema)
                )
        return self._described(month, files, totals, schemas, local)

    def _described(
        self,
        month: Published,
        files: Mapping[str, tuple[PushedFile, ...]],
        totals: Mapping[str, tuple[CurrencyTotals, ...]],
        schemas: Mapping[str, object],
        local: Mapping[str, Path],
    ) -> MonthToSend:
        slice_, receipt = month.slice, month.receipt
        own_id = month_id(self._lake_id, slice_.source, slice_.billing_period, files, month.state)
        # Nothing in it tells when it was made: the same contents have the same manifest.
        document = {
            "format": FORMAT,
            "version": VERSION,
            "id": own_id,
            "writer": self._writer,
            "lake_id": self._lake_id,
            "source": slice_.source,
            "month": slice_.month,
            "delivery_id": receipt.delivery_id,
            "state": month.state,
            "receipt": {
                "load_id": receipt.load_id,
                "digest": receipt.digest,
                "raw_table": receipt.raw_table,
                "files": receipt.files,
                "rows": receipt.rows,
                "loaded_at": receipt.loaded_at.isoformat(),
            },
            "payers": sorted({payer for payer, _ in month.accounts}),
            "files": {what: [file.to_json() for file in entries] for what, entries in files.items()},
            "totals": {what: [entry.to_json() for entry in entries] for what, entries in totals.items()},
            "schemas": schemas,
        }
        content = json.dumps(document, indent=1).encode() + b"\n"
        path = f"{month_folder(slice_.source, slice_.billing_period)}/{own_id}.json"
        manifest = PushedFile(path, 0, len(content), hashlib.sha256(content).hexdigest())
        pushed = PushedMonth(
            slice_.source,
            slice_.billing_period,
            own_id,
            self._clock(),
            receipt.delivery_id,
            receipt.load_id,
            receipt.digest,
            month.state,
            manifest,
            files,
            totals,
            month.accounts if DAILY_COSTS in files else (),
        )
        return MonthToSend(pushed, local, content)
