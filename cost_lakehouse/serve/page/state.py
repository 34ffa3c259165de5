"""What the first page is asked for: all of it stands in the address, and every link is this state with a change. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

from cost_lakehouse.ask.dimensions import check_money, dimension
from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.ask.request import Condition, Range, conditions_of
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.serve.parameters import Parameters

NAMES = ("month", "filter", "by", "tag", "basis", "currency", "cluster", "namespace")
CHARTED = ("service", "account", "region", "type", "source")


@dataclass(frozen=True)
class State:
    """A month and what narrows it; ``by`` is what the days' bars are made of, ``tag`` the key of the table of tags,
    ``currency`` the one that costs are told in (None: those that they are billed in).

    The table of clusters shows all of them, or the namespaces of ``cluster``, or the controllers of its ``namespace``.
    """

    month: date
    conditions: tuple[Condition, ...] = ()
    by: str = "service"
    tag: str | None = None
    basis: str = "billed"
    cluster: str | None = None
    namespace: str | None = None
    currency: str | None = None

    @property
    def link(self) -> str:
        """The page's address in this state; what is as by default is left out."""
        pairs = [("month", f"{self.month:%Y-%m}"), *filters(self.conditions)]
        given = {"by": self.by, "tag": self.tag, "basis": self.basis, "cluster": self.cluster, "namespace": self.namespace}
        given |= {"currency": self.currency}
        usual = {"by": "service", "basis": "billed"}
        pairs += [(name, value) for name, value in given.items() if value is not None and value != usual.get(name)]
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

    def inside(self, cluster: str | None, namespace: str | None = None) -> State:
        """The same with another table of clusters."""
        return replace(self, cluster=cluster, namespace=namespace)

    def charted(self, by: str) -> State:
        """The same with other bars."""
        return replace(self, by=by)


def state_of(parameters: Parameters, newest: date) -> State:
    """The state that an address means. Raises ConfigurationError where it makes no sense."""
    by, basis = parameters.text("by") or "service", parameters.text("basis") or "billed"
    dimension(by)
    check_money(basis)
    tag = parameters.text("tag") or None
    if tag is not None:
        dimension(f"tag:{tag}")
    cluster, namespace = parameters.text("cluster") or None, parameters.text("namespace") or None
    if namespace is not None and cluster is None:
        raise ConfigurationError("A namespace is a cluster's.", "Give cluster, too.")
    month = parameters.month("month") or newest
    currency = parameters.text("currency") or None
    return State(month, conditions_of(parameters.texts("filter")), by, tag, basis, cluster, namespace, currency)


def csv_link(state: State, asked: Range, **more: str) -> str:
    """The address of the same costs, exact, as CSV."""
    begin, end = (f"{day:%Y-%m}" if asked.of_bills else f"{day}" for day in (asked.begin, asked.end))
    basis = {} if state.basis == "billed" else {"basis": state.basis}
    currency = {} if state.currency is None else {"currency": state.currency}
    pairs = [("from", begin), ("to", end), *filters(state.conditions), *(more | basis | currency).items(), ("format", "csv")]
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
