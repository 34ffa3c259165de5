"""Days without rows where the weeks before say that there should be some: of an account's service, or of a whole source.

A source that delivers and brings nothing has gaps; one that does not deliver has none, and is late (``alerts/lateness.py``):
only days that the newest delivery should have brought whole are looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

HISTORY_DAYS = 28
FEWEST_DAYS = 14  # of history that a judgement takes
USUAL_PART = 0.7  # of the history's days: what runs on working days alone is usual too
SETTLING_DAYS = 2
"""How many days after its end a day's rows may still be coming."""

Key = tuple[str, str]
"""An account and a service; '' where a row names none."""


@dataclass(frozen=True)
class Gap:
    """Days, from ``first`` to ``last``, without rows. ``key`` is None where the whole source had none.

    ``usual_days`` of the ``history_days`` before had rows.
    """

    key: Key | None
    first: date
    last: date
    usual_days: int
    history_days: int

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1


def gaps_of(days: Mapping[Key, Collection[date]], month: date, settled_before: date) -> list[Gap]:
    """The gaps of a source in the days of ``month`` (its first) before ``settled_before``: the source's own, then by key. Pure.

    ``days`` has the days with rows of each account and service, of that month and the weeks before. A gap is longer than any
    pause in the history before it: what comes now and then is not missed. Days on which the source had no rows at all are a
    gap of its own. What stays away for good is told in the month in which it stopped.
    """
    end = min(settled_before, (month + timedelta(days=32)).replace(day=1))
    every = {day for of_key in days.values() for day in of_key}
    if not every:
        return []
    window = [month + timedelta(days=number) for number in range((end - month).days)]
    own = _gaps(None, every, window, _days_since(min(every), end))
    silent = {day for day in window if day not in every}
    watched = sorted(every)
    found = [
        gap
        for key, of_key in sorted(days.items())
        if len(of_key) >= FEWEST_DAYS * USUAL_PART
        for gap in _gaps(key, set(of_key), [day for day in window if day not in silent], watched)
    ]
    return own + found


def _gaps(key: Key | None, present: Collection[date], window: Sequence[date], watched: Sequence[date]) -> list[Gap]:
    """Runs of days of ``window`` that are not ``present``, each judged by the days of ``watched`` before it."""
    found: list[Gap] = []
    run: list[date] = []
    for day in [*window, None]:
        if day is not None and day not in present:
            run.append(day)
            continue
        if run:
            gap = _judged(key, present, run, watched)
            found += [gap] if gap else []
        run = []
    return found


def _judged(key: Key | None, present: Collection[date], run: Sequence[date], watched: Sequence[date]) -> Gap | None:
    since = run[0] - timedelta(days=HISTORY_DAYS)
    history = [day for day in watched if since <= day < run[0]]
    usual = [day in present for day in history]
    if len(history) < FEWEST_DAYS or sum(usual) < USUAL_PART * len(history):
        return None
    longest = pause = 0
    for is_there in usual:
        pause = 0 if is_there else pause + 1
        longest = max(longest, pause)
    if len(run) <= longest or pause:
        return None  # as long a pause is nothing new, or it had begun before
    return Gap(key, run[0], run[-1], sum(usual), len(history))


def _days_since(first: date, end: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((end - first).days)]
