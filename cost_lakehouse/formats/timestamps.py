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


@dataclass
class TimestampColumn:
    """A column of text, cast. ``rejected`` maps a row to the reason."""

    stored: pa.Array  # timestamp[us]
    rejected: dict[int, str] = field(default_factory=dict)


@lru_cache(maxsize=100_000)
def to_timestamp(text: str) -> datetime | None:
    """The UTC moment (without zone) of a delivered date, or None where it is none. Text without a zone is UTC."""
    match = _SPELLING.fullmatch(text.strip())
    if match is None:
        return None
    day, minute, second, fraction, zone = match.groups()
    zone = {None: "+00:00", "Z": "+00:00", "z": "+00:00", "UTC": "+00:00"}.get(zone, zone)
    microseconds = (fraction or "").ljust(6, "0")[:6]
    try:
        moment = datetime.fromisoformat(f"{day}T{minute or '00:00'}:{second or '00'}.{microseconds}{zone}")
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None)


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
    moments = [to_timestamp(each) for each in encoded.dictionary.to_pylist()]
    result = TimestampColumn(pa.array(moments, TIMESTAMP).take(encoded.indices))
    if None in moments:
        wrong = pc.and_(text.is_valid(), result.stored.is_null())
        for row in pc.indices_nonzero(wrong).to_pylist():
            result.rejected[row] = "is not a date"
    return result
