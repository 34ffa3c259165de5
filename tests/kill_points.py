"""At which of many points a run kills: some of them, others in every run, and all where ``KILL_POINTS=all``."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence


def chosen(points: int, few: int, seed: int) -> list[int]:
    """``few`` numbers below ``points``, one of each of as many equal parts; the same ones for the same seed."""
    if os.environ.get("KILL_POINTS") == "all" or few >= points:
        return list(range(points))
    chance = random.Random(seed)
    return [chance.randrange(points * part // few, points * (part + 1) // few) for part in range(few)]


def as_text(numbers: Sequence[int]) -> str:
    """The numbers as an argument of a program."""
    return ",".join(map(str, numbers))
