"""Which lines can be behind a mart's rows, told by what they were delivered with: the others' rules need not be worked out.

A condition may let lines through that are not behind the rows, never keep one out that is: the lines of a cell are added up and
compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("candidates.yaml")
MOST_VALUES = 100
"""A column with more different values in the rows picks no lines: the list would be longer to read than the lines."""


@cache
def candidate_columns() -> Mapping[str, Mapping[str, str]]:
    """Staging model -> a mart's column -> what it is there, as SQL."""
    content: Mapping[str, Mapping[str, str]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return content


def conditions(values: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Staging model -> what its lines meet, for rows with these ``values`` of each column; none where nothing picks."""
    found = {}
    for model, columns in candidate_columns().items():
        parts = [
            f"{expression} in ({listed})"
            for name, expression in columns.items()
            if (listed := in_list(values.get(name, ()))) is not None
        ]
        if parts:
            found[model] = " and ".join(parts)
    return found


def in_list(values: Sequence[Any]) -> str | None:
    """The values of a column for ``in (...)``; None where they pick no lines: there are none, or more than ``MOST_VALUES``, or
    one is null, which may be none of the bill's own (a row that stands for many lines)."""
    if not 0 < len(values) <= MOST_VALUES or None in values:
        return None
    return ", ".join(map(_literal, values))


def _literal(value: Any) -> str:
    if isinstance(value, datetime):
        return f"timestamp '{value:%Y-%m-%d %H:%M:%S.%f}'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, bool | int):
        return str(value).lower()
    escaped = str(value).replace("'", "''")
    return f"'{escaped}'"
