"""What sensors, schedule and command decide: plain functions of what was seen, free of Dagster, quick to test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cost_lakehouse.loading.plan import Planned, month_text
from cost_lakehouse.sources.delivery import Delivery, Status

FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=12)
_RETRY_GROWTH = 3
_TOLD_PER_SOURCE = 5


@dataclass(frozen=True)
class Attempt:
    """Whether a delivery is to be requested now: ``number`` counts from 1; ``wait`` says why not, if not."""

    number: int
    wait: str = ""


def partition_key(month: date) -> str:
    """A month as the key of its Dagster partition: ``YYYY-MM-01``."""
    return month.strftime("%Y-%m-01")


def next_month(month: date) -> date:
    """The first of the month after ``month``."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_between(first: date, last: date) -> list[date]:
    """Every first of a month from ``first`` to ``last``, both included."""
    months: list[date] = []
    month = first.replace(day=1)
    while month <= last:
        months.append(month)
        month = next_month(month)
    return months


def delivery_key(source: str, month: str, delivery_id: str, fingerprint: str) -> str:
    """What makes a delivery a different one: its id, or files replaced in place under the same id (the fingerprint)."""
    return f"{source}|{month}|{delivery_id}|{fingerprint[:12]}"


def delivery_key_of(delivery: Delivery) -> str:
    """The key of a delivery that was found."""
    return delivery_key(delivery.source, subject_of(delivery), delivery.delivery_id, delivery.fingerprint)


def subject_of(delivery: Delivery) -> str:
    """A delivery's month as ``YYYY-MM``, or its kind of report where its months are not known."""
    return month_text(delivery.billing_period) if delivery.billing_period else delivery.report_name


def months_of(delivery: Delivery, today: date, first: date) -> tuple[date, date]:
    """The first and last month that a delivery's rows may belong to: its own, where it says one.

    Else that of its oldest file and the one before, up to this month: for people only, in the run's list of partitions, since
    where rows belong, their usage says.
    """
    if delivery.billing_period is not None:
        return delivery.billing_period, delivery.billing_period
    last = today.replace(day=1)
    written = min(stored_object.last_modified for stored_object in delivery.objects).date().replace(day=1)
    before = (written - timedelta(days=1)).replace(day=1)
    return min(max(before, first), last), last


def attempt_for(ends: Sequence[datetime | None], now: datetime) -> Attempt:
    """The attempt to make now for work that is still to be done after earlier runs for it.

    ``ends`` says when each of those runs ended (UTC, aware), None where it goes on. A run key is remembered forever, so
    failed work is asked for again under the next attempt's number: five minutes after the first end, then three times
    as long each time, at most twelve hours. It never gives up, since what stays undone must stay visible.
    """
    ended = [end for end in ends if end is not None]
    if len(ended) < len(ends):
        return Attempt(len(ends), "a run is under way")
    number = len(ended) + 1
    if not ended:
        return Attempt(number)
    due = max(ended) + retry_delay(len(ended))
    if due > now:
        times = "once" if len(ended) == 1 else f"{len(ended)} times"
        return Attempt(number, f"failed {times}, next attempt at {due:%Y-%m-%d %H:%M} UTC")
    return Attempt(number)


def retry_delay(failures: int) -> timedelta:
    """How long to wait after that many failures."""
    steps = min(failures - 1, 10)
    growth: int = _RETRY_GROWTH**steps
    return min(FIRST_RETRY * growth, LONGEST_RETRY)


def resume_order(names: Sequence[str], resume_at: str) -> list[str]:
    """The names in a circle that begins at ``resume_at``; from the start where that name is gone."""
    if resume_at not in names:
        return list(names)
    start = list(names).index(resume_at)
    return [*names[start:], *names[:start]]


def next_offset(names: Sequence[str], done: int) -> str:
    """Where the next tick resumes, given the ``done`` first of ``names`` (in this tick's order) were looked at.

    Empty when all of them were: the next tick begins at the start.
    """
    return names[done] if done < len(names) else ""


def stale_digest(stale: Iterable[tuple[str, date, str]]) -> str:
    """A short digest of (source, billing period, delivery id): the same work has the same digest."""
    text = "\n".join(f"{source}|{month.isoformat()}|{delivery_id}" for source, month, delivery_id in sorted(stale))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def month_range(months: Iterable[date]) -> tuple[str, str]:
    """The partition keys of the first and the last of some months."""
    ordered = sorted(months)
    return partition_key(ordered[0]), partition_key(ordered[-1])


def seen_text(planned: Sequence[Planned]) -> str:
    """One short line a source that says what a tick saw there, for a skip reason: what is up to date is only counted."""
    by_source: Mapping[str, list[Planned]] = {candidate.source: [] for candidate in planned}
    for candidate in planned:
        by_source[candidate.source].append(candidate)
    lines = []
    for source, found in by_source.items():
        # A refusal is told by its run, its check and its alert; a tick that repeats it every few minutes would fill the log.
        told = [one for one in found if one.status not in (Status.CURRENT, Status.EARLY)]
        parts = [
            f"{one.subject or 'nothing'} {one.status}"
            + (f" ({one.reason})" if one.reason and one.status is not Status.REFUSED else "")
            for one in told[:_TOLD_PER_SOURCE]
        ]
        if len(told) > _TOLD_PER_SOURCE:
            parts.append(f"{len(told) - _TOLD_PER_SOURCE} more")
        if len(found) > len(told):
            parts.append(f"{len(found) - len(told)} up to date")
        lines.append(f"{source}: {'; '.join(parts)}")
    return "\n".join(lines)
