"""Which sources a tick polls, and how thoroughly: what is slow, fails or costs money is polled less often than the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.sources.registry import kind_of

FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 600.0
# A source that takes long to answer is asked for at most this part of the time.
_LARGEST_SHARE = 0.1


@dataclass
class _Polled:
    """What is known of a source's polls: times are the clock's."""

    next_at: float = 0.0
    full_at: float = 0.0
    failures: int = 0


class Pace:
    """Remembers how each source answered. Times are seconds of any clock that only goes forward.

    It lives as long as its process: after a restart every source is due at once, and is looked at whole.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, _Polled] = {}

    def due(self, names: Sequence[str], now: float) -> list[str]:
        """The names whose time has come, in their order."""
        return [name for name in names if name not in self._known or self._known[name].next_at <= now]

    def is_recent_enough(self, name: str, now: float) -> bool:
        """Whether the newest months of a source are enough now: all of them were looked at not long ago."""
        known = self._known.get(name)
        source = self._settings.source(name)
        return known is not None and kind_of(source).exported_by_aws and costs_requests(source) and now < known.full_at

    def note(self, name: str, now: float, took: float, failed: bool, whole: bool) -> None:
        """A poll that began at ``now`` took so many seconds; ``whole`` says that it looked at all months."""
        known = self._known.setdefault(name, _Polled())
        known.failures = known.failures + 1 if failed else 0
        polling = self._settings.polling
        if whole and not failed:
            known.full_at = now + polling.full_interval_seconds
        own = polling.full_interval_seconds if kind_of(self._settings.source(name)).is_queried else 0.0
        known.next_at = now + max(own, pause_after(known.failures), took / _LARGEST_SHARE if took > 1 else 0.0)


def pause_after(failures: int) -> float:
    """Seconds until a source is polled again after so many failures in a row: a minute, then twice as long each time."""
    if not failures:
        return 0.0
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE_SECONDS)


def costs_requests(source: SourceSettings) -> bool:
    """Whether each request is billed: AWS's own S3, not a folder or another store that speaks S3."""
    return source.is_s3 and not source.endpoint
