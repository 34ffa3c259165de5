"""Metric files: a CSV with ``month``, ``team`` and ``value``, such as requests or seats, that costs are split by."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

from cost_lakehouse.errors import ConfigurationError, shortened
from cost_lakehouse.formats.decimals import EXACT, exact_number

_COLUMNS = ("month", "team", "value")


def metric_of(path: Path, month: date) -> dict[str, Decimal]:
    """Team -> value of a month; rows of one team add up. Empty where the file has nothing of the month.

    Raises ConfigurationError with file and line where it cannot be read, lacks a column, or a value is no number from 0 on.
    """
    wanted = f"{month:%Y-%m}"
    found: dict[str, Decimal] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise ConfigurationError(f"{path} has no column {missing[0]!r}.", "Its first line is `month,team,value`.")
            for row in rows:
                if (row["month"] or "").strip() == wanted:
                    team = (row["team"] or "").strip()
                    found[team] = EXACT.add(found.get(team, Decimal(0)), _value(path, rows.line_num, row["value"]))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}.", "Correct `metric:`, or the file's rights."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} is no CSV in UTF-8: {error}.", "Save it as CSV, UTF-8.") from None
    return found


def _value(path: Path, line: int, text: str | None) -> Decimal:
    number = None
    if text is not None:
        try:
            number = exact_number(text)
        except OverflowError:
            number = None
    if number is None or number < 0:
        raise ConfigurationError(
            f"{path}, line {line}, column value: {shortened(text or '')!r} is no number from 0 on.", "Write it as 1234.5."
        )
    return number
