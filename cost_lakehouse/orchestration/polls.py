"""Polls many sources at the same time, each for a bounded time: one that hangs keeps no other from being polled."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

# A poll mostly waits for the network.
POLLS_AT_ONCE = 8
POLL_SECONDS = 20.0
_WAIT_SECONDS = 0.5

T = TypeVar("T")


@dataclass(eq=False)
class Poll(Generic[T]):
    """One poll of one source: ``value`` is what was seen, ``error`` why nothing was; neither while it is ``late``."""

    name: str
    value: T | None = None
    error: Exception | None = None
    late: bool = False
    began: float = field(default_factory=time.monotonic)
    took: float = 0.0  # seconds, once it ended
    ended: bool = False


class Polls(Generic[T]):
    """Takes polls, and remembers those that a round had no time for: a later round uses what they saw.

    Python cannot end a thread. Whoever asked AWS and gets no answer is left alone until its own time limit, in a thread that
    nothing waits for, and no second poll of the same source begins meanwhile: so threads never pile up.
    """

    def __init__(self, at_once: int = POLLS_AT_ONCE, seconds: float = POLL_SECONDS) -> None:
        self._at_once = at_once
        self._seconds = seconds
        self._late: dict[str, Poll[T]] = {}
        self.begun = 0

    def take(self, names: Sequence[str], look_up: Callable[[str], T], out_of_time: Callable[[], bool]) -> Iterator[Poll[T]]:
        """A poll of each name, in the order in which they end, until ``out_of_time``; ``begun`` counts those of this round.

        At least one is begun and waited for, however late it is: else a slow start would keep all of them from being seen.
        A poll that takes more than its seconds is given back as ``late``, and its place goes to the next name.
        """
        self.begun = 0
        waiting = deque(names)
        running: list[Poll[T]] = []
        ended: queue.SimpleQueue[Poll[T]] = queue.SimpleQueue()
        over = given = False
        while running or (waiting and not over):
            while waiting and not over and len(running) < self._at_once:
                over = self.begun > 0 and out_of_time()
                if not over:
                    begun = self._begin(waiting.popleft(), look_up, ended)
                    self.begun += 1
                    if begun.late or begun.ended:
                        given = True
                        yield begun
                    else:
                        running.append(begun)
            for poll in self._ended(ended, running, wait=not (over and given)):
                running.remove(poll)
                given = True
                yield poll
            over = over or (bool(running) and out_of_time())
            for poll in [poll for poll in running if (over and given) or self._is_overdue(poll)]:
                running.remove(poll)
                self._late[poll.name] = poll
                given = True
                yield Poll(poll.name, late=True, began=poll.began)

    def _begin(self, name: str, look_up: Callable[[str], T], ended: queue.SimpleQueue[Poll[T]]) -> Poll[T]:
        """A new poll, or the one that an earlier round left: what it saw by now, or that it still goes on."""
        earlier = self._late.get(name)
        if earlier is not None:
            if not earlier.ended:
                return Poll(name, late=True, began=earlier.began)
            return self._late.pop(name)
        poll: Poll[T] = Poll(name)

        def run() -> None:
            try:
                poll.value = look_up(name)
            except Exception as error:  # noqa: BLE001 - whoever asked for the poll reports it
                poll.error = error
            poll.took = time.monotonic() - poll.began
            poll.ended = True
            ended.put(poll)

        threading.Thread(target=run, name=f"poll-{name}", daemon=True).start()
        return poll

    def _ended(self, ended: queue.SimpleQueue[Poll[T]], running: Sequence[Poll[T]], wait: bool) -> list[Poll[T]]:
        """The running polls that ended by now; with ``wait``, a little is waited for the first."""
        found: list[Poll[T]] = []
        patience = min((poll.began for poll in running), default=0.0) + self._seconds - time.monotonic()
        try:
            found.append(ended.get(timeout=max(0.0, min(patience, _WAIT_SECONDS) if wait else 0.0)))
            while True:
                found.append(ended.get_nowait())
        except queue.Empty:
            # One that was given back as late may end in the same round: the next one uses it.
            return [entry for entry in found if entry in running]

    def _is_overdue(self, poll: Poll[T]) -> bool:
        return time.monotonic() - poll.began >= self._seconds
