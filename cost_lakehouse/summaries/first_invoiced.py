"""Which months a build says are invoiced that were not before: what publication labels, and maintenance keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from cost_lakehouse.lake.slices import Slice

_HISTORY = "intermediate.int_costs__bill_history"


@dataclass(frozen=True)
class KnownLoad:
    """One load of a month: when (UTC without zone), whether its bill was invoiced, and whether the build is of it."""

    loaded_at: datetime
    is_invoiced: bool
    is_current: bool


def newly_invoiced(
    scratch: duckdb.DuckDBPyConnection, slices: Sequence[Slice], published: Mapping[Slice, Sequence[Mapping[str, Any]]]
) -> list[Slice]:
    """Of the months of a build those that are invoiced for the first time; ``published`` are their rows of ``bill_status``."""
    loads: dict[Slice, list[KnownLoad]] = {}
    for source, period, *load in scratch.execute(
        f"select distinct source, billing_period, loaded_at, is_invoiced, is_current from {_HISTORY}"
    ).fetchall():
        loads.setdefault(Slice(source, period), []).append(KnownLoad(*load))
    states: dict[Slice, str] = {}
    for source, period, state in scratch.execute(
        "select distinct source, billing_period, bill_state from marts.bill_status"
    ).fetchall():
        states[Slice(source, period)] = state
    return [
        slice_
        for slice_ in slices
        if is_newly_invoiced(states.get(slice_, "open"), loads.get(slice_, []), published.get(slice_, []))
    ]


def is_newly_invoiced(state: str, loads: Sequence[KnownLoad], published: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a month is invoiced as built, and was not as published, by this load or any before it. Pure.

    A refund makes a month ``corrected`` whether or not it was invoiced: there the loads tell.
    """
    current = any(load.is_current and load.is_invoiced for load in loads)
    if not (state == "invoiced" or (state == "corrected" and current)):
        return False
    if not published:
        return True
    until = published[0]["loaded_at"]
    earlier = any(load.is_invoiced and load.loaded_at <= until for load in loads)
    return published[0]["bill_state"] != "invoiced" and not earlier
