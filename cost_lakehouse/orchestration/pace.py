"""How often each source is polled: often enough for few of them, and never more than so many requests for many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cost_lakehouse.config import Settings
from cost_lakehouse.sources.registry import kind_of

AT_EVERY_TICK = 8
"""So many sources may be polled at every tick; of more, each has to wait the longer: what polling costs stays bounded."""


def pauses(settings: Settings, interval: float) -> dict[str, float]:
    """The seconds that lie between two polls of each source that is not paused; 0 where it is polled at every tick. Pure."""
    sources = [source for source in settings.sources if not source.paused]
    shared = interval * len(sources) / AT_EVERY_TICK if len(sources) > AT_EVERY_TICK else 0.0
    return {source.name: max(shared, kind_of(source).pause_seconds) for source in sources}


class Pace:
    """Remembers when each source was polled last. Times are of ``clock``, in seconds."""

    def __init__(self, pauses: Mapping[str, float], clock: Callable[[], float]) -> None:
        self._pauses = pauses
        self._clock = clock
        self._polled: dict[str, float] = {}

    def due(self, names: Sequence[str]) -> list[str]:
        """Those whose pause is over, in their order."""
        now = self._clock()
        return [name for name in names if name not in self._polled or now - self._polled[name] >= self._pauses.get(name, 0.0)]

    def note(self, name: str) -> None:
        """A source was polled just now."""
        self._polled[name] = self._clock()
