"""How every source and every month of a bill stands: what the lake holds, what was refused since, what went wrong last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt
from cost_lakehouse.config import Settings
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.formats.table_format import FORMATS, OCI_USAGE
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slice_totals import CurrencyTotal, totals_by_delivery, totals_by_load
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading.holdings import Holdings, holdings
from cost_lakehouse.loading.last_polls import LastPoll
from cost_lakehouse.summaries.closings import closed_months, closings
from cost_lakehouse.summaries.stale import stale_slices

# Of a source whose files add up: the table whose numbers stand for a month, the first of these that has any.
_STAND_FOR_A_MONTH = ("raw.oci_cost", "raw.focus", "raw.oci_usage")


@dataclass(frozen=True)
class SliceStatus:
    """How one (source, month) stands.

    ``held`` are the receipts of what the lake holds: one, or of a bill that adds up one a load, oldest first. ``refused`` is
    that of a later delivery which was refused. ``totals`` are the cost that the lake holds; ``others`` the rows of other
    kinds of report. ``closed``: what comes later waits until it is accepted.
    """

    slice_: Slice
    held: tuple[Receipt, ...]
    refused: Receipt | None
    totals: dict[str, Decimal]
    summarized: bool
    others: dict[str, int] = field(default_factory=dict)
    closed: bool = False

    @property
    def shown(self) -> Receipt:
        """The newest receipt of what is held, else the refused one."""
        return self.held[-1] if self.held or self.refused is None else self.refused

    @property
    def newest(self) -> Receipt:
        """The receipt of what was tried last."""
        return self.refused or self.held[-1]

    @property
    def state(self) -> str:
        """``refused`` where the newest try was refused, even though an older delivery is still held; else ``accepted``."""
        return REFUSED if self.refused else ACCEPTED

    def sum(self, number: Literal["files", "rows", "bytes"]) -> int:
        """The files, rows or bytes of all that is held."""
        return sum(getattr(item, number) for item in self.held)


def statuses(lake: Lake) -> list[SliceStatus]:
    """How every (source, month) stands that was ever tried, sorted."""
    known = holdings(lake)
    stale = {stale_slice.slice for stale_slice in stale_slices(lake)}
    closed = closed_months(closings(lake))
    found = [*_of_whole_months(lake, known, stale), *_of_sums(lake, known, stale)]
    return sorted((replace(one, closed=one.slice_ in closed) for one in found), key=lambda one: one.slice_)


def _of_whole_months(lake: Lake, known: Holdings, stale: set[Slice]) -> Iterator[SliceStatus]:
    totals = totals_by_delivery(lake)
    for (source, table), loads in known.loads.items():
        if FORMATS[table].adds_up:
            continue
        tried = {receipt.billing_period for receipt in (*loads.committed, *loads.refused)}
        for month in sorted(tried):
            slice_, held = Slice(source, month), loads.newest.get(month)
            refused = next(iter(reversed(loads.refused_of(month))), None)
            if held and refused and held.loaded_at >= refused.loaded_at:
                refused = None
            by_currency = totals.get((slice_, held.delivery_id), {}) if held else {}
            amounts = {currency: total.stored for currency, total in by_currency.items()}
            yield SliceStatus(slice_, (held,) if held else (), refused, amounts, held is not None and slice_ not in stale)


def _of_sums(lake: Lake, known: Holdings, stale: set[Slice]) -> Iterator[SliceStatus]:
    adding = {key: loads for key, loads in known.loads.items() if FORMATS[key[1]].adds_up}
    by_table = {table: totals_by_load(lake, FORMATS[table].cost, table) for table in {table for _, table in adding}}
    for source in dict.fromkeys(source for source, _ in adding):
        own = {table: known.of(source, table) for table in _STAND_FOR_A_MONTH}
        tried = {refusal.billing_period for history in own.values() for refusal in (*history.committed, *history.refusals)}
        for month in sorted(tried):
            slice_ = Slice(source, month)
            receipts = {table: tuple(item.of_month(month)) for table, item in own.items()}
            table = next((table for table in _STAND_FOR_A_MONTH if receipts[table]), _STAND_FOR_A_MONTH[0])
            refusals = [refusal for history in own.values() for refusal in history.refusals if refusal.billing_period == month]
            held = receipts[table]
            yield SliceStatus(
                slice_,
                held,
                max(refusals, key=lambda one: one.loaded_at) if refusals else None,
                _amounts(by_table.get(table, {}), slice_, held) if FORMATS[table].cost.endswith("cost") else {},
                bool(held) and table != OCI_USAGE.table and slice_ not in stale,
                {
                    other.removeprefix("raw."): sum(receipt.rows for receipt in receipts[other])
                    for other in _STAND_FOR_A_MONTH
                    if other != table and receipts[other]
                },
            )


def _amounts(
    by_load: Mapping[tuple[Slice, str], Mapping[str, CurrencyTotal]], slice_: Slice, held: Sequence[Receipt]
) -> dict[str, Decimal]:
    """What all loads of a month come to. Lines without a currency cost nothing as a rule: then there is nothing to show."""
    amounts: dict[str, Decimal] = {}
    for receipt in held:
        for currency, total in by_load.get((slice_, receipt.load_id), {}).items():
            amounts[currency] = EXACT.add(amounts.get(currency, Decimal(0)), total.stored)
    return {currency: amount for currency, amount in amounts.items() if currency or amount}


@dataclass(frozen=True)
class SourceStatus:
    """How one configured source does. ``state`` is active, paused, waiting (nothing was delivered yet) or failing."""

    source: str
    kind: str
    state: str
    looked_at: datetime | None
    newest_delivery: datetime | None
    problem: str
    silent_writers: Mapping[str, datetime] = field(default_factory=dict)  # of many who push: who is late, and last push


def source_statuses(settings: Settings, looks: Mapping[str, LastPoll], found: Sequence[SliceStatus]) -> list[SourceStatus]:
    """How every configured source does, in the file's order. Pure.

    It fails where the last look at it did, or where what was tried last was refused.
    """
    statuses: list[SourceStatus] = []
    for source in settings.sources:
        own = [slice_status for slice_status in found if slice_status.slice_.source == source.name]
        look = looks.get(source.name)
        last = max((entry.newest for entry in own), key=lambda receipt: receipt.loaded_at, default=None)
        problem = look.problem if look else ""
        if not problem and last is not None and last.state == REFUSED:
            problem = last.reason
        if source.paused:
            state = "paused"
        elif problem:
            state = "failing"
        elif any(entry.held for entry in own) or (look and look.newest):
            state = "active"
        else:
            state, problem = "waiting", look.waits if look else ""
        delivered = [entry.newest.delivered_at for entry in own] + ([look.newest] if look and look.newest else [])
        statuses.append(
            SourceStatus(source.name, source.kind, state, look.at if look else None, max(delivered, default=None), problem)
        )
    return statuses
