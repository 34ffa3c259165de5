"""Answers of the query core as OpenCost's sets of costs, and the table, totals and graph that are made of them. Pure.

Amounts stay decimals: JSON numbers may have as many digits as they like, and are written with all of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.serve.opencost.properties import UNALLOCATED, dimension_of, shown_value
from cost_lakehouse.serve.opencost.query import METRICS, Query
from cost_lakehouse.serve.opencost.windows import Window, sets_of

GRAPH_ITEMS = 10

Values = tuple[str, ...]
"""The values of the properties that are asked for, "" where one is missing."""


@dataclass
class Metric:
    """An amount, and how much of it clusters caused."""

    cost: Decimal = Decimal(0)
    of_clusters: Decimal = Decimal(0)

    def add(self, other: Metric) -> None:
        """Add another's."""
        self.cost = EXACT.add(self.cost, other.cost)
        self.of_clusters = EXACT.add(self.of_clusters, other.of_clusters)

    @property
    def kubernetes_percent(self) -> float:
        """The clusters' share, from 0 to 1."""
        return min(1.0, max(0.0, float(self.of_clusters / self.cost))) if self.cost else 0.0

    @property
    def document(self) -> dict[str, Any]:
        """As it stands in an answer."""
        return {"cost": self.cost, "kubernetesPercent": self.kubernetes_percent}


@dataclass
class Cost:
    """What has the same values of all properties, by metric."""

    metrics: dict[str, Metric] = field(default_factory=lambda: {name: Metric() for name in METRICS})

    def add(self, other: Cost) -> None:
        """Add another's amounts."""
        for name, metric in self.metrics.items():
            metric.add(other.metrics[name])


Days = dict[date, dict[Values, Cost]]


def days_of(query: Query, metric: str, rows: Iterable[Row], outside: Iterable[Row], into: Days) -> None:
    """Put the rows of one metric where they belong; ``outside`` are those of lines that no cluster caused."""
    for found, is_outside in ((rows, False), (outside, True)):
        for row in found:
            cost = into.setdefault(row.bucket or query.window.begin, {}).setdefault(_values(query, row.values), Cost())
            amount = EXACT.minus(row.cost) if is_outside else row.cost
            cost.metrics[metric].add(Metric(Decimal(0) if is_outside else row.cost, amount))


def sets(query: Query, days: Days) -> list[tuple[Window, dict[Values, Cost]]]:
    """The costs of every part of the window, of those without any too."""
    return [(part, _summed(there for day, there in days.items() if part.begin <= day < part.end)) for part in _parts(query)]


def sets_document(query: Query, days: Days) -> dict[str, Any]:
    """``/cloudCost``."""
    return {
        "sets": [
            {
                "cloudCosts": {_key(values): _cost(query, part, values, cost) for values, cost in sorted(there.items())},
                "window": part.document,
                "aggregationProperties": list(query.properties),
            }
            for part, there in sets(query, days)
        ],
        "window": query.window.document,
    }


def table_rows(query: Query, days: Days) -> list[dict[str, Any]]:
    """``/cloudCost/view/table``: the whole window, sorted, and the page of it that is asked for."""
    found = [(_key(values), cost.metrics[query.metric], values) for values, cost in _summed(days.values()).items()]
    found.sort(key=lambda row: row[0])

    def rank(row: tuple[str, Metric, Values]) -> Any:
        if query.sort == "name":
            return row[0]
        return row[1].cost if query.sort == "cost" else row[1].kubernetes_percent

    found.sort(key=rank, reverse=query.downwards)
    end = None if query.limit is None else query.offset + query.limit
    return [_row(name, _labels(query, values), metric) for name, metric, values in found[query.offset : end]]


def totals(query: Query, days: Days) -> dict[str, Any] | None:
    """``/cloudCost/view/totals``: how many rows the table has, and what they come to; None where there are none."""
    whole = _summed(days.values())
    if not whole:
        return None
    total = Metric()
    for cost in whole.values():
        total.add(cost.metrics[query.metric])
    return {"numResults": len(whole), "combined": _row("Totals", {}, total)}


def graph(query: Query, days: Days) -> list[dict[str, Any]]:
    """``/cloudCost/view/graph``: the dearest of each set; all others are added up in one more, ``Other``."""
    if not days:
        return []
    found = []
    for part, there in sets(query, days):
        items = sorted(
            ((_key(values), cost.metrics[query.metric].cost) for values, cost in there.items()),
            key=lambda item: (-item[1], item[0]),
        )
        shown = items[:GRAPH_ITEMS]
        if others := items[GRAPH_ITEMS:]:
            rest = Decimal(0)
            for _, amount in others:
                rest = EXACT.add(rest, amount)
            shown.append(("Other", rest))
        found.append({**part.document, "items": [{"name": name, "value": amount} for name, amount in shown]})
    return found


def _parts(query: Query) -> Sequence[Window]:
    return sets_of(query.window, query.accumulate)


def _summed(parts: Iterable[Mapping[Values, Cost]]) -> dict[Values, Cost]:
    whole: dict[Values, Cost] = {}
    for part in parts:
        for values, cost in part.items():
            whole.setdefault(values, Cost()).add(cost)
    return whole


def _values(query: Query, row: Sequence[str | None]) -> Values:
    by_dimension = dict(zip(query.groups, row, strict=True))
    dimensions = [(name, dimension_of(name)) for name in query.properties]
    return tuple(shown_value(name, by_dimension[known] if known else None) for name, known in dimensions)


def _key(values: Values) -> str:
    return "/".join(value or UNALLOCATED for value in values)


def _labels(query: Query, values: Values) -> dict[str, str]:
    named = zip(query.properties, values, strict=True)
    return {name.removeprefix("label:"): value for name, value in named if name.startswith("label:") and value}


def _row(name: str, labels: Mapping[str, str], metric: Metric) -> dict[str, Any]:
    return {"name": name, "labels": labels, "kubernetesPercent": metric.kubernetes_percent, "cost": metric.cost}


def _cost(query: Query, part: Window, values: Values, cost: Cost) -> dict[str, Any]:
    named = zip(query.properties, values, strict=True)
    properties = {name: value for name, value in named if value and not name.startswith("label:")}
    return {
        "properties": {**properties, "labels": _labels(query, values)},
        "window": part.document,
        **{name: metric.document for name, metric in cost.metrics.items()},
    }
