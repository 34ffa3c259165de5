"""What the first page is asked for: all of it stands in the address, and every link is this state with a change. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

from cost_lakehouse.ask.dimensions import dimension, measure
from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.ask.request import Condition, Range, conditions_of
from cost_lakehouse.serve.parameters import Parameters

NAMES = ("month", "filter", "by", "tag", "basis")
CHARTED = ("service", "account", "region", "type", "source")


@dataclass(frozen=True)
class State:
    """A month and what narrows it; ``by`` is what the days' bars are made of, ``tag`` the key of the table of tags."""

    month: date
    conditions: tuple[Condition, ...] = ()
    by: str = "service"
    tag: str | None = None
    basis: str = "billed"

    @property
    def link(self) -> str:
        """The page's address in this state; what is as by default is left out."""
        pairs = [("month", f"{self.month:%Y-%m}"), *filters(self.conditions)]
        given = {"by": self.by, "tag": self.tag, "basis": self.basis}
        usual = {"by": "service", "tag": None, "basis": "billed"}
        pairs += [(name, value) for name, value in given.items() if value is not None and value != usual[name]]
        return f"/?{urlencode(pairs)}"

    def months_on(self, count: int) -> State:
        """The same of a month so many months later."""
        return replace(self, month=plus_months(self.month, count))

    def narrowed(self, name: str, value: str | None) -> State:
        """Only what has that value; an empty one stands for none. Another condition on the same dimension is replaced."""
        others = tuple(condition for condition in self.conditions if condition.name != name)
        return replace(self, conditions=(*others, Condition(name, (value or "",))))

    def without(self, condition: Condition) -> State:
        """The same without a condition."""
        return replace(self, conditions=tuple(other for other in self.conditions if other != condition))

    def charted(self, by: str) -> State:
        """The same with other bars."""
        return replace(self, by=by)


def state_of(parameters: Parameters, newest: date) -> State:
    """The state that an address means. Raises ConfigurationError where it makes no sense."""
    by, basis = parameters.text("by") or "service", parameters.text("basis") or "billed"
    dimension(by)
    measure(basis)
    tag = parameters.text("tag") or None
    if tag is not None:
        dimension(f"tag:{tag}")
    return State(parameters.month("month") or newest, conditions_of(parameters.texts("filter")), by, tag, basis)


def csv_link(state: State, asked: Range, **more: str) -> str:
    """The address of the same costs, exact, as CSV."""
    begin, end = (f"{day:%Y-%m}" if asked.of_bills else f"{day}" for day in (asked.begin, asked.end))
    basis = {} if state.basis == "billed" else {"basis": state.basis}
    pairs = [("from", begin), ("to", end), *filters(state.conditions), *(more | basis).items(), ("format", "csv")]
    return f"/v1/costs?{urlencode(pairs)}"


def filters(conditions: Iterable[Condition]) -> list[tuple[str, str]]:
    """Conditions as parameters of an address."""
    return [("filter", condition_text(condition)) for condition in conditions]


def condition_text(condition: Condition) -> str:
    """A condition as it is written: a value that holds a comma or a quote stands in quotes."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(condition.values)
    values = "" if condition.values == ("",) else buffer.getvalue()
    return f"{condition.name}{'~' if condition.contains else '='}{values}"
