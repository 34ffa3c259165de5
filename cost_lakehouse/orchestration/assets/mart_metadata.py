"""What a materialization of a model shows: the whole month of a mart, what a build changed in it, or why nothing was built."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

import dagster as dg

from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.plan import month_text
from cost_lakehouse.orchestration.assets.load_metadata import cost_metadata, metadata_table, plain
from cost_lakehouse.orchestration.decisions import partition_key
from cost_lakehouse.orchestration.text_chart import bars, chart
from cost_lakehouse.summaries.mart_months import SourceTotal
from cost_lakehouse.summaries.publish import PublishedSlice

DATA_VERSION_TAG = "dagster/data_version"
UP_TO_DATE = (
    "The summaries of this month are up to date with its line items, so nothing was built. "
    "To build them all the same, materialize with `force: true` in the launchpad."
)
MartMonths = Mapping[tuple[str, date], Sequence[SourceTotal]]


@dataclass(frozen=True)
class Models:
    """The models' asset keys by name, and which of them are published, by name: the table, such as ``marts.daily_costs``."""

    keys: Mapping[str, dg.AssetKey]
    tables: Mapping[str, str]


def built_months(
    models: Models,
    slices: Sequence[Slice],
    published: Sequence[PublishedSlice],
    versions: Mapping[Slice, str],
    held: MartMonths,
) -> Iterator[dg.AssetMaterialization]:
    """A materialization of every model for exactly the months that were rebuilt, marts with what changed in them."""
    for month in sorted({slice_.billing_period for slice_ in slices}):
        of_month = [slice_ for slice_ in slices if slice_.billing_period == month]
        for name, key in models.keys.items():
            metadata: dict[str, Any] = {}
            if table := models.tables.get(name):
                changed = [part for part in published if part.table == table and part.billing_period == month]
                metadata |= month_metadata(held.get((table, month), ())) | change_metadata(changed)
            metadata["slices"] = ", ".join(str(slice_) for slice_ in of_month)
            metadata["delivery_ids"] = {slice_.source: versions.get(slice_, "") for slice_ in of_month}
            yield _materialization(key, month, metadata, versions)


def unchanged_months(
    models: Models, selected: Sequence[dg.AssetKey], months: Sequence[date], versions: Mapping[Slice, str], held: MartMonths
) -> Iterator[dg.AssetMaterialization]:
    """A materialization that says `unchanged`, and why, of the selected models for each month that the lake holds."""
    for month in months:
        ids = _ids_of_month(month, versions)
        for name, key in models.keys.items():
            if ids and key in selected:
                metadata: dict[str, Any] = {"unchanged": True, "reason": UP_TO_DATE, "delivery_ids": ids}
                if table := models.tables.get(name):
                    metadata |= month_metadata(held.get((table, month), ()))
                yield _materialization(key, month, metadata, versions)


def month_metadata(held: Sequence[SourceTotal]) -> dict[str, Any]:
    """A whole month of a mart: its rows and totals by currency, which Dagster plots over the months, and each source's part."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for part in held:
        if part.total is not None:
            totals[part.currency] = EXACT.add(totals[part.currency], part.total)
    rows: list[dict[str, str | int]] = [
        {
            "source": part.source,
            "currency": part.currency,
            "rows": part.rows,
            "total": "" if part.total is None else plain(part.total),
        }
        for part in held
    ]
    return {
        "dagster/row_count": sum(part.rows for part in held),
        **(cost_metadata(totals) if totals else {}),
        **({"chart": chart(*_by_source(held, totals))} if any(totals.values()) else {}),
        "totals": metadata_table({"source": str, "currency": str, "rows": int, "total": str}, rows),
    }


def _by_source(held: Sequence[SourceTotal], currencies: Iterable[str]) -> Iterator[str]:
    """Each currency's sources, biggest first."""
    for currency in sorted(currencies):
        parts = [(part.source, part.total) for part in held if part.currency == currency and part.total is not None]
        yield bars(currency or "no currency", sorted(parts, key=lambda part: (-part[1], part[0])))


def change_metadata(published: Sequence[PublishedSlice]) -> dict[str, Any]:
    """What a build changed in a month of a mart: each rebuilt source's total before and after."""
    changes = [
        {
            "source": part.source,
            "month": month_text(part.billing_period),
            "currency": currency,
            "old": None if part.old is None else format(part.old.get(currency, 0), "f"),
            "new": format(part.new.get(currency, 0), "f"),
        }
        for part in published
        for currency in sorted({*part.new, *(part.old or {})})
    ]
    rows: list[dict[str, str | int]] = [
        {
            "source": str(change["source"]),
            "currency": str(change["currency"]),
            "before": "(none)" if change["old"] is None else plain(Decimal(change["old"])),
            "after": plain(Decimal(str(change["new"]))),
        }
        for change in changes
    ]
    return {
        "rebuilt": metadata_table({"source": str, "currency": str, "before": str, "after": str}, rows),
        "changes": dg.MetadataValue.json(changes),  # the same for programs
    }


def _ids_of_month(month: date, versions: Mapping[Slice, str]) -> dict[str, str]:
    """Each source that has the month -> the delivery that its summaries are of."""
    return {slice_.source: versions[slice_] for slice_ in sorted(versions) if slice_.billing_period == month}


def _materialization(
    key: dg.AssetKey, month: date, metadata: Mapping[str, Any], versions: Mapping[Slice, str]
) -> dg.AssetMaterialization:
    """The data version is one of all deliveries that the month holds, whichever of them were built now."""
    version = sha256(json.dumps(_ids_of_month(month, versions), sort_keys=True).encode()).hexdigest()[:16]
    return dg.AssetMaterialization(
        asset_key=key, partition=partition_key(month), metadata=metadata, tags={DATA_VERSION_TAG: version}
    )
