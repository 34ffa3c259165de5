"""From what writers say counts to deliveries of months. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations

from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.sources.delivery import Delivery, FileFormat, Finding, Status
from cost_lakehouse.sources.lakehouse.layout import DAILY_COSTS, Manifest, PushedMonth
from cost_lakehouse.storage.object_store import StoredObject

TABLE = "raw.lakehouse_costs"
_NAMED = 3


@dataclass(frozen=True)
class Written:
    """One source's month of one writer; ``folder`` is the writer's, as a key with its slash."""

    writer: str
    folder: str
    month: PushedMonth


def findings(source: str, manifests: Mapping[str, Manifest], only: date | None = None) -> list[Finding]:
    """A finding for each month that a writer pushed, sorted; ``manifests`` by their writer's folder.

    A month is the whole of what all writers have of it, so a place that many write to is read together. Where two of them have
    the same account, neither counts: FAILED, and what is loaded stays.
    """
    months: dict[date, list[Written]] = {}
    for folder, manifest in sorted(manifests.items()):
        for month in manifest.months:
            if only in (None, month.month):
                months.setdefault(month.month, []).append(Written(manifest.writer, folder, month))
    return [_finding(source, month, written) for month, written in sorted(months.items())]


def _finding(source: str, month: date, written: Sequence[Written]) -> Finding:
    costs = [one for one in written if DAILY_COSTS in one.month.files]
    if not costs:
        names = ", ".join(sorted({one.writer for one in written}))
        reason = f"{names} pushes no {DAILY_COSTS}; the writer's `what` names it"
        return Finding(source, month, Status.WAITING, reason=reason)
    if overlap := overlap_of(costs):
        return Finding(source, month, Status.FAILED, reason=overlap)
    objects = [
        StoredObject(f"{one.folder}{file.path}", file.sha256, file.bytes, one.month.pushed_at)
        for one in costs
        for file in one.month.files[DAILY_COSTS]
        if file.rows
    ]
    announced: dict[str, Decimal] = {}
    for one in costs:
        for total in one.month.totals[DAILY_COSTS]:
            announced[total.currency] = EXACT.add(announced.get(total.currency, Decimal(0)), total.amounts["billed_cost"])
    is_parquet = all(found.key.endswith(".parquet") for found in objects)
    delivery = Delivery(
        source=source,
        table=TABLE,
        objects=tuple(sorted(objects)),
        delivery_id=_id_of([one.month.id for one in costs]),
        delivered_at=max(one.month.pushed_at for one in costs),
        report_name="lakehouse_costs",
        billing_period=month,
        file_format=FileFormat.PARQUET if is_parquet else FileFormat.CSV,
        announced=announced,
    )
    return Finding(source, month, Status.NEW, delivery)


def _id_of(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else hashlib.sha256(" ".join(sorted(ids)).encode()).hexdigest()[:32]


def overlap_of(written: Sequence[Written]) -> str:
    """Which accounts two of them have both, for people; "" where each has its own."""
    for one, other in combinations(written, 2):
        both = sorted({*one.month.accounts}.intersection(other.month.accounts))
        if both:
            payer, accounts = both[0][0], sorted({account for _, account in both})
            more = f" and {len(accounts) - _NAMED} more" if len(accounts) > _NAMED else ""
            return (
                f"{one.writer} ({one.month.label}) and {other.writer} ({other.month.label}) both have costs of payer {payer}, "
                f"account {', '.join(accounts[:_NAMED])}{more}: they would be added up twice. Let one of them stop"
            )
    return ""
