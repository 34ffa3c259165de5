"""How the command speaks: results on stdout, everything else on stderr, errors as what happened, where, and what to do."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TextIO

import typer
from rich.console import Console
from rich.text import Text

from cost_lakehouse.cli.tables import Column, lay_out, rounded
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
    """What ``print_problem`` tells meanwhile, problems with their fixes."""
    noted: list[tuple[str, str]] = []
    _noting.append(noted)
    try:
        yield noted
    finally:
        _noting.remove(noted)


def print_problem(problem: str, fix: str = "") -> None:
    """What went wrong and where, and what to do about it, on stderr."""
    for noted in _noting:
        noted.append((problem, fix))
    terminal = console(stderr=True)
    terminal.print(Text("Error: ", style="bold red").append(problem, style="default"), soft_wrap=True)
    if fix:
        terminal.print(Text("  Fix: ", style="bold").append(fix, style="default"), soft_wrap=True)


def print_note(text: str) -> None:
    """What is worth knowing of a result, on stderr."""
    console(stderr=True).print(Text("Note: ", style="bold").append(text, style="default"), soft_wrap=True)


@contextmanager
def printed_errors() -> Iterator[None]:
    """Print every known error without a traceback: exit code 2 for wrong configuration or usage, else 1."""
    try:
        yield
    except ConfigurationError as error:
        print_problem(error.problem, error.fix)
        raise typer.Exit(EXIT_USAGE) from None
    except CostLakehouseError as error:
        print_problem(error.problem, error.fix)
        raise typer.Exit(EXIT_FAILED) from None


def terminal_width() -> int | None:
    """How many cells a line of stdout has; None where it is no terminal, so that nothing is cut or shortened."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can take any character."""
    return (stream.encoding or "utf-8").lower().replace("_", "-").startswith("utf")


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Any]], title: str = "", elsewhere: str = "") -> None:
    """A table for people. ``elsewhere`` says where the columns are that a narrow terminal has no room for."""
    layout = lay_out(columns, rows, terminal_width())
    if title:
        print_lines([title])
    print_lines(layout.lines)
    if layout.left_out:
        print_lines([f"Too narrow for: {', '.join(layout.left_out)}.{f' {elsewhere}' if elsewhere else ''}"])
    for number, note in layout.notes:
        named = [str(value) for value, column in zip(rows[number], columns, strict=True) if column.is_key and value]
        print_wrapped(f"{' '.join(named)}: {note}")


def print_wrapped(text: str) -> None:
    """A sentence on stdout, broken between words alone where a terminal is too narrow."""
    width = terminal_width()
    if width is None:
        print_lines([text])
        return
    print_lines(textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) or [""])


def print_lines(lines: Iterable[str]) -> None:
    """Lines on stdout as they are; where it takes no Unicode, what is drawn is drawn in ASCII."""
    text = "".join(f"{line}\n" for line in lines)
    sys.stdout.write(text if is_unicode(sys.stdout) else text.translate(_IN_ASCII))


_IN_ASCII = str.maketrans({"─": "-", "…": "~", "⏎": " "})


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


def money(totals: Mapping[str, Decimal], exact: bool = False) -> str:
    """Totals by currency for people."""
    return ", ".join(f"{amount_shown(amount, exact)} {currency}" for currency, amount in sorted(totals.items()))


def amount_shown(amount: Decimal, exact: bool = False) -> str:
    """An amount: in cents on a terminal, all its digits with ``exact`` and wherever else stdout goes."""
    return cents(amount) if exact or terminal_width() is None else rounded(amount)


def cents(amount: Decimal) -> str:
    """An exact amount with at least two fractional digits."""
    whole, _, fraction = plain_decimal(amount).partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"
