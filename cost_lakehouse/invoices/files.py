"""Reads invoices out of a file: CSV or JSON with documented columns, or what ``aws invoicing list-invoice-summaries`` prints.

A row that is no invoice refuses the whole file, named by file, line and column: nothing is guessed or left out.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from cost_lakehouse.errors import InvoicesRefused, shortened
from cost_lakehouse.invoices.aws_answer import invoice_of
from cost_lakehouse.invoices.invoice import PARSED, REQUIRED, Invoice

_COLUMNS = (
    f"Columns: {', '.join(REQUIRED)}; and, where they are known, {', '.join(name for name in PARSED if name not in REQUIRED)}."
)
_FIX = f"{_COLUMNS} Nothing was recorded. See docs/close-a-month.md."


def invoices_in(file: Path) -> list[Invoice]:
    """Every invoice of a file, in its order; the same one twice is one. Raises InvoicesRefused."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvoicesRefused(f"{file} cannot be read: {error.strerror}.", "Name a file of invoices, CSV or JSON.") from None
    except UnicodeDecodeError as error:
        raise InvoicesRefused(f"{file} is no text in UTF-8 (byte {error.start}).", "Save it as CSV or JSON in UTF-8.") from None
    kind = file.suffix.lower()
    if kind == ".csv":
        found = _of_csv(file, text)
    elif kind == ".json":
        found = _of_json(file, text)
    else:
        raise InvoicesRefused(f"{file} is neither .csv nor .json.", _FIX)
    if not found:
        raise InvoicesRefused(f"{file} holds no invoice.", _FIX)
    return _once_each(found)


def _once_each(found: Sequence[tuple[str, Invoice]]) -> list[Invoice]:
    """Raises InvoicesRefused where the file says two things of one invoice."""
    by_id: dict[tuple[str | None, str], tuple[str, Invoice]] = {}
    for where, invoice in found:
        first, known = by_id.setdefault((invoice.source, invoice.invoice_id), (where, invoice))
        if known.digest != invoice.digest:
            raise InvoicesRefused(
                f"{where}, column invoice_id: {invoice.invoice_id} was there already, and said something else ({first}).",
                "Keep the row that is right; nothing was recorded.",
            )
    return [invoice for _, invoice in by_id.values()]


def _of_csv(file: Path, text: str) -> list[tuple[str, Invoice]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[str, Invoice]] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_names(f"{file}, line 1", header)
        line = reader.line_num + 1
        for values in reader:
            where, line = f"{file}, line {line}", reader.line_num + 1
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(header):
                raise InvoicesRefused(
                    f"{where}: {len(values)} values stand below {len(header)} columns.",
                    "Correct the row; nothing was recorded.",
                )
            found.append((where, _invoice(where, dict(zip(header, values, strict=True)))))
    except csv.Error as error:
        raise InvoicesRefused(f"{file}, line {reader.line_num}: it is no CSV ({error}).", _FIX) from None
    return found


def _of_json(file: Path, text: str) -> list[tuple[str, Invoice]]:
    try:
        document = json.loads(text, parse_float=_exact, parse_constant=_exact)
    except (ValueError, RecursionError) as error:
        line = f", line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvoicesRefused(f"{file}{line}: it is no JSON.", _FIX) from None
    summaries = document.get("InvoiceSummaries") if isinstance(document, dict) else None
    records = summaries if isinstance(summaries, list) else document
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InvoicesRefused(f"{file}: it is no array of objects.", _FIX)
    found: list[tuple[str, Invoice]] = []
    for number, record in enumerate(records, 1):
        where = f"{file}, record {number}"
        if summaries is not None:
            invoice = invoice_of({name: _plain(value) for name, value in record.items()}, where)
            found += [(where, invoice)] if invoice else []
            continue
        _check_names(where, list(record))
        odd = next((name for name, value in record.items() if isinstance(value, bool | dict | list)), None)
        if odd is not None:
            raise InvoicesRefused(f"{where}, column {odd}: it is no text or number.", _FIX)
        found.append((where, _invoice(where, {name: "" if value is None else str(value) for name, value in record.items()})))
    return found


def _exact(text: str) -> Any:
    """A number of JSON as the digits that are written: a double would be another number."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return text


def _plain(value: Any) -> Any:
    """The same record without Decimals, which are written as text again."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value


def _check_names(where: str, names: Sequence[str]) -> None:
    for name in names:
        if name not in PARSED:
            raise InvoicesRefused(f"{where}: there is no column {shortened(name)!r}.", _FIX)
        if list(names).count(name) > 1:
            raise InvoicesRefused(f"{where}: the column {name} is there twice.", _FIX)
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise InvoicesRefused(f"{where}: the column {missing[0]} is missing.", _FIX)


def _invoice(where: str, row: Mapping[str, str]) -> Invoice:
    values: dict[str, Any] = {}
    for name, text in row.items():
        stripped = text.strip()
        if not stripped:
            if name in REQUIRED:
                raise InvoicesRefused(f"{where}, column {name}: it is empty.", _FIX)
            continue
        try:
            values[name] = PARSED[name](stripped)
        except ValueError as error:
            raise InvoicesRefused(f"{where}, column {name}: {shortened(stripped)!r} {error}.", _FIX) from None
    return Invoice(**values)
