"""Shares the lake's published bills out: a month at a time, proved against the bill before anything is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cost_lakehouse.allocation.allocate import Allocated, Amounts, Line, Place, Weights, allocate
from cost_lakehouse.allocation.metrics import metric_of
from cost_lakehouse.allocation.rules import RuleSet
from cost_lakehouse.ask.lines import Bill, Key, bill_of, distinct_rows
from cost_lakehouse.config.allocations import AllocationSettings, VersionSettings, read_allocations
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from cost_lakehouse.lake.tables import ALLOCATED_COST_COLUMNS, ALLOCATED_COSTS
from cost_lakehouse.summaries.closings import closed_months, closings

_OWN = ("provider", "account", "service", "region")
_LOCK_WAIT_SECONDS = 600.0


@dataclass(frozen=True)
class Shared:
    """A month's bill, shared out by one version of the rules. ``rules_id`` stands for these rules and their metrics."""

    slice: Slice
    delivery_id: str | None
    rules_id: str
    valid_from: date
    rows: tuple[Allocated, ...]
    totals: Mapping[Key, tuple[Decimal, Decimal, int]]

    @property
    def by_team(self) -> dict[tuple[str, str | None], Amounts]:
        """What each team bears, by currency."""
        found: dict[tuple[str, str | None], Amounts] = {}
        for row in self.rows:
            key = (row.team, row.place.currency_code)
            found[key] = found.get(key, Amounts()).plus(row.amounts)
        return found


def rules_in_use(lake: Lake) -> AllocationSettings | None:
    """The rules that ``lakehouse.yaml`` names; None where it names none. Raises ConfigurationError where they are wrong."""
    named = lake.settings.allocations
    return None if named is None else read_allocations(lake.settings.path(named))


def published_bills(lake: Lake) -> dict[Slice, str]:
    """Every published month that has rows, with its delivery. Raises LakeError."""
    rows = distinct_rows(lake, "daily_costs", ("source", "billing_period", "delivery_id"))
    return {Slice(source, month): delivery for source, month, delivery in rows}


def share_out(lake: Lake, slice_: Slice, file: AllocationSettings, version: VersionSettings) -> Shared:
    """A month by one version of the rules; nothing is written.

    Raises ConfigurationError where the rules are wrong; LakeError where the parts do not add up to the bill.
    """
    rules = RuleSet(file, version)
    metrics = _metrics(file, version, slice_.billing_period)
    names = tuple(dict.fromkeys((*_OWN, *rules.dimensions)))
    bill = bill_of(lake, slice_, names)
    rows = tuple(allocate(_lines(bill, names), rules, metrics))
    _prove(slice_, rows, bill.totals)
    return Shared(slice_, bill.delivery_id, _rules_id(file, version, metrics), version.valid_from, rows, bill.totals)


def write(lake: Lake, shared: Sequence[Shared]) -> None:
    """Make these the months' rows of ``marts.allocated_costs``, in one commit. Raises LakeError."""
    if shared:
        replace_rows(lake, ALLOCATED_COSTS, ALLOCATED_COST_COLUMNS, {one.slice: rows_of(one) for one in shared})


def refresh(lake: Lake, again: Collection[Slice] = ()) -> list[Shared]:
    """Share out what is published and not shared out yet, by the rules of its month, and ``again`` too; what was written.

    A month is done anew where its delivery is another one, or the rules of its month are (not where it is closed). Nothing
    without rules. Raises as ``share_out``.
    """
    file = rules_in_use(lake)
    if file is None:
        return []
    with lake.lock("publish", "Sharing costs out", _LOCK_WAIT_SECONDS):
        bills, held = published_bills(lake), _held(lake)
        closed = closed_months(closings(lake))
        done: list[Shared] = []
        for slice_, delivery in sorted(bills.items()):
            version = file.version_of(slice_.billing_period)
            known = held.pop(slice_, None)
            if slice_ in again or _is_stale(file, slice_, delivery, known, slice_ in closed):
                done.append(share_out(lake, slice_, file, version))
        gone: dict[Slice, list[dict[str, Any]]] = {slice_: [] for slice_ in held}  # a month whose bill has no rows any more
        if gone:
            replace_rows(lake, ALLOCATED_COSTS, ALLOCATED_COST_COLUMNS, gone)
        write(lake, done)
    return done


def rows_of(shared: Shared) -> list[dict[str, Any]]:
    """The rows of ``marts.allocated_costs``. Pure."""
    found = []
    for row in shared.rows:
        place = row.place
        grain = {
            "source": shared.slice.source,
            "provider": place.provider,
            "billing_period": shared.slice.billing_period,
            "usage_date": place.usage_date,
            "account_id": place.account_id,
            "service": place.service,
            "region": place.region,
            "currency_code": place.currency_code,
            "team": row.team,
            "product": row.product,
            "rule": row.rule,
        }
        found.append(
            {
                "allocated_costs_id": _digest({name: None if value is None else str(value) for name, value in grain.items()}),
                **grain,
                "delivery_id": shared.delivery_id,
                "share": row.share,
                "billed_cost": row.amounts.billed_cost,
                "effective_cost": row.amounts.effective_cost,
                "line_item_count": row.amounts.line_item_count,
                "rules_valid_from": shared.valid_from,
                "rules_id": shared.rules_id,
            }
        )
    return found


def _is_stale(file: AllocationSettings, slice_: Slice, delivery: str, known: tuple[str, str] | None, is_closed: bool) -> bool:
    """``known`` is the delivery and the rules that the month was shared out with."""
    if known is None or known[0] != delivery:
        return True
    month = slice_.billing_period
    # A month that was shared out by the rules of now stays so.
    wanted = {
        _rules_id(file, version, _metrics(file, version, month)) for version in (file.version_of(month), file.versions[-1])
    }
    return not is_closed and known[1] not in wanted


def _held(lake: Lake) -> dict[Slice, tuple[str, str]]:
    rows = distinct_rows(lake, "allocated_costs", ("source", "billing_period", "delivery_id", "rules_id"))
    return {Slice(source, month): (delivery, rules) for source, month, delivery, rules in rows}


def _lines(bill: Bill, names: Sequence[str]) -> list[Line]:
    found = []
    for line in bill.lines:
        values = dict(zip(names, line.values, strict=True))
        provider, account, service, region = (values[name] for name in _OWN)
        place = Place(line.usage_date, provider or "", account, service, region, line.currency_code)
        found.append(Line(place, values, Amounts(line.billed_cost, line.effective_cost, line.line_item_count)))
    return found


def _prove(slice_: Slice, rows: Sequence[Allocated], totals: Mapping[Key, tuple[Decimal, Decimal, int]]) -> None:
    """Raises LakeError where the parts of a day and currency do not come to what ``daily_costs`` says."""
    found: dict[Key, Amounts] = {}
    for row in rows:
        key = (row.place.usage_date, row.place.currency_code)
        found[key] = found.get(key, Amounts()).plus(row.amounts)
    for key in sorted({*found, *totals}, key=str):
        amounts = found.get(key, Amounts())
        wanted = Amounts(*totals.get(key, (Decimal(0), Decimal(0), 0)))
        if amounts != wanted:
            raise LakeError(
                f"{slice_}, {key[0]} {key[1] or ''}: {amounts.billed_cost} billed and {amounts.effective_cost} effective are "
                f"shared out, and the bill says {wanted.billed_cost} and {wanted.effective_cost}.",
                "Nothing was written. Build the month again (`cost-lakehouse run --force`); please report it if it stays.",
            )


def _metrics(file: AllocationSettings, version: VersionSettings, month: date) -> dict[str, Weights]:
    names = {rule.split.metric for rule in version.rules if rule.split is not None and rule.split.metric is not None}
    return {name: metric_of(file.base / name, month) for name in sorted(names)}


def _rules_id(file: AllocationSettings, version: VersionSettings, metrics: Mapping[str, Weights]) -> str:
    values = {name: {team: str(value) for team, value in sorted(weights.items())} for name, weights in metrics.items()}
    labels = {name: label.model_dump(mode="json") for name, label in sorted(file.labels.items())}
    return _digest({"labels": labels, "version": version.model_dump(mode="json"), "metrics": values})


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def needed(file: AllocationSettings | None) -> AllocationSettings:
    """The rules, where there are any. Raises ConfigurationError."""
    if file is None:
        raise ConfigurationError(
            "lakehouse.yaml names no rules to share costs out by.",
            "Write `allocations: allocations.yaml`, and the rules into that file: docs/allocation.md.",
        )
    return file
