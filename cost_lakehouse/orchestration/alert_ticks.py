"""Sensors and schedules that fail again and again: what should look for work does not, and no run tells of it."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from cost_lakehouse.alerts.incidents import Kind, Recovery, Trouble
from cost_lakehouse.orchestration.dagster_internals import InstigatorStatus, TickStatus

# One tick that fails is not worth a message: the next one may find the store, or the network, well again.
TICKS = 3
_ENDED = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]


def seen_in_ticks(instance: dg.DagsterInstance, own: str, now: datetime) -> list[Trouble | Recovery]:
    """A trouble for each sensor and schedule whose last ticks all failed, a recovery for each other; not for ``own``."""
    seen: list[Trouble | Recovery] = []
    for state in instance.all_instigator_state():
        name = state.origin.instigator_name
        if name == own:
            continue
        if state.status is InstigatorStatus.STOPPED:
            seen.append(Recovery(Kind.TICK, name, now, "It is switched off."))
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=TICKS, statuses=_ENDED)
        if ticks and ticks[0].status is not TickStatus.FAILURE:
            seen.append(Recovery(Kind.TICK, name, now, "Its last tick went well."))
        elif len(ticks) == TICKS and all(tick.status is TickStatus.FAILURE for tick in ticks):
            error = ticks[0].error
            while error is not None and error.cause is not None:
                error = error.cause
            seen.append(
                Trouble(
                    kind=Kind.TICK,
                    what=name,
                    at=now,
                    problem=error.message.strip() if error else "Its ticks fail.",
                    fix="Its ticks in the Dagster UI show where it fails; until it is well, what it starts does not start.",
                    since=datetime.fromtimestamp(ticks[-1].timestamp, UTC),
                )
            )
    return seen
