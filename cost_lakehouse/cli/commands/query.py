"""``cost-lakehouse query``: one SQL statement on the current snapshots, printed so that another program can read it."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock_time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import EXIT_FAILED, console, json_value, plain_decimal, table, tell_problem
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect

ROWS_AT_ONCE = 5_000


@dataclass(frozen=True)
class Answer:
    """A statement's result from whichever engine: rows come as they are read."""

    names: list[str]
    types: list[str]
    rows: Iterator[Sequence[Any]]


class QueryFailed(Exception):
    """The statement is wrong; the engine's message says where."""


def run_query(config: Path | None, sql: str, output: str) -> int:
    """Run the statement and print its result; the exit code."""
    lake = Lake(settings_of(config))
    ask = _on_duckdb if lake.settings.lake.engine == "duckdb" else _on_trino
    try:
        with ask(lake, sql) as answer:
            _print(answer, output)
            sys.stdout.flush()
    except QueryFailed as error:
        known = ", ".join(lake.table_names())
        tell_problem(f"The query failed: {error}", f"Correct the SQL. Tables that are there: {known}.")
        return EXIT_FAILED
    except BrokenPipeError:
        # The reader (such as `head`) has seen enough; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


@contextmanager
def _on_duckdb(lake: Lake, sql: str) -> Iterator[Answer]:
    """Ask DuckDB, on the current snapshots."""
    with connect(lake) as connection:
        try:
            result = connection.execute(sql)
            columns = result.description or []
            yield Answer([each[0] for each in columns], [str(each[1]) for each in columns], _rows(result))
        except duckdb.Error as error:
            raise QueryFailed(str(error)) from None


@contextmanager
def _on_trino(lake: Lake, sql: str) -> Iterator[Answer]:
    """Ask Trino. It could change the lake, so only statements that read are let through. Raises LakeError."""
    from cost_lakehouse.lake.trino_client import StatementRefused, running

    if not reads_only(sql):
        raise QueryFailed("only statements that read are asked here: SELECT, WITH, VALUES, TABLE, SHOW, DESCRIBE, EXPLAIN.")
    try:
        with running(lake.settings, sql.strip().rstrip(";")) as result:
            yield Answer(result.names, result.types, result.rows)
    except StatementRefused as error:
        raise QueryFailed(error.problem) from None


_NOTHING = re.compile(r"(\s|\(|--[^\n]*(\n|$)|/\*.*?\*/)+", re.DOTALL)
_EXPLAIN = re.compile(r"explain(\s+analyze)?(\s+verbose)?(\s*\([^)]*\))?(?=\W)", re.IGNORECASE)
_READING = re.compile(r"(select|with|values|table|show|describe|desc)\b", re.IGNORECASE)


def reads_only(sql: str) -> bool:
    """Whether a Trino statement changes nothing, by the word it begins with; what EXPLAIN is asked of counts too."""
    rest = _after_nothing(sql)
    while explain := _EXPLAIN.match(rest):
        rest = _after_nothing(rest[explain.end() :])
    return _READING.match(rest) is not None


def _after_nothing(sql: str) -> str:
    """What follows spaces, comments and opening parentheses."""
    nothing = _NOTHING.match(sql)
    return sql[nothing.end() :] if nothing else sql


def _print(answer: Answer, output: str) -> None:
    if output == "csv":
        _print_csv(answer.names, answer.rows)
    elif output == "json":
        _print_json(answer.names, answer.rows)
    else:
        numbers = [
            name
            for name, kind in zip(answer.names, answer.types, strict=True)
            if kind.upper() in _NUMBERS or "DECIMAL" in kind.upper()
        ]
        console().print(table(answer.names, [[_shown(value) for value in row] for row in answer.rows], right=numbers))


_NUMBERS = {"NUMBER", "BIGINT", "INTEGER", "HUGEINT", "DOUBLE", "FLOAT", "REAL", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER"}


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    """The result's rows, a bounded number in memory at a time."""
    if result.description is None:
        return
    while rows := result.fetchmany(ROWS_AT_ONCE):
        yield from rows


def _print_csv(names: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for number, row in enumerate(rows, start=1):
        writer.writerow(["" if value is None else _text(value) for value in row])
        if number % ROWS_AT_ONCE == 0:
            sys.stdout.write(buffer.getvalue())
            buffer.seek(0)
            buffer.truncate()
    sys.stdout.write(buffer.getvalue())


def _print_json(names: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    """One object a line; decimals are text because most readers would turn a JSON number into a double."""
    sys.stdout.write("[")
    separator = "\n"
    for row in rows:
        line = json.dumps(dict(zip(names, map(_json_ready, row), strict=True)), default=json_value, ensure_ascii=False)
        sys.stdout.write(f"{separator}{line}")
        separator = ",\n"
    sys.stdout.write("\n]\n" if separator != "\n" else "]\n")


def _shown(value: Any) -> str:
    return "" if value is None else _text(value)


def _text(value: Any) -> str:
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
        return {str(key): _json_ready(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        names = getattr(value, "__annotations__", {}).get("names")  # a row of Trino; DuckDB's is a dict already
        if names and all(names):
            return dict(zip(names, map(_json_ready, value), strict=True))
        return [_json_ready(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
