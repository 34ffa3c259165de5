"""What is asked of OpenCost's routes: parameters in, questions to the core out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cost_lakehouse.ask.clauses import All, Clause, Compared, Not, one_of
from cost_lakehouse.ask.request import Granularity, Range, Request
from cost_lakehouse.errors import ConfigurationError, shortened
from cost_lakehouse.serve.opencost.filters import clause_of
from cost_lakehouse.serve.opencost.properties import ITEM, KUBERNETES_SERVICES, KUBERNETES_TAGS, dimension_of, property_of
from cost_lakehouse.serve.opencost.windows import Accumulate, Window, accumulate_of, window_of
from cost_lakehouse.serve.parameters import Parameters

METRICS: Mapping[str, str] = {
    "listCost": "list",
    "netCost": "net",
    "amortizedNetCost": "effective",
    "invoicedCost": "billed",
    "amortizedCost": "amortized",
}
"""The metrics of a cost in the order of an answer, and the basis that each is."""

COST_PARAMETERS = ("window", "aggregate", "accumulate", "filter", "costMetric", "currency")
VIEW_PARAMETERS = (*COST_PARAMETERS, "limit", "offset", "sortBy", "sortByOrder", "format")
_SORTS = ("cost", "name", "kubernetesPercent")
_MOST = 1_000_000
_MOST_PROPERTIES = 12


@dataclass(frozen=True)
class Query:
    """``properties`` tell costs apart; ``metric`` is the one that views show. ``limit`` None: all rows."""

    window: Window
    accumulate: Accumulate
    properties: tuple[str, ...]
    clause: Clause
    metric: str
    currency: str | None
    limit: int | None
    offset: int
    sort: str
    downwards: bool
    as_csv: bool

    @property
    def groups(self) -> tuple[str, ...]:
        """The dimensions of the properties, each once."""
        found = (dimension_of(name) for name in self.properties)
        return tuple(dict.fromkeys(name for name in found if name is not None))


def query_of(parameters: Parameters, now: datetime) -> Query:
    """What is asked. Raises ConfigurationError where it makes no sense."""
    window = parameters.text("window")
    if window is None:
        raise ConfigurationError("There is no window.", "Ask with window=7d, for example.")
    names = [part for part in (parameters.text("aggregate") or "").split(",") if part.strip()]
    # A client that wants everything apart asks for "item".
    properties = tuple(dict.fromkeys(property_of(name) for name in names if name.strip() != "item")) or ITEM
    if len(properties) > _MOST_PROPERTIES:
        raise ConfigurationError(f"{len(properties)} properties are too many.", f"Aggregate by {_MOST_PROPERTIES} at most.")
    limit = parameters.number("limit", 0, _MOST)
    return Query(
        window_of(window, now),
        accumulate_of(parameters.text("accumulate") or ""),
        properties,
        clause_of(parameters.text("filter") or ""),
        _one_of("costMetric", parameters.text("costMetric") or "amortizedNetCost", tuple(METRICS)),
        parameters.text("currency"),
        limit or None,
        parameters.number("offset", 0, _MOST) or 0,
        _one_of("sortBy", parameters.text("sortBy") or "cost", _SORTS),
        _one_of("sortByOrder", parameters.text("sortByOrder") or "desc", ("asc", "desc")) == "desc",
        _one_of("format", parameters.text("format") or "json", ("json", "csv")) == "csv",
    )


def question_of(query: Query, metric: str, currency: str, by_day: bool) -> Request:
    """What the costs are."""
    return Request(
        Range(query.window.begin, query.window.end),
        granularity=Granularity.DAY if by_day else Granularity.NONE,
        groups=query.groups,
        basis=METRICS[metric],
        currency=currency,
        where=query.clause,
        most_groups=_MOST_PROPERTIES,
    )


def outside_clusters(asked: Request) -> Request:
    """The same question, of lines that no Kubernetes cluster caused: neither their service nor their tags say so."""
    services = Not(one_of("service", KUBERNETES_SERVICES))
    untagged = (Compared(f"tag:{key}", "") for key in KUBERNETES_TAGS)
    return replace(asked, where=All((asked.where, services, *untagged)))


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    for value in known:
        if value.lower() == text.strip().lower():
            return value
    raise ConfigurationError(f"{name} {shortened(text)!r} is none of its values.", f"Use one of {', '.join(known)}.")
