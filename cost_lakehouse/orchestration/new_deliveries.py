"""Turns what is delivered into run requests; the sensor and the polling schedule both ask here, so they never disagree."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.last_polls import plan_and_note
from cost_lakehouse.loading.plan import Planned, plan_recent
from cost_lakehouse.orchestration.constants import (
    ATTEMPT_TAG,
    DELIVERY_TAG,
    LOAD_JOB,
    MONTH_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    REPORT_TAG,
    SOURCE_TAG,
    TRIGGER_TAG,
    line_items_key,
    line_items_op,
)
from cost_lakehouse.orchestration.decisions import (
    attempt_for,
    delivery_key_of,
    months_of,
    next_offset,
    partition_key,
    resume_order,
    seen_text,
    subject_of,
)
from cost_lakehouse.orchestration.pace import Pace
from cost_lakehouse.orchestration.polls import Poll, Polls
from cost_lakehouse.orchestration.run_history import could_not_be_read, ends_of_runs
from cost_lakehouse.sources.delivery import Delivery, Status

SourcePolls = Polls[list[Planned]]


@dataclass
class Scan:
    """What one look at the sources gave."""

    requests: list[dg.RunRequest] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # what was seen, a line a source
    resume_at: str = ""  # the source to begin with next time; empty: all were looked at


def scan(
    settings: Settings,
    instance: dg.DagsterInstance,
    months: dg.MonthlyPartitionsDefinition,
    trigger: str,
    resume_at: str,
    out_of_time: Callable[[], bool],
    log: logging.Logger,
    polls: SourcePolls,
    pace: Pace | None = None,
    now: float = 0.0,
) -> Scan:
    """Poll every source that is not paused, several at a time, beginning with ``resume_at``, until ``out_of_time``.

    A source that cannot be listed is told and passed over, and one that does not answer is left to a later round; neither keeps
    the others from being looked at. With a ``pace``, only those that are due at ``now`` (its clock's) are looked at, as many as
    one tick may. Raises LakeError where the lake cannot be read.
    """
    held = holdings(Lake(settings))
    names = resume_order([entry.name for entry in settings.sources if not entry.paused], resume_at)
    if pace is not None:
        names = pace.due(names, now)
    recent = {name for name in names if pace is not None and pace.is_recent_enough(name, now)}
    today = datetime.now(UTC).date()

    def look_up(name: str) -> list[Planned]:
        if name in recent:
            return plan_recent(settings, settings.source(name), held, today)
        return plan_and_note(settings, settings.source(name), held)

    seen: dict[str, Scan] = {}
    chosen = names if pace is None else names[: settings.polling.sources_per_tick]
    for look in polls.take(chosen, look_up, out_of_time):
        if pace is not None:
            pace.note(look.name, now, look.took, look.late or look.error is not None, look.name not in recent)
        seen[look.name] = found = Scan()
        if look.late:
            found.lines.append(f"{look.name}: {_late(look)}")
            log.warning(found.lines[-1])
        elif isinstance(look.error, CostLakehouseError):
            found.lines.append(f"{look.name}: {look.error}")
            log.warning(found.lines[-1])
        elif look.error is not None:
            found.lines.append(f"{look.name}: {type(look.error).__name__}: {look.error}")
            log.error(f"{look.name}: looking for deliveries failed", exc_info=look.error)
        else:
            # Seen by an earlier round, it may be loaded by now: its run finds that out, and does nothing.
            found.requests += requests_for(look.value or [], instance, months, trigger, found.lines)
            if not found.lines:
                found.lines.append(f"{look.name}: nothing in {'its newest months' if look.name in recent else 'it'} yet")
    in_order = [seen[name] for name in chosen if name in seen]
    return Scan(
        requests=[request for item in in_order for request in item.requests],
        lines=[line for item in in_order for line in item.lines],
        resume_at=next_offset(names, polls.begun),
    )


def _late(look: Poll[list[Planned]]) -> str:
    seconds = time.monotonic() - look.began
    since = f" for {seconds:.0f} seconds" if seconds >= 1 else ""
    return f"it does not answer{since}; what it says later is used by the next look"


def requests_for(
    planned: Sequence[Planned],
    instance: dg.DagsterInstance,
    months: dg.MonthlyPartitionsDefinition,
    trigger: str,
    lines: list[str],
) -> list[dg.RunRequest]:
    """A run request for each delivery that is new, or could not be read before, and due; what was seen goes to ``lines``.

    A delivery that was read and refused for its numbers is not asked for again: only a manual run tries it.
    """
    lines.extend([seen_text(planned)] if planned else [])
    requests = []
    for candidate in planned:
        delivery = candidate.delivery
        if delivery is None or candidate.status not in (Status.NEW, Status.REFUSED):
            continue
        key = delivery_key_of(delivery)
        if candidate.status is Status.REFUSED and not (candidate.may_pass or could_not_be_read(instance, key)):
            continue
        if delivery.billing_period and not months.has_partition_key(partition_key(delivery.billing_period)):
            lines.append(f"{candidate.label}: this month has not begun")
            continue
        attempt = attempt_for(ends_of_runs(instance, DELIVERY_TAG, key), datetime.now(UTC))
        if attempt.wait:
            lines.append(f"{candidate.label}: {attempt.wait}")
            continue
        requests.append(request_for(delivery, attempt.number, trigger, months, candidate.status is Status.REFUSED))
    return requests


def request_for(
    delivery: Delivery, attempt: int, trigger: str, months: dg.MonthlyPartitionsDefinition, refused: bool = False
) -> dg.RunRequest:
    """The request to load one delivery: its run key lets Dagster start each attempt once only."""
    return dg.RunRequest(
        run_key=f"{delivery_key_of(delivery)}|{attempt}",
        job_name=LOAD_JOB,
        partition_key=partition_of(delivery),
        asset_selection=[line_items_key(delivery.source)],
        tags=load_tags(delivery, attempt, trigger, months),
        run_config={"ops": {line_items_op(delivery.source): {"config": load_config(delivery, refused)}}},
    )


def partition_of(delivery: Delivery) -> str | None:
    """The partition that a delivery's run is of; None where a run loads what is new, whatever months it belongs to."""
    month = delivery.billing_period
    return None if month is None or FORMATS[delivery.table].adds_up else partition_key(month)


def load_config(delivery: Delivery, refused: bool, force: bool = False) -> dict[str, object]:
    """What a run is told that loads a delivery; of a kind of report, what is new, or what was refused before."""
    if partition_of(delivery):
        return {"force": force}
    return {"force": force, "table": delivery.table, "refused": refused}


def load_tags(delivery: Delivery, attempt: int, trigger: str, months: dg.MonthlyPartitionsDefinition) -> dict[str, str]:
    """The tags of a run that loads one delivery. Where it does not say its month, its months are a guess: its rows say them."""
    tags = {
        SOURCE_TAG: delivery.source,
        DELIVERY_TAG: delivery_key_of(delivery),
        ATTEMPT_TAG: str(attempt),
        TRIGGER_TAG: trigger,
    }
    if partition_of(delivery):
        return tags | {MONTH_TAG: subject_of(delivery)}
    first, last = months_of(delivery, datetime.now(UTC).date(), months.start.date())
    return tags | {REPORT_TAG: delivery.report_name, RANGE_START_TAG: partition_key(first), RANGE_END_TAG: partition_key(last)}
