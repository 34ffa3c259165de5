"""What a load of increments leaves on record: its files and its receipt of each month, or why it was refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt, digest_of, rejected_values_json
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.increments import EMPTY, REPEATED, TAKEN_OUT, HeldObject
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.effort import Effort
from cost_lakehouse.loading.read import LoadedFiles, LoadedSlice
from cost_lakehouse.sources.delivery import Delivery

FileRow = dict[str, Any]  # of raw.files: key, etag, size, rows


@dataclass(frozen=True)
class WithoutRows:
    """An object of which no row is loaded: it has none, or ``repeats`` (a key) has them all. ``rows`` are its own."""

    month: date
    repeats: str = ""
    rows: int = 0

    def sentence(self, key: str) -> str:
        """What is to be said of it, for people."""
        if self.repeats:
            return f"{key} says again what {self.repeats} says: its {self.rows:,} lines count once."
        return f"{key} is empty: it is taken as a report without lines."


def files_of_month(
    increment: Delivery,
    month: date,
    records: Mapping[str, int],
    without: Mapping[str, WithoutRows],
    contents: Mapping[str, str],
) -> list[FileRow]:
    """The objects with ``records`` in a month (key -> rows), and those that are on record there without a row."""
    rows: list[FileRow] = []
    for found in increment.objects:
        nothing = without.get(found.key)
        if records.get(found.key) or (nothing is not None and nothing.month == month):
            row: FileRow = {"key": found.key, "etag": found.etag, "size": found.size, "rows": records.get(found.key, 0)}
            row["content"] = contents.get(found.key)
            if nothing is not None:
                row |= {"finding": REPEATED if nothing.repeats else EMPTY, "finding_detail": nothing.repeats or None}
            rows.append(row)
    return rows


def taken_out_rows(gone: Mapping[str, HeldObject]) -> list[FileRow]:
    """The marks of objects whose rows the load takes out of a month, because others take their place."""
    return [{"key": key, "etag": TAKEN_OUT, "size": item.size, "rows": 0} for key, item in sorted(gone.items())]


def objects_without_rows(
    increment: Delivery, loaded: LoadedFiles, repeated: Mapping[str, WithoutRows]
) -> dict[str, WithoutRows]:
    """Objects without a row are on record too, in the month that they are announced for or were written in."""
    empty = {
        found.key: WithoutRows(increment.billing_period or _month_of(found.last_modified))
        for found in increment.objects
        if not loaded.records.get(found.key)
    }
    return empty | dict(repeated)


def accepted_receipt(
    increment: Delivery,
    load_id: str,
    month: date,
    part: LoadedSlice,
    old: Collection[HeldObject],
    withdrawn_rows: int,
    files: Sequence[FileRow],
    totals: Sequence[dict[str, Any]],
    corrections: str,
    loaded_at: datetime,
    effort: Effort,
) -> Receipt:
    """What the load adds to a month, less what it takes out of it: the rows of ``old`` objects."""
    objects = [
        (str(file_row["key"]), str(file_row["etag"]), int(file_row["size"]), int(file_row["rows"])) for file_row in files
    ]
    slice_ = Slice(increment.source, month)
    return Receipt(
        source=increment.source,
        billing_period=month,
        delivery_id=increment.delivery_id,
        load_id=load_id,
        state=ACCEPTED,
        reason="",
        files=len(files) - len(old),
        rows=part.totals.row_count - withdrawn_rows,
        bytes=sum(size for _, _, size, _ in objects) - sum(held_object.size for held_object in old),
        rejected=0,
        rejected_values="",
        rounding_values=part.rounded,
        loaded_at=loaded_at,
        delivered_at=increment.delivered_at.astimezone(UTC),
        fingerprint=increment.fingerprint,
        digest=digest_of(f"{slice_} {increment.delivery_id}", objects, part.totals.row_count, totals),
        raw_table=increment.table,
        corrections=corrections,
        **effort.columns,
    )


def refused_receipt(
    increment: Delivery, load_id: str, blamed: Delivery, error: CostLakehouseError, loaded: LoadedFiles | None, effort: Effort
) -> tuple[Receipt, list[FileRow]]:
    """The receipt of a load that was refused, and the objects that it is refused for."""
    months = [*(loaded.slices if loaded else ()), *(_month_of(stored_object.last_modified) for stored_object in blamed.objects)]
    reason = str(error)
    label = f"{increment.source}, {increment.report_name}, delivery {increment.delivery_id}"
    receipt = Receipt(
        source=increment.source,
        billing_period=increment.billing_period or min(months),
        delivery_id=blamed.delivery_id,
        load_id=load_id,
        state=REFUSED,
        reason=reason,
        files=len(blamed.objects),
        rows=0,
        bytes=blamed.bytes,
        rejected=loaded.rejected_count if loaded else 0,
        rejected_values=rejected_values_json(loaded.rejected) if loaded else "",
        rounding_values=0,
        loaded_at=datetime.now(UTC),
        delivered_at=increment.delivered_at.astimezone(UTC),
        fingerprint=increment.fingerprint,
        digest=digest_of(f"{label} {reason}", [], 0, []),
        raw_table=increment.table,
        **effort.columns,
    )
    return receipt, [
        {"key": stored_object.key, "etag": stored_object.etag, "size": stored_object.size, "rows": None}
        for stored_object in blamed.objects
    ]


def _month_of(moment: datetime) -> date:
    return moment.astimezone(UTC).date().replace(day=1)
