"""What is asked: a range of days or of bills, what to group, keep and leave out, and what to compare it with."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from cost_lakehouse.ask.clauses import ALWAYS, Clause, names_of
from cost_lakehouse.ask.dimensions import APART, CLUSTERS, Dimension, Measure, dimension, dimensions, measure, measures
from cost_lakehouse.ask.rates import CURRENCY, Rates
from cost_lakehouse.errors import ConfigurationError, shortened

MOST_GROUPS = 4


class Granularity(StrEnum):
    """How long the parts are that the range is told in."""

    NONE = "none"
    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"


class Compare(StrEnum):
    """What the range is compared with: as long a range just before it, the same days of the month or the year before."""

    PREVIOUS = "previous"
    MONTH = "month"
    YEAR = "year"


class Order(StrEnum):
    """Which groups come first, and are kept by ``top``."""

    MOST = "-cost"
    LEAST = "cost"
    GREW = "-change"
    SHRANK = "change"
    NAME = "name"


@dataclass(frozen=True)
class Condition:
    """A dimension has one of some values: exactly these, or (``contains``) any that holds one, whatever its case.

    An empty text stands for a value that is missing. It holds too where one of ``either`` does.
    """

    name: str
    values: tuple[str, ...]
    contains: bool = False
    either: tuple[Condition, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The dimensions that decide it."""
        return (self.name, *(name for other in self.either for name in other.names))


@dataclass(frozen=True)
class Range:
    """Days from ``begin`` up to ``end``, which is no part of it; of usage, or (``of_bills``) of the bills of whole months.

    What a bill holds may have been used on days outside its month: a bill's total is that of its months.
    """

    begin: date
    end: date
    of_bills: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigurationError where it holds no day, or bills are not asked by whole months."""
        if self.begin >= self.end:
            raise ConfigurationError(f"Nothing lies between {self.begin} and {self.end}.", "Begin before the end.")
        if self.of_bills and not self.is_months:
            raise ConfigurationError(f"{self.begin} to {self.end}: bills are of whole months.", "Begin and end on the first.")

    @property
    def is_months(self) -> bool:
        """Whether it consists of whole months."""
        return self.begin.day == 1 and self.end.day == 1

    @property
    def months(self) -> int:
        """From the month that it begins in to the one that it ends before, as a number of months."""
        return (self.end.year - self.begin.year) * 12 + self.end.month - self.begin.month


@dataclass(frozen=True)
class Request:
    """One question. Costs of several currencies are never added: each has rows, an order and totals of its own. So has usage
    in each of its units, where the basis is ``usage``.

    ``top`` keeps so many groups of each currency and adds the others up in one row. ``where`` must hold beside the filters.
    A ``currency`` leaves the lines that are billed in it; with ``into`` costs are converted into that one by ``rates``.
    Without a ``basis`` it is billed, and of clusters effective, the one that they have.
    """

    range: Range
    granularity: Granularity = Granularity.NONE
    groups: tuple[str, ...] = ()
    filters: tuple[Condition, ...] = ()
    excludes: tuple[Condition, ...] = ()
    basis: str = ""
    top: int | None = None
    order: Order = Order.MOST
    compare: Compare | None = None
    currency: str | None = None
    where: Clause = ALWAYS
    into: str | None = None
    rates: Rates | None = None
    most_groups: int = MOST_GROUPS

    def __post_init__(self) -> None:
        """Raises ConfigurationError where the question makes no sense."""
        if len(self.groups) > self.most_groups:
            raise ConfigurationError(
                f"{len(self.groups)} groups are too many.", f"Group by {self.most_groups} dimensions at most."
            )
        if len(set(self.groups)) < len(self.groups):
            raise ConfigurationError(f"{', '.join(self.groups)}: a dimension stands twice.", "Name each once.")
        if self.top is not None and not self.groups:
            raise ConfigurationError("There is no order among the groups of nothing.", "Give top a dimension to group by.")
        if self.top is not None and self.top < 1:
            raise ConfigurationError(f"The top {self.top} are nothing.", "Write a number from 1 on.")
        if self.order in (Order.GREW, Order.SHRANK) and self.compare is None:
            raise ConfigurationError("Without a comparison nothing has changed.", "Add a comparison, or order by cost.")
        for name in self.dimension_names:
            dimension(name)
        if not self.basis:
            object.__setattr__(self, "basis", "effective" if self.apart == CLUSTERS else "billed")
        measure(self.basis)
        if self.measure.is_usage and "usage_unit" in self.groups:
            raise ConfigurationError("Usage is told apart by its units already.", "Leave usage_unit out of the groups.")
        if self.into is not None and (self.rates is None or self.measure.is_usage or self.currency is not None):
            raise ConfigurationError(
                "This cannot be converted.", "Name a table of rates in lakehouse.yaml (`currency_rates`), and ask for money."
            )
        if self.apart is not None:
            _check_goes_with(self.apart, self.dimensions, self.measure)

    @property
    def dimension_names(self) -> tuple[str, ...]:
        """Everything that is grouped by or asked for, once, groups first."""
        names = [*self.groups, *(name for condition in (*self.filters, *self.excludes) for name in condition.names)]
        return tuple(dict.fromkeys([*names, *names_of(self.where)]))

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The same, as the table has them."""
        return tuple(map(dimension, self.dimension_names))

    @property
    def apart(self) -> str | None:
        """The mart of ``APART`` that it asks: because of its first dimension that no other mart has."""
        return next((known.apart for known in self.dimensions if known.apart is not None), None)

    @property
    def measure(self) -> Measure:
        """The amount that is added up."""
        return measure(self.basis)


def _check_goes_with(mart: str, asked: Sequence[Dimension], basis: Measure) -> None:
    """Raises ConfigurationError where that mart does not have what is asked."""
    missing = [known.name for known in asked if not known.goes_with(mart)]
    if missing:
        there = ", ".join(known.name for known in dimensions() if known.goes_with(mart))
        raise ConfigurationError(f"{APART[mart]} have no {', '.join(missing)}.", f"Ask by some of {there}.")
    if mart not in basis.columns:
        there = " or ".join(known.name for known in measures() if mart in known.columns)
        raise ConfigurationError(f"{APART[mart]} are not told by the basis {basis.name}.", f"Use {there}.")


def in_currency(request: Request, currency: str | None, rates: Rates | None) -> Request:
    """The question in one currency: converted into it where there are rates; without, only what is billed in it, and so
    usage always. Raises ConfigurationError where it is none."""
    if currency is None:
        return request
    if not CURRENCY.fullmatch(currency):
        raise ConfigurationError(f"{shortened(currency)!r} is no currency.", "Write its code, such as EUR.")
    if rates is None or request.measure.is_usage:
        return replace(request, currency=currency)
    return replace(request, into=currency, rates=rates)


def conditions_of(texts: Sequence[str]) -> tuple[Condition, ...]:
    """``service=AmazonEC2,AmazonS3`` and ``service~ec2`` as conditions; one for each text.

    Raises ConfigurationError where a text is none of these.
    """
    return tuple(map(_condition, texts))


def _condition(text: str) -> Condition:
    positions = {sign: text.find(sign) for sign in "=~" if sign in text}
    if not positions:
        raise ConfigurationError(f"{text!r} is no condition.", "Write service=AmazonEC2, or service~ec2 for a part of it.")
    sign = min(positions, key=lambda candidate: positions[candidate])
    name, _, values = text.partition(sign)
    dimension(name)
    return Condition(name, _values(text, values), contains=sign == "~")


def _values(condition: str, text: str) -> tuple[str, ...]:
    """Values between commas, as in CSV: one that holds a comma stands in double quotes."""
    try:
        return tuple(next(csv.reader([text], strict=True), [])) or ("",)
    except csv.Error:
        raise ConfigurationError(
            f"{condition!r}: a value in quotes does not end where its quotes do.",
            'Write a value with a comma as "Acme, Inc.", with its own quotes doubled.',
        ) from None
