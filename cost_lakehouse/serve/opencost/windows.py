"""OpenCost's windows (``7d``, ``lastmonth``, two moments), and the sets of days that costs are told in. Pure.

Bills are kept by UTC day: a window that begins or ends inside a day takes the whole day, as OpenCost does. Weeks begin on
Sunday.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.errors import ConfigurationError, shortened

MOST_DAYS = 3_700  # ten years
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(days=7)}
_AGO = re.compile(r"([0-9]{1,7})([mhdw])(?: offset ([0-9]{1,7})([mhdw]))?")
_STEP = re.compile(r"([0-9]{1,7})([hdw])")
_STAMPS = re.compile(r"([0-9]{1,11})[,|-]([0-9]{1,11})")
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
_MOMENTS = re.compile(rf"({_MOMENT}),({_MOMENT})")
_DAY = timedelta(days=1)
_EPOCH = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)


class Accumulate(StrEnum):
    """How long the sets are that costs are told in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    ALL = "all"


@dataclass(frozen=True)
class Window:
    """Days from ``begin`` up to ``end``, which is no part of it."""

    begin: date
    end: date

    @property
    def document(self) -> dict[str, str]:
        """As it stands in an answer."""
        return {"start": f"{self.begin}T00:00:00Z", "end": f"{self.end}T00:00:00Z"}

    def __str__(self) -> str:
        return f"[{self.begin}T00:00:00Z, {self.end}T00:00:00Z)"


def window_of(text: str, now: datetime) -> Window:
    """The days that a window means now (UTC). Raises ConfigurationError."""
    try:
        begin, end = _moments_of(text.strip(), now.astimezone(UTC).replace(tzinfo=None))
        last = (end - timedelta(microseconds=1)).date()
        window = Window(begin.date(), last + _DAY)
    except (ValueError, OverflowError, OSError):
        raise _wrong(text) from None
    if end <= begin:
        raise ConfigurationError(f"The window {shortened(text)!r} holds nothing.", "Begin before the end.")
    if (window.end - window.begin).days > MOST_DAYS:
        raise ConfigurationError(f"The window {shortened(text)!r} is too long.", f"Ask for {MOST_DAYS:,} days at most.")
    return window


def accumulate_of(text: str) -> Accumulate:
    """How long the sets are. Raises ConfigurationError."""
    name = text.strip().lower()
    if name in ("", "false"):
        return Accumulate.DAY
    if name == "true":
        return Accumulate.ALL
    try:
        return Accumulate(name)
    except ValueError:
        raise ConfigurationError(
            f"accumulate {shortened(text)!r} is none of its values.",
            f"Use one of {', '.join(Accumulate)}; bills are kept by day, so there are no hours.",
        ) from None


def sets_of(window: Window, accumulate: Accumulate) -> list[Window]:
    """The window in parts, each of which ends with the week, month or quarter that it began in, or with the window."""
    return list(_parts(window, accumulate))


def steps_of(window: Window, text: str) -> list[Window]:
    """The window in parts as long as ``1d`` or ``24h``; whole where nothing is said. Raises ConfigurationError."""
    found = _STEP.fullmatch(text.strip() or f"{MOST_DAYS}d")
    hours = int(found[1]) * {"h": 1, "d": 24, "w": 168}[found[2]] if found else 0
    if not hours or hours % 24:
        raise ConfigurationError(
            f"step {shortened(text)!r} is no number of days.",
            "Write 1d, 24h or 1w; bills are kept by day, so there are no hours.",
        )
    days = min(hours // 24, MOST_DAYS)
    starts = range(0, (window.end - window.begin).days, days)
    begins = [window.begin + timedelta(days=start) for start in starts]
    return [Window(begin, min(begin + timedelta(days=days), window.end)) for begin in begins]


def _parts(window: Window, accumulate: Accumulate) -> Iterator[Window]:
    begin = window.begin
    while begin < window.end:
        end = min(_end(begin, accumulate, window.end), window.end)
        yield Window(begin, end)
        begin = end


def _end(begin: date, accumulate: Accumulate, end: date) -> date:
    if accumulate is Accumulate.DAY:
        return begin + _DAY
    if accumulate is Accumulate.WEEK:
        return begin + timedelta(days=7 - begin.isoweekday() % 7)
    if accumulate is Accumulate.MONTH:
        return plus_months(begin.replace(day=1), 1)
    if accumulate is Accumulate.QUARTER:
        return plus_months(begin.replace(day=1), 3 - (begin.month - 1) % 3)
    return end


def _moments_of(text: str, now: datetime) -> tuple[datetime, datetime]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    week = today - timedelta(days=today.isoweekday() % 7)
    month = today.replace(day=1)
    named = {
        "today": (today, today + _DAY),
        "yesterday": (today - _DAY, today),
        "week": (week, today + _DAY),
        "lastweek": (week - timedelta(days=7), week),
        "month": (month, today + _DAY),
        "lastmonth": ((month - _DAY).replace(day=1), month),
    }
    if text in named:
        return named[text]
    if found := _AGO.fullmatch(text):
        count, unit, back, back_unit = found.groups()
        length = int(count) * _UNITS[unit]
        if back is not None:
            end = now - int(back) * _UNITS[back_unit]
            return end - length, end
        # The last 7 days are today and the six before it; the last 24 hours end with the running one.
        step = _UNITS["d" if unit == "w" else unit]
        end = _EPOCH + ((now - _EPOCH) // step + 1) * step
        return end - length, end
    if found := _STAMPS.fullmatch(text):
        begin, end = (datetime.fromtimestamp(int(part), UTC).replace(tzinfo=None) for part in found.groups())
        return begin, end
    if found := _MOMENTS.fullmatch(text):
        begin, end = (datetime.fromisoformat(part).replace(tzinfo=None) for part in found.groups())
        return begin, end
    raise _wrong(text)


def _wrong(text: str) -> ConfigurationError:
    return ConfigurationError(
        f"{shortened(text)!r} is no window.",
        "Write today, yesterday, week, lastweek, month, lastmonth, 7d, 24h, 7d offset 1d, or two moments with a comma: "
        "2026-10-01T00:00:00Z,2026-11-01T00:00:00Z, or as Unix seconds.",
    )
