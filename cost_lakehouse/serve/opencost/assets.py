"""``/assets``: nodes and volumes of clusters with what the bill says they cost, as OpenCost tells of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.ask.clauses import Clause
from cost_lakehouse.ask.request import Range, Request
from cost_lakehouse.errors import ConfigurationError, shortened
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.serve.opencost.allocation import PROPERTIES as ALLOCATED
from cost_lakehouse.serve.opencost.allocation import VOLUME, window_asked
from cost_lakehouse.serve.opencost.filters import Vocabulary, clause_of
from cost_lakehouse.serve.opencost.windows import Window
from cost_lakehouse.serve.parameters import Parameters

# Assets are of the whole window, and nothing of them is idle: what clients send of steps and idle parts changes nothing.
PARAMETERS = ("window", "aggregate", "filter", "currency", "step", "resolution", "accumulate", "includeIdle")
_MISSING = "__undefined__"
_KINDS = {"node": ("Node", "Compute"), VOLUME: ("Disk", "Storage")}
_FIXED = {"provider": "AWS", "service": "Kubernetes"}

# In the order of an asset's name. Bills of AWS alone have clusters; a resource has no name but its id.
_PROPERTIES: Mapping[str, str | None] = {
    "provider": None,
    "account": "account",
    "project": None,
    "category": "resource_kind",
    "cluster": "cluster",
    "type": "resource_kind",
    "service": None,
    "providerID": "node",
    "name": "node",
}
VOCABULARY = Vocabulary(
    {**{name: dimension for name, dimension in _PROPERTIES.items() if name != "type"}, "assetType": "resource_kind"},
    "cluster_label",
    {
        "category": {kind: category for kind, (_, category) in _KINDS.items()},
        "assetType": {kind: type_.lower() for kind, (type_, _) in _KINDS.items()},
    },
    _FIXED,
)


@dataclass(frozen=True)
class Query:
    """``properties`` tell assets apart."""

    window: Window
    properties: tuple[str, ...]
    clause: Clause
    currency: str | None

    @property
    def groups(self) -> tuple[str, ...]:
        """The dimensions of the properties, each once."""
        return tuple(dict.fromkeys(found for name in self.properties if (found := _PROPERTIES[name]) is not None))


def query_of(parameters: Parameters, now: datetime) -> Query:
    """What is asked. Raises ConfigurationError where it makes no sense."""
    names = [part for part in (parameters.text("aggregate") or "").split(",") if part.strip()]
    return Query(
        window_asked(parameters, now),
        tuple(dict.fromkeys(found for name in names if (found := _property_of(name)))) or tuple(_PROPERTIES),
        clause_of(parameters.text("filter") or "", VOCABULARY),
        parameters.text("currency"),
    )


def question_of(query: Query, currency: str) -> Request:
    """What they cost. By cluster in any case: costs of clusters are what is asked."""
    groups = tuple(dict.fromkeys((*query.groups, "cluster")))
    return Request(Range(query.window.begin, query.window.end), groups=groups, currency=currency, where=query.clause,
                   most_groups=len(_PROPERTIES))  # fmt: skip


def assets_document(query: Query, rows: Iterable[Row], groups: tuple[str, ...]) -> dict[str, Any]:
    """A map of assets; what has the same values of all properties is one."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        values = dict(zip(groups, row.values, strict=True))
        shown = {name: _shown(name, values) for name in query.properties}
        name = "/".join(value or _MISSING for value in shown.values())
        asset = found.setdefault(name, _asset(query, {key: value for key, value in shown.items() if value}))
        asset["totalCost"] = EXACT.add(asset["totalCost"], row.cost)
    return dict(sorted(found.items()))


def _property_of(text: str) -> str | None:
    """None of what only allocations and filters have: it tells no assets apart, and OpenCost passes over it.

    opencost-ui asks by ``assetType``, and shows asset by asset what it is told.
    """
    name = text.strip()
    for known in _PROPERTIES:
        if known.lower() == name.lower():
            return known
    if name.lower() in map(str.lower, (*ALLOCATED, "assetType")) or name.startswith(("label:", "annotation:")):
        return None
    raise ConfigurationError(f"{shortened(name)!r} is no property of an asset.", f"Use some of {', '.join(_PROPERTIES)}.")


def _shown(name: str, values: Mapping[str, str | None]) -> str:
    dimension = _PROPERTIES[name]
    if dimension is None:
        return _FIXED.get(name, "")
    value = values[dimension] or ""
    return _KINDS[value][name == "category"] if dimension == "resource_kind" else value


def _asset(query: Query, shown: Mapping[str, str]) -> dict[str, Any]:
    window = query.window
    return {
        "type": shown.get("type", "Any"),
        "properties": {name: value for name, value in shown.items() if name != "type"},
        "labels": {},
        "window": window.document,
        **window.document,
        "minutes": (window.end - window.begin).days * 1440,
        "adjustment": Decimal(0),
        "totalCost": Decimal(0),
    }
