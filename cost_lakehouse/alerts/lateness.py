"""Whether a source's deliveries have stopped coming, judged by its own rhythm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cost_lakehouse.config.alerts import LatenessSettings
from cost_lakehouse.sources.registry import KINDS

# The newest pauses tell the rhythm; older ones may be of another report, or of months that were loaded in one go.
PAUSES = 30
FEWEST_PAUSES = 5
# Of the pauses, this part is usual; the longest few are what lateness looks like.
USUAL_PART = 0.9
# A rhythm slower than this is none: a month without a bill is told of, whatever came before.
LONGEST_HOURS = 24.0 * 14


@dataclass(frozen=True)
class Arrival:
    """One delivery: when the provider wrote it, and when it was first looked at here (UTC, aware)."""

    delivered_at: datetime
    loaded_at: datetime


@dataclass(frozen=True)
class Punctuality:
    """How a source stands: since when it is waited for, how long that may take, and its usual pause where it has one."""

    last: datetime | None
    waiting_since: datetime
    allowed: timedelta
    usual: timedelta | None

    def late_by(self, now: datetime) -> timedelta | None:
        """How long the last delivery is past what is allowed; None where it is not."""
        over = now - self.waiting_since - self.allowed
        return over if over > timedelta(0) else None


def punctuality(
    history: Sequence[Arrival], configured_since: datetime, name: str, kind: str, settings: LatenessSettings
) -> Punctuality | None:
    """How a source stands that delivered like this, in any order; None where it is never late.

    The usual pause is the one that 9 of 10 of its newest pauses do not exceed; ``factor`` times that is allowed. Until
    there are enough pauses, and never less, what its provider promises counts.
    """
    last = max((arrival.delivered_at for arrival in history), default=None)
    usual = usual_pause(history)
    if name in settings.sources:
        own = settings.sources[name]
        return None if own is None else Punctuality(last, last or configured_since, timedelta(hours=own), usual)
    if last is None:
        return Punctuality(None, configured_since, timedelta(hours=settings.first_delivery_hours), None)
    least = settings.minimum_hours or KINDS[kind].late_after_hours
    hours = settings.factor * usual.total_seconds() / 3600 if usual else 0.0
    return Punctuality(last, last, timedelta(hours=max(least, min(hours, LONGEST_HOURS))), usual)


def writers_punctuality(
    pushes: Mapping[str, Sequence[tuple[datetime, datetime]]],
    configured_since: datetime,
    source: str,
    kind: str,
    settings: LatenessSettings,
) -> dict[str, Punctuality]:
    """How each writer stands whose pushes (when pushed, when loaded) one source has loaded; who is never late is left out."""
    found: dict[str, Punctuality] = {}
    for writer, moments in pushes.items():
        history = [Arrival(pushed, loaded) for pushed, loaded in moments]
        standing = punctuality(history, configured_since, f"{source}/{writer}", kind, settings)
        if standing is not None:
            found[writer] = standing
    return found


def usual_pause(history: Sequence[Arrival]) -> timedelta | None:
    """The pause that 9 of 10 of the newest ones do not exceed; None where there are too few to tell.

    Only what arrived while it was watched counts: of the time before the first load, the lake knows one delivery a month.
    """
    if not history:
        return None
    watched_since = min(arrival.loaded_at for arrival in history)
    moments = sorted({arrival.delivered_at for arrival in history})
    before = [moment for moment in moments if moment < watched_since][-1:]
    seen = before + [moment for moment in moments if moment >= watched_since]
    pauses = sorted(later - sooner for sooner, later in pairwise(seen[-PAUSES - 1 :]))
    return pauses[math.ceil(USUAL_PART * len(pauses)) - 1] if len(pauses) >= FEWEST_PAUSES else None


def duration_text(pause: timedelta) -> str:
    """A length of time for people: ``2 days 3 hours``."""
    minutes = round(pause.total_seconds() / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "day"), (hours, "hour")] if days else [(hours, "hour"), (minutes, "minute")]
    said = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in parts if count]
    return " ".join(said) or "no time"
