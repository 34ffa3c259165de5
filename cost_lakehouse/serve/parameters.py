"""A request's parameters: each known, each once unless it may be repeated, or the request is refused. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date
from enum import StrEnum
from typing import TypeVar

from cost_lakehouse.ask.ranges import bill_of
from cost_lakehouse.ask.rates import Rates
from cost_lakehouse.ask.request import Compare, Granularity, Order, Range, Request, conditions_of, in_currency
from cost_lakehouse.errors import ConfigurationError, shortened

Pairs = Sequence[tuple[str, str]]
"""A query string's names and values in order."""

MOST_PARAMETERS = 100
COST_PARAMETERS = (
    "from", "to", "month", "granularity", "group_by", "filter", "exclude", "basis", "top", "order", "compare", "currency",
)  # fmt: skip
_REPEATED = ("group_by", "filter", "exclude", "where")
_Choice = TypeVar("_Choice", bound=StrEnum)


class Parameters:
    """The parameters of one request, as they are known."""

    def __init__(self, pairs: Pairs, known: Collection[str]) -> None:
        """Raises ConfigurationError where one is not known, is there twice, or there are too many."""
        if len(pairs) > MOST_PARAMETERS:
            raise ConfigurationError(f"{len(pairs)} parameters are too many.", f"Ask with {MOST_PARAMETERS} at most.")
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in known:
                allowed = ", ".join(known) or "none"
                raise ConfigurationError(f"There is no parameter {shortened(name)!r} here.", f"Known parameters: {allowed}.")
            if name in self._values and name not in _REPEATED:
                raise ConfigurationError(f"The parameter {name} is there twice.", "Give it once.")
            self._values.setdefault(name, []).append(value)

    def text(self, name: str) -> str | None:
        """The value; None where there is none."""
        found = self._values.get(name)
        return found[0] if found else None

    def texts(self, name: str) -> list[str]:
        """All values of one that may be repeated."""
        return self._values.get(name, [])

    def listed(self, name: str) -> tuple[str, ...]:
        """The same, each of which may be several between commas."""
        return tuple(part for text in self.texts(name) for part in text.split(","))

    def choice(self, name: str, kind: type[_Choice], default: _Choice) -> _Choice:
        """One of a fixed set. Raises ConfigurationError."""
        text = self.text(name)
        if text is None:
            return default
        try:
            return kind(text)
        except ValueError:
            raise ConfigurationError(
                f"{name} {shortened(text)!r} is none of its values.", f"Use one of {', '.join(kind)}."
            ) from None

    def number(self, name: str, least: int, most: int) -> int | None:
        """A whole number within bounds. Raises ConfigurationError."""
        text = self.text(name)
        if text is None:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ConfigurationError(
                f"{name} {shortened(text)!r} is no number from {least} to {most}.", "Write it with digits alone."
            )
        return int(text)

    def month(self, name: str) -> date | None:
        """A month as its first day. Raises ConfigurationError."""
        text = self.text(name)
        return None if text is None else month_of(text)


def month_of(text: str) -> date:
    """``2026-10`` as the first of that month. Raises ConfigurationError."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
        raise ConfigurationError(f"{shortened(text)!r} is no month.", "Write it as YYYY-MM, such as 2026-10.")
    return _date(f"{text}-01", text)


def range_of(parameters: Parameters, newest: date) -> Range:
    """The range that ``month``, or ``from`` and ``to`` (no part of it), mean; the bills of ``newest`` where none is given.

    Months are bills, days are usage: ``from=2026-10&to=2026-11`` is the bills of October, ``from=2026-10-01&to=2026-11-01``
    what was used in October, on whatever bill. Raises ConfigurationError.
    """
    month, begin, end = parameters.month("month"), parameters.text("from"), parameters.text("to")
    if month is not None and (begin is not None or end is not None):
        raise ConfigurationError("month says the same as from and to.", "Leave month out, or from and to.")
    if begin is None and end is None:
        return bill_of(month or newest)
    if begin is None or end is None:
        missing = "from" if begin is None else "to"
        raise ConfigurationError(f"There is no {missing}.", "Give both; to is the first day, or month, that is no part of it.")
    if len(begin) != len(end):
        raise ConfigurationError(f"{shortened(begin)!r} and {shortened(end)!r} are not alike.", "Give two months, or two days.")
    if len(begin) == len("2026-10"):
        return Range(month_of(begin), month_of(end), of_bills=True)
    return Range(_date(begin, begin), _date(end, end))


def request_of(parameters: Parameters, newest: date, rates: Rates | None = None) -> Request:
    """The question that the parameters of ``/v1/costs`` ask; ``newest`` is the newest month that has bills. Where there are
    ``rates``, ``currency`` is what costs are converted into.

    Raises ConfigurationError where they make no sense.
    """
    compare = parameters.text("compare")
    question = Request(
        range_of(parameters, newest),
        granularity=parameters.choice("granularity", Granularity, Granularity.NONE),
        groups=parameters.listed("group_by"),
        filters=conditions_of(parameters.texts("filter")),
        excludes=conditions_of(parameters.texts("exclude")),
        basis=parameters.text("basis") or "",
        top=parameters.number("top", 1, 10_000),
        order=parameters.choice("order", Order, Order.MOST),
        compare=None if compare is None else parameters.choice("compare", Compare, Compare.PREVIOUS),
    )
    return in_currency(question, parameters.text("currency"), rates)


def _date(text: str, given: str) -> date:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) and "1970" <= text[:4] <= "2200":
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ConfigurationError(
        f"{shortened(given)!r} is no day or month.", "Write 2026-10-31, or 2026-10, between 1970 and 2200."
    )
