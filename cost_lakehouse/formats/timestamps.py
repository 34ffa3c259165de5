"""Delivered dates in every spelling AWS and its peers use become UTC timestamps without zone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from cost_lakehouse.formats.raw_schema import TIMESTAMP

# 2026-10-01T04:00:00Z, .000Z, +00:00, a space for the T, no zone, no seconds, or a day alone.
_SPELLING = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?\s*(Z|z|UTC|[+-]\d{2}(?::?\d{2})?)?", re.ASCII
)

_UTC_NAMES = {"UTC", "Etc/UTC", "GMT", "Z", "+00:00", "-00:00"}


@dataclass
class TimestampColumn:
    """A column of text, cast. ``rejected`` maps a row to the reason."""

    stored: pa.Array  # timestamp[us]
    rejected: dict[int, str] = field(default_factory=dict)


@lru_cache(maxsize=100_000)
def to_timestamp(text: str) -> datetime | None:
    """The UTC moment (without zone) of a delivered date, or None where it is none. Text without a zone is UTC."""
    moment = in_own_zone(text)
    try:
        return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:  # the first or last hours that a calendar has, and an offset
        return None


def in_own_zone(text: str) -> datetime | None:
    """The moment of a delivered date with the offset that it is written in, or None where it is none."""
    match = _SPELLING.fullmatch(text.strip())
    if match is None:
        return None
    day, minute, second, fraction, zone = match.groups()
    zone = {None: "+00:00", "Z": "+00:00", "z": "+00:00", "UTC": "+00:00"}.get(zone, zone)
    microseconds = (fraction or "").ljust(6, "0")[:6]
    try:
        return datetime.fromisoformat(f"{day}T{minute or '00:00'}:{second or '00'}.{microseconds}{zone}")
    except ValueError:
        return None


def to_timestamps(text: pa.Array) -> TimestampColumn:
    """Cast text, or timestamps of another unit or zone; null stays null.

    A month has few distinct moments, so each text is read once.
    """
    if pa.types.is_timestamp(text.type):
        # Parquet keeps moments in UTC whatever zone it shows; digits below the microsecond are never used by a bill.
        return TimestampColumn(text.cast(TIMESTAMP, safe=False))
    if text.null_count == len(text):
        return TimestampColumn(pa.nulls(len(text), TIMESTAMP))
    encoded = text.dictionary_encode()
    moments = [to_timestamp(candidate) for candidate in encoded.dictionary.to_pylist()]
    result = TimestampColumn(pa.array(moments, TIMESTAMP).take(encoded.indices))
    if None in moments:
        wrong = pc.and_(text.is_valid(), result.stored.is_null())
        for row in pc.indices_nonzero(wrong).to_pylist():
            result.rejected[row] = "is not a date"
    return result


@dataclass
class LocalMoments:
    """Moments as the clock showed them where they were written: ``2026-10-01T00:00:00+08:00`` is October's first.

    ``zones`` are the offsets or zones that are not UTC, null elsewhere.
    """

    stored: pa.Array  # timestamp[us], without zone
    zones: pa.Array  # text
    rejected: dict[int, str] = field(default_factory=dict)


def to_local_moments(text: pa.Array) -> LocalMoments:
    """Cast text, or timestamps of another unit or zone, each in its own zone; null stays null."""
    if pa.types.is_timestamp(text.type):
        zone = text.type.tz
        if zone is None or zone in _UTC_NAMES:
            return LocalMoments(text.cast(TIMESTAMP, safe=False), pa.nulls(len(text), pa.string()))
        local = pc.local_timestamp(text).cast(TIMESTAMP, safe=False)
        return LocalMoments(local, pc.if_else(text.is_valid(), zone, pa.scalar(None, pa.string())))
    if text.null_count == len(text):
        return LocalMoments(pa.nulls(len(text), TIMESTAMP), pa.nulls(len(text), pa.string()))
    utc = to_timestamps(text)
    encoded = text.dictionary_encode()
    moments = [in_own_zone(row) for row in encoded.dictionary.to_pylist()]
    zones = ["" if moment is None else moment.strftime("%z") for moment in moments]
    local = pa.array([moment and moment.replace(tzinfo=None) for moment in moments], TIMESTAMP)
    named = pa.array([None if zone in ("", "+0000") else f"{zone[:3]}:{zone[3:5]}" for zone in zones], pa.string())
    return LocalMoments(local.take(encoded.indices), named.take(encoded.indices), utc.rejected)
