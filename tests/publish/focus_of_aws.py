"""AWS's own FOCUS export of a bill beside ours of its report: by row and column, and what explains where they differ."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sample_bills.focus_export import FocusExport

Place = tuple[int | None, str]
"""The record of the report that a row comes from, and which part of it."""
_FILE = Path(__file__).with_name("focus_differences.csv")
_NEAR = 1e-9  # AWS's numbers are doubles


@dataclass(frozen=True)
class Explanation:
    """Why some columns may differ: on lines of these types (none: all), where AWS's value is ``theirs``."""

    columns: tuple[str, ...]
    lines: frozenset[str]
    theirs: str  # empty, after discounts, other
    why: str

    def covers(self, column: str, ours: Mapping[str, Any], theirs: str) -> bool:
        """Whether it explains a difference."""
        if column not in self.columns or (self.lines and ours["x_LineItemType"] not in self.lines):
            return False
        if self.theirs == "after discounts":
            return same(ours["x_NetUnblendedCost"], theirs)
        return self.theirs == "other" or not theirs


def explanations() -> list[Explanation]:
    """All of them."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return [
            Explanation(
                tuple(row["column"].split(", ")),
                frozenset() if row["lines"] == "*" else frozenset(row["lines"].split()),
                row["theirs"],
                row["why"],
            )
            for row in csv.DictReader(file)
        ]


def delivered_rows(export: FocusExport) -> dict[Place, dict[str, str]]:
    """The rows of an export's file; they stand in the order in which the generator made them."""
    with gzip.open(export.file, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(made.line, made.part): row for made, row in zip(export.rows, rows, strict=True)}


def differences(
    ours: Mapping[Place, Mapping[str, Any]], theirs: Mapping[Place, Mapping[str, str]]
) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Column, our row and AWS's value wherever rows of the same line differ."""
    for place in sorted(ours.keys() & theirs.keys(), key=str):
        for column, value in theirs[place].items():
            if not column.startswith("x_") and not same(ours[place][column], value):
                yield column, ours[place], value


def same(ours: Any, theirs: str) -> bool:
    """Whether a value of ours is what a text of AWS's says."""
    if ours is None or not theirs:
        return ours is None and not theirs
    if isinstance(ours, Decimal | float):
        return abs(float(ours) - float(theirs)) <= _NEAR * max(1, abs(float(ours)))
    if isinstance(ours, datetime):
        return ours.replace(tzinfo=UTC) == datetime.fromisoformat(theirs)
    if str(ours).startswith("{"):
        return bool(json.loads(ours) == json.loads(theirs))
    return str(ours) == theirs
