"""At which of many points a run kills: some of them, others in every run, and all where ``KILL_POINTS=all``; and the kill."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

_WATCHED = (f"{os.sep}cost_lakehouse{os.sep}", f"{os.sep}pyiceberg{os.sep}")


def chosen(points: int, few: int, seed: int) -> list[int]:
    """``few`` numbers below ``points``, one of each of as many equal parts; the same ones for the same seed."""
    if os.environ.get("KILL_POINTS") == "all" or few >= points:
        return list(range(points))
    chance = random.Random(seed)
    return [chance.randrange(points * part // few, points * (part + 1) // few) for part in range(few)]


def as_text(numbers: Sequence[int]) -> str:
    """The numbers as an argument of a program."""
    return ",".join(map(str, numbers))


def counted(work: Callable[[], object], kill_at: int = 0) -> int:
    """How many calls into this project and pyiceberg ``work`` makes; the process is killed at the given one."""
    calls = 0

    def watch(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event == "call" and any(part in frame.f_code.co_filename for part in _WATCHED):
            calls += 1
            if calls == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    try:
        work()
    except SystemExit as ended:  # a command's usual end
        if ended.code:
            raise
    finally:
        sys.setprofile(None)
    return calls
