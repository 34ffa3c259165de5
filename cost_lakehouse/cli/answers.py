"""How an answer of ``query`` is printed: as a table for people, or as CSV or JSON that another program can read."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock_time
from decimal import Decimal
from typing import Any, TextIO

from cost_lakehouse.cli.output import is_unicode, json_value, plain_decimal, print_lines, terminal_width
from cost_lakehouse.cli.tables import Column, lay_out, too_wide, vertical
from cost_lakehouse.errors import CostLakehouseError

ROWS_AT_ONCE = 5_000


@dataclass(frozen=True)
class Answer:
    """A statement's result from whichever engine: rows come as they are read."""

    names: list[str]
    types: list[str]
    rows: Iterator[Sequence[Any]]


def print_answer(answer: Answer, output: str) -> None:
    """Print it as ``table``, ``csv`` or ``json``."""
    if output == "csv":
        write_csv(answer.names, answer.rows, sys.stdout)
    elif output == "json":
        write_json(answer.names, answer.rows, sys.stdout)
    else:
        _print_table(answer)


def _print_table(answer: Answer) -> None:
    """On a terminal that is too narrow a record after the other: no value is cut, folded or left out."""
    columns = [
        Column(name, "number" if kind.upper() in _NUMBERS or "DECIMAL" in kind.upper() else "text")
        for name, kind in zip(answer.names, answer.types, strict=True)
    ]
    rows = [[_shown(value) for value in row] for row in answer.rows]
    width = terminal_width()
    if width is not None and too_wide(columns, rows, range(len(columns)), width):
        print_lines(vertical(answer.names, rows))
    else:
        print_lines(lay_out(columns, rows, None).lines)


_NUMBERS = {"NUMBER", "BIGINT", "INTEGER", "HUGEINT", "DOUBLE", "FLOAT", "REAL", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER"}


def _check_encodable(text: str, stream: TextIO) -> str:
    """Raises CostLakehouseError where the stream cannot take it: another character in its place would be another value."""
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError as error:
        raise CostLakehouseError(
            f"The result holds {text[error.start]!a}, which stdout's encoding {error.encoding} has not.",
            "Set PYTHONIOENCODING=utf-8 (or a UTF-8 locale, such as LC_ALL=C.UTF-8), or use `--format json`.",
        ) from None
    return text


def write_csv(names: Sequence[str], rows: Iterator[Sequence[Any]], stream: TextIO) -> None:
    """A header line, then a line for each row; null is empty. Raises CostLakehouseError for what the stream cannot take."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for number, row in enumerate(rows, start=1):
        writer.writerow(["" if value is None else plain_text(value) for value in row])
        if number % ROWS_AT_ONCE == 0:
            stream.write(_check_encodable(buffer.getvalue(), stream))
            buffer.seek(0)
            buffer.truncate()
    stream.write(_check_encodable(buffer.getvalue(), stream))


def write_json(names: Sequence[str], rows: Iterator[Sequence[Any]], stream: TextIO) -> None:
    """One object a line; decimals are text because most readers would turn a JSON number into a double."""
    in_ascii = not is_unicode(stream)  # JSON can say everything in ASCII
    stream.write("[")
    separator = "\n"
    for row in rows:
        line = json.dumps(dict(zip(names, map(_json_ready, row), strict=True)), default=json_value, ensure_ascii=in_ascii)
        stream.write(f"{separator}{line}")
        separator = ",\n"
    stream.write("\n]\n" if separator != "\n" else "]\n")


def _shown(value: Any) -> str:
    return "" if value is None else plain_text(value)


def plain_text(value: Any) -> str:
    """A value as plain text: no exponent, no thousands separators, ISO dates."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, float):
        return plain_decimal(Decimal(repr(value))) if math.isfinite(value) else str(value)
    if isinstance(value, datetime | date | clock_time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list | tuple):
        return json.dumps(_json_ready(value), default=json_value, ensure_ascii=False)
    return str(value)


def _json_ready(value: Any) -> Any:
    """A value as JSON has it; keys of maps become text, numbers that JSON lacks (infinity) too."""
    if isinstance(value, dict):
        return {str(key): _json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        names = getattr(value, "__annotations__", {}).get("names")  # a row of Trino; DuckDB's is a dict already
        if names and all(names):
            return dict(zip(names, map(_json_ready, value), strict=True))
        return [_json_ready(part) for part in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
