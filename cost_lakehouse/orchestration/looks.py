"""Looks at many sources at the same time, each for a bounded time: one that hangs keeps no other from being looked at."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

# A look mostly waits for the network.
LOOKS_AT_ONCE = 8
LOOK_SECONDS = 20.0
_POLL_SECONDS = 0.5

T = TypeVar("T")


@dataclass(eq=False)
class Look(Generic[T]):
    """One look at one source: ``value`` is what was seen, ``error`` why nothing was; neither while it is ``late``."""

    name: str
    value: T | None = None
    error: Exception | None = None
    late: bool = False
    began: float = field(default_factory=time.monotonic)
    ended: bool = False


class Looks(Generic[T]):
    """Takes looks, and remembers those that a round had no time for: a later round uses what they saw.

    Python cannot end a thread. Whoever asked AWS and gets no answer is left alone until its own time limit, in a thread that
    nothing waits for, and no second look at the same source begins meanwhile: so threads never pile up.
    """

    def __init__(self, at_once: int = LOOKS_AT_ONCE, seconds: float = LOOK_SECONDS) -> None:
        self._at_once = at_once
        self._seconds = seconds
        self._late: dict[str, Look[T]] = {}
        self.begun = 0

    def take(self, names: Sequence[str], look_at: Callable[[str], T], out_of_time: Callable[[], bool]) -> Iterator[Look[T]]:
        """A look at each name, in the order in which they end, until ``out_of_time``; ``begun`` counts those of this round.

        At least one is begun and waited for, however late it is: else a slow start would keep all of them from being seen.
        A look that takes more than its seconds is given back as ``late``, and its place goes to the next name.
        """
        self.begun = 0
        waiting = deque(names)
        running: list[Look[T]] = []
        ended: queue.SimpleQueue[Look[T]] = queue.SimpleQueue()
        over = given = False
        while running or (waiting and not over):
            while waiting and not over and len(running) < self._at_once:
                over = self.begun > 0 and out_of_time()
                if not over:
                    begun = self._begin(waiting.popleft(), look_at, ended)
                    self.begun += 1
                    if begun.late or begun.ended:
                        given = True
                        yield begun
                    else:
                        running.append(begun)
            for each in self._ended(ended, running, wait=not (over and given)):
                running.remove(each)
                given = True
                yield each
            over = over or (bool(running) and out_of_time())
            for each in [each for each in running if (over and given) or self._is_overdue(each)]:
                running.remove(each)
                self._late[each.name] = each
                given = True
                yield Look(each.name, late=True, began=each.began)

    def _begin(self, name: str, look_at: Callable[[str], T], ended: queue.SimpleQueue[Look[T]]) -> Look[T]:
        """A new look, or the one that an earlier round left: what it saw by now, or that it still goes on."""
        earlier = self._late.get(name)
        if earlier is not None:
            if not earlier.ended:
                return Look(name, late=True, began=earlier.began)
            return self._late.pop(name)
        look: Look[T] = Look(name)

        def run() -> None:
            try:
                look.value = look_at(name)
            except Exception as error:  # noqa: BLE001 - whoever asked for the look tells it
                look.error = error
            look.ended = True
            ended.put(look)

        threading.Thread(target=run, name=f"look-{name}", daemon=True).start()
        return look

    def _ended(self, ended: queue.SimpleQueue[Look[T]], running: Sequence[Look[T]], wait: bool) -> list[Look[T]]:
        """The running looks that ended by now; with ``wait``, a little is waited for the first."""
        found: list[Look[T]] = []
        patience = min((each.began for each in running), default=0.0) + self._seconds - time.monotonic()
        try:
            found.append(ended.get(timeout=max(0.0, min(patience, _POLL_SECONDS) if wait else 0.0)))
            while True:
                found.append(ended.get_nowait())
        except queue.Empty:
            # One that was given back as late may end in the same round: the next one uses it.
            return [each for each in found if each in running]

    def _is_overdue(self, look: Look[T]) -> bool:
        return time.monotonic() - look.began >= self._seconds
