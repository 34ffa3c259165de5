"""What is sent back: JSON with decimals as text, or the same rows as CSV or Parquet; what has not changed is not sent again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from starlette.requests import Request
from starlette.responses import Response

from cost_lakehouse.audit.receipts import plain
from cost_lakehouse.errors import ConfigurationError, CostLakehouseError
from cost_lakehouse.serve.viewer import NotForRole

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
_FORMATS = {"json": JSON, "csv": CSV, "parquet": PARQUET}


_DIGITS = 38  # of a decimal in 128 bits


@dataclass(frozen=True)
class Reply:
    """Rows, and what is to be known of them. ``columns`` are those of the CSV."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    meta: Mapping[str, Any] = field(default_factory=dict)


def kind_of(request: Request) -> str:
    """JSON, CSV or Parquet: by the parameter ``format``, else by what the ``Accept`` header names first.

    Raises ConfigurationError where the format is none of these.
    """
    asked = request.query_params.get("format")
    if asked is not None:
        if asked not in _FORMATS:
            raise ConfigurationError("There is no such format.", "Use format=json, format=csv or format=parquet.")
        return _FORMATS[asked]
    for part in request.headers.get("accept", "").split(","):
        name = part.partition(";")[0].strip().lower()
        if name in (CSV, PARQUET):
            return name
        if name in (JSON, "application/*", "*/*"):
            break
    return JSON


def sent(request: Request, reply: Reply, etag: str | None = None) -> Response:
    """The reply in the form that is asked for; 304 where the asker has it. ``etag`` defaults to one of its content."""
    kind = kind_of(request)
    if kind == PARQUET:
        content = as_parquet(reply)
        return sent_text(request, content, kind, etag or etag_of(content))
    text = as_csv(reply) if kind == CSV else as_json({"meta": reply.meta, "data": reply.rows})
    return sent_text(request, text, kind, etag or etag_of(text))


def sent_text(request: Request, text: str | bytes, kind: str, etag: str) -> Response:
    """A text, or a file's bytes, with its ETag; 304 where the asker has it."""
    return unchanged(request, etag) or Response(
        text, media_type=f"{kind}; charset=utf-8" if kind == CSV else kind, headers={"ETag": etag, "Vary": "Accept"}
    )


def unchanged(request: Request, etag: str) -> Response | None:
    """304 where the asker has what has this ETag (RFC 9110: a weak comparison)."""
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if etag.removeprefix("W/") not in known and "*" not in known:
        return None
    return Response(status_code=304, headers={"ETag": etag, "Vary": "Accept"})


def etag_of(*parts: object) -> str:
    """A weak ETag of what decides an answer, such as the snapshots that it is read from."""
    return f'W/"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def refused(error: CostLakehouseError) -> Response:
    """400 for a wrong question, 403 for one that a role may not ask, 503 where the lake cannot answer; with what to do."""
    status = 400 if isinstance(error, ConfigurationError) else 403 if isinstance(error, NotForRole) else 503
    return problem(status, error.problem, error.fix)


def problem(status: int, error: str, fix: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as JSON."""
    return Response(as_json({"error": error, "fix": fix}), status_code=status, media_type=JSON, headers=dict(headers or {}))


def as_json(document: Any) -> str:
    """JSON text; a decimal is text too, so that no reader makes a double of it."""
    return json.dumps(document, default=plain_value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def as_csv(reply: Reply) -> str:
    """The rows with a header line; nothing stands for null."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(reply.columns)
    for row in reply.rows:
        writer.writerow([_cell(row.get(column)) for column in reply.columns])
    return buffer.getvalue()


def as_parquet(reply: Reply) -> bytes:
    """The rows as a Parquet file: decimals, whole numbers, days and moments keep their types, everything else is text."""
    buffer = io.BytesIO()
    columns = {column: _arrow([row.get(column) for row in reply.rows]) for column in reply.columns}
    parquet.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def _arrow(values: Sequence[Any]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {Decimal}:
        digits = [value.as_tuple() for value in values if value is not None]
        scale = max(max(0, -int(number.exponent)) for number in digits)
        whole = max(len(number.digits) + int(number.exponent) for number in digits)
        kind = pa.decimal128 if max(whole, 0) + scale <= _DIGITS else pa.decimal256
        return pa.array(values, kind(_DIGITS if kind is pa.decimal128 else 2 * _DIGITS, scale))
    for known, kind in ((bool, pa.bool_()), (int, pa.int64()), (date, pa.date32()), (datetime, pa.timestamp("us", tz="UTC"))):
        if kinds == {known}:
            return pa.array(values, kind)
    return pa.array([None if value is None else _cell(value) for value in values], pa.string())


def plain_value(value: Any) -> str:
    """What JSON has no type for, as text: no exponent, ISO dates, times in UTC with a Z."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return utc_text(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def utc_text(moment: datetime) -> str:
    """A moment, UTC where it has no zone, as ISO text with a Z."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of all rows' columns, in order."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return as_json(value)
    return str(value) if isinstance(value, str | int) else plain_value(value)
