"""How the command speaks: results on stdout, everything else on stderr, errors as what happened, where, and what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cost_lakehouse.errors import ConfigurationError, CostLakehouseError

EXIT_FAILED = 1
EXIT_USAGE = 2
# Without a terminal there is no width to fit: a table in a log or a pipe must not be cut at 80 columns.
WIDTH_WITHOUT_TERMINAL = 240
_noting: list[list[tuple[str, str]]] = []


def console(stderr: bool = False) -> Console:
    """A console on the streams as they are now; text is never read as markup by accident."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr, markup=False, highlight=False, emoji=False, width=None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    )


def say(text: str = "") -> None:
    """A line on stdout for people."""
    console().print(text, soft_wrap=True)


@contextmanager
def noted_problems() -> Iterator[list[tuple[str, str]]]:
    """What ``tell_problem`` tells meanwhile, problems with their fixes."""
    noted: list[tuple[str, str]] = []
    _noting.append(noted)
    try:
        yield noted
    finally:
        _noting.remove(noted)


def tell_problem(problem: str, fix: str = "") -> None:
    """What went wrong and where, and what to do about it, on stderr."""
    for noted in _noting:
        noted.append((problem, fix))
    terminal = console(stderr=True)
    terminal.print(Text("Error: ", style="bold red").append(problem, style="default"), soft_wrap=True)
    if fix:
        terminal.print(Text("  Fix: ", style="bold").append(fix, style="default"), soft_wrap=True)


@contextmanager
def told_errors() -> Iterator[None]:
    """Tell every known error without a traceback: exit code 2 for wrong configuration or usage, else 1."""
    try:
        yield
    except ConfigurationError as error:
        tell_problem(error.problem, error.fix)
        raise typer.Exit(EXIT_USAGE) from None
    except CostLakehouseError as error:
        tell_problem(error.problem, error.fix)
        raise typer.Exit(EXIT_FAILED) from None


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str] = (), title: str | None = None) -> Table:
    """A table for people; columns named in ``right`` are numbers."""
    made = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if value is None else str(value)) for value in row))
    return made


def print_json(rows: Sequence[Mapping[str, Any]]) -> None:
    """A JSON array on stdout, one object a line."""
    lines = ",\n".join(json.dumps(row, default=json_value, ensure_ascii=False) for row in rows)
    sys.stdout.write(f"[\n{lines}\n]\n" if rows else "[]\n")


def json_value(value: Any) -> Any:
    """What JSON has no type for: money as text, so that no reader rounds it; times as ISO text."""
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def plain_decimal(value: Decimal) -> str:
    """A decimal without exponent, thousands separators and trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text


def size(count: int) -> str:
    """A size in bytes for people."""
    amount = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def money(totals: Mapping[str, Decimal]) -> str:
    """Totals by currency for people, exact, at least two fractional digits."""
    return ", ".join(f"{cents(amount)} {currency}" for currency, amount in sorted(totals.items()))


def cents(amount: Decimal) -> str:
    """An exact amount with at least two fractional digits."""
    whole, _, fraction = plain_decimal(amount).partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"
