"""What a load leaves on record: its files and its receipt of each month, or why it was refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb

from cost_lakehouse.audit.corrections import as_json, corrections_of
from cost_lakehouse.audit.file_totals import as_text
from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt, digest_of, rejected_values_json
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.formats.reader_version import reader_version
from cost_lakehouse.formats.table_format import CORRECTION, FORMATS, OCI_COST
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.loads import EMPTY, REPEATED, TAKEN_OUT, HeldObject
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.retraction import Retraction
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.effort import Effort
from cost_lakehouse.loading.read import LoadedFiles, LoadedSlice
from cost_lakehouse.sources.delivery import Delivery

FileRow = dict[str, Any]  # of raw.files: key, etag, size, rows, and what else is known


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
    delivery: Delivery,
    month: date,
    records: Mapping[str, int],
    without: Mapping[str, WithoutRows],
    loaded: LoadedFiles,
    read_by: Callable[[str], str],
) -> list[FileRow]:
    """The objects with ``records`` in a month (key -> rows), and those that are on record there without a row.

    ``read_by`` tells the load that read an object of a given key.
    """
    rows: list[FileRow] = []
    for found in delivery.objects:
        nothing = without.get(found.key)
        belongs = month in (delivery.billing_period, nothing.month if nothing is not None else None)
        if records.get(found.key) or belongs:
            row: FileRow = {"key": found.key, "etag": found.etag, "size": found.size, "rows": records.get(found.key, 0)}
            row["content"] = loaded.contents.get(found.key)
            if found.key in loaded.files:
                totals = as_text(loaded.files[found.key])
                row |= {"control_totals": totals, "rows_digest": loaded.rows_digests.get(found.key)}
                row |= {"reader": reader_version(), "read_by": read_by(found.key)}
            if nothing is not None:
                row |= {"finding": REPEATED if nothing.repeats else EMPTY, "finding_detail": nothing.repeats or None}
            rows.append(row)
    return rows


def taken_out_rows(gone: Mapping[str, HeldObject]) -> list[FileRow]:
    """The marks of objects whose rows the load takes out of a month, because others take their place."""
    return [{"key": key, "etag": TAKEN_OUT, "size": item.size, "rows": 0} for key, item in sorted(gone.items())]


def objects_without_rows(
    delivery: Delivery, loaded: LoadedFiles, repeated: Mapping[str, WithoutRows]
) -> dict[str, WithoutRows]:
    """Files that add up and have no row are on record too, in the month that they are announced for or were written in."""
    if not FORMATS[delivery.table].adds_up:
        return {}
    empty = {
        found.key: WithoutRows(delivery.billing_period or _month_of(found.last_modified))
        for found in delivery.objects
        if not loaded.records.get(found.key)
    }
    return empty | dict(repeated)


def accepted_receipt(
    delivery: Delivery,
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
    slice_ = Slice(delivery.source, month)
    return Receipt(
        source=delivery.source,
        billing_period=month,
        delivery_id=delivery.delivery_id,
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
        delivered_at=delivery.delivered_at.astimezone(UTC),
        fingerprint=delivery.fingerprint,
        digest=digest_of(f"{slice_} {delivery.delivery_id}", objects, part.totals.row_count, totals),
        raw_table=delivery.table,
        corrections=corrections,
        **effort.columns,
    )


def refused_receipt(
    delivery: Delivery,
    load_id: str,
    label: str,
    blamed: Delivery,
    error: CostLakehouseError,
    loaded: LoadedFiles,
    loaded_at: datetime,
    effort: Effort,
) -> tuple[Receipt, list[FileRow]]:
    """The receipt of a load that was refused, and the objects that it is refused for, where objects are taken one by one.

    The receipts of a slice that adds up do so too, so there it says nothing of rows.
    """
    months = [*loaded.slices, *(_month_of(stored_object.last_modified) for stored_object in blamed.objects)]
    adds_up = FORMATS[delivery.table].adds_up
    reason = str(error)
    receipt = Receipt(
        source=delivery.source,
        billing_period=delivery.billing_period or min(months),
        delivery_id=blamed.delivery_id,
        load_id=load_id,
        state=REFUSED,
        reason=reason,
        files=len(blamed.objects),
        rows=0 if adds_up else sum(part.totals.row_count for part in loaded.slices.values()),
        bytes=blamed.bytes,
        rejected=loaded.rejected_count,
        rejected_values=rejected_values_json(loaded.rejected),
        rounding_values=0 if adds_up else loaded.rounded,
        loaded_at=loaded_at,
        delivered_at=delivery.delivered_at.astimezone(UTC),
        fingerprint=delivery.fingerprint,
        digest=digest_of(f"{label} {reason}", [], 0, []),
        raw_table=delivery.table,
        **effort.columns,
    )
    objects = blamed.objects if adds_up else ()
    return receipt, [{"key": found.key, "etag": found.etag, "size": found.size, "rows": None} for found in objects]


def corrections_text(
    lake: Lake,
    delivery: Delivery,
    month: date,
    part: LoadedSlice,
    gone: Retraction,
    new: Sequence[str],
    voids: bool,
) -> str:
    """What the load's corrections in a month come to, for the receipt; only bills of costs have any that count.

    ``new`` are locations of the load's own files. ``voids`` says that a correction takes the place of the row it refers to,
    which changes no row here.
    """
    if delivery.table != OCI_COST.table or not any(row.line_item_type == CORRECTION for row in part.totals.rows):
        return ""
    slices = [Slice(delivery.source, month)]
    present = [file.file_path for file in data_files(lake.current(delivery.table), slices)]
    files = [location for location in present if location not in gone.dropped] + gone.kept + list(new)
    with duckdb.connect(":memory:") as connection:
        lake.warehouse.let_duckdb_read(connection)
        return as_json(corrections_of(connection, files, delivery.delivery_id, voids))


def _month_of(moment: datetime) -> date:
    return moment.astimezone(UTC).date().replace(day=1)
