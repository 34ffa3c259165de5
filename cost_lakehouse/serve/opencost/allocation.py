"""``/allocation``: costs of ``marts.cluster_costs`` as OpenCost tells what ran in clusters. Pure.

Amounts are the bill's, split; what the marts do not have, such as cores and bytes, is left out rather than made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.ask.clauses import All, Clause, Compared, Not
from cost_lakehouse.ask.request import Granularity, Range, Request
from cost_lakehouse.clusters.usage import IDLE, SPECIAL
from cost_lakehouse.errors import ConfigurationError, shortened
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.serve.opencost.filters import Vocabulary, clause_of
from cost_lakehouse.serve.opencost.properties import UNALLOCATED
from cost_lakehouse.serve.opencost.windows import Window, accumulate_of, sets_of, steps_of, window_of
from cost_lakehouse.serve.parameters import Parameters

# What would change amounts in a way that the bill does not tell: clients may say that they do not want it.
NOT_OFFERED = ("shareIdle", "sharelb", "includeProportionalAssetResourceCosts", "includeAggregatedMetadata")
# ``metrics`` names the amounts that a client will look at: all are in the answer, as OpenCost has them.
PARAMETERS = (
    "window", "aggregate", "step", "resolution", "accumulate", "accumulateBy", "includeIdle", "idleByNode", "filter",
    "currency", "format", "metrics", *NOT_OFFERED,
)  # fmt: skip
MOST_PROPERTIES = 12
VOLUME = "volume"
_IDLE_NAME = "__idle__"
_NAMESPACES = {ours: "" if theirs == UNALLOCATED else theirs for theirs, ours in SPECIAL.items()}

# The marts tell of no containers, services and annotations: those are always missing.
_PROPERTIES: Mapping[str, str | None] = {
    "cluster": "cluster",
    "node": "node",
    "namespace": "namespace",
    "controllerKind": "controller_kind",
    "controller": "controller",
    "pod": "pod",
    "container": None,
    "service": None,
}
# A controller of that kind; others are missing.
_KINDS = ("deployment", "statefulset", "daemonset", "job", "cronjob")
PROPERTIES = (*_PROPERTIES, *_KINDS)
_USUAL = ("cluster", "node", "namespace", "controllerKind", "controller", "pod")
VOCABULARY = Vocabulary(
    {**_PROPERTIES, "controllerName": "controller", "services": None, "providerID": "node"},
    "cluster_label",
    {"namespace": _NAMESPACES},
)


@dataclass(frozen=True)
class Query:
    """``sets`` are the parts of the window that are told apart; ``properties`` tell allocations apart."""

    window: Window
    sets: Sequence[Window]
    properties: tuple[str, ...]
    with_idle: bool
    idle_by_node: bool
    clause: Clause
    currency: str | None

    @property
    def groups(self) -> tuple[str, ...]:
        """The dimensions of the properties, each once, and whether it is a node or a volume."""
        found = (dimension for name in self.properties for dimension in dimensions_of(name))
        return (*dict.fromkeys(found), "resource_kind")


@dataclass
class Allocation:
    """What nodes and volumes cost that has the same values of all properties."""

    properties: Mapping[str, str]
    of_nodes: Decimal = Decimal(0)
    of_volumes: Decimal = Decimal(0)

    def add(self, kind: str | None, cost: Decimal) -> None:
        """Add what a node, or a volume, cost."""
        if kind == VOLUME:
            self.of_volumes = EXACT.add(self.of_volumes, cost)
        else:
            self.of_nodes = EXACT.add(self.of_nodes, cost)


@dataclass
class Found:
    """The allocations of each set, by their names."""

    query: Query
    sets: list[dict[str, Allocation]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sets = [{} for _ in self.query.sets]

    def add(self, rows: Iterable[Row], groups: Sequence[str], are_idle: bool) -> None:
        """Put the rows of a question with these groups where they belong."""
        for row in rows:
            values = dict(zip(groups, row.values, strict=True))
            name, properties = _idle(self.query, values) if are_idle else _named(self.query, values)
            there = self.sets[_index(self.query.sets, row.bucket)]
            there.setdefault(name, Allocation(properties)).add(values["resource_kind"], row.cost)

    @property
    def document(self) -> list[dict[str, Any]]:
        """A map of allocations for each set."""
        return [
            {name: _allocation(name, one, part) for name, one in sorted(there.items())}
            for part, there in zip(self.query.sets, self.sets, strict=True)
        ]


def query_of(parameters: Parameters, now: datetime) -> Query:
    """What is asked. Raises ConfigurationError where it makes no sense."""
    window = window_asked(parameters, now)
    names = [part for part in (parameters.text("aggregate") or "").split(",") if part.strip()]
    properties = tuple(dict.fromkeys(map(_property_of, names))) or _USUAL
    if len(properties) > MOST_PROPERTIES:
        raise ConfigurationError(f"{len(properties)} properties are too many.", f"Aggregate by {MOST_PROPERTIES} at most.")
    for name in NOT_OFFERED:
        if _flag(parameters, name):
            raise ConfigurationError(f"{name} is not offered here.", "Leave it out: docs/opencost-api.md says what is.")
    if (parameters.text("format") or "json").strip().lower() != "json":
        raise ConfigurationError(
            "Allocations come as JSON alone.", "Leave format out; /v1/costs answers as CSV, by cluster too."
        )
    accumulate = parameters.text("accumulateBy") or parameters.text("accumulate") or "false"
    if accumulate.strip().lower() in ("false", "none"):
        sets: Sequence[Window] = steps_of(window, parameters.text("step") or "")
    else:
        sets = sets_of(window, accumulate_of(accumulate))
    return Query(
        window,
        sets,
        properties,
        _flag(parameters, "includeIdle"),
        _flag(parameters, "idleByNode"),
        clause_of(parameters.text("filter") or "", VOCABULARY),
        parameters.text("currency"),
    )


def window_asked(parameters: Parameters, now: datetime) -> Window:
    """The window, which must be given. Raises ConfigurationError."""
    text = parameters.text("window")
    if text is None:
        raise ConfigurationError("There is no window.", "Ask with window=7d, for example.")
    return window_of(text, now)


def question_of(query: Query, currency: str) -> Request:
    """What everything costs that is not idle."""
    return _question(query, currency, query.groups, Not(Compared("namespace", IDLE)))


def idle_question_of(query: Query, currency: str) -> Request | None:
    """What is idle, node by node where that is wanted; None where nobody asks for it."""
    if not query.with_idle:
        return None
    groups = ("cluster", "node", "resource_kind") if query.idle_by_node else ("cluster", "resource_kind")
    return _question(query, currency, groups, Compared("namespace", IDLE))


def dimensions_of(name: str) -> tuple[str, ...]:
    """The dimensions that decide a property, its own last; none where it is always missing."""
    if name.startswith("label:"):
        return (f"cluster_label:{name.removeprefix('label:')}",)
    if name in _KINDS:
        return ("controller_kind", "controller")
    dimension = _PROPERTIES.get(name)
    return () if dimension is None else (dimension,)


def _question(query: Query, currency: str, groups: tuple[str, ...], more: Clause) -> Request:
    return Request(
        Range(query.window.begin, query.window.end),
        granularity=Granularity.NONE if len(query.sets) == 1 else Granularity.DAY,
        groups=groups,
        currency=currency,
        where=All((query.clause, more)),
        most_groups=MOST_PROPERTIES + 1,
    )


def _property_of(text: str) -> str:
    name = text.strip()
    for family in ("label:", "annotation:"):
        if name.startswith(family) and name.removeprefix(family).strip():
            return f"{family}{name.removeprefix(family).strip()}"
    for known in PROPERTIES:
        if known.lower() == name.lower():
            return known
    raise ConfigurationError(
        f"{shortened(name)!r} is no property of an allocation.", f"Use some of {', '.join(PROPERTIES)}, label:KEY."
    )


def _flag(parameters: Parameters, name: str) -> bool:
    text = (parameters.text(name) or "false").strip().lower()
    if text not in ("true", "false"):
        raise ConfigurationError(f"{name} {shortened(text)!r} is neither true nor false.", "Write one of them.")
    return text == "true"


def _index(sets: Sequence[Window], day: date | None) -> int:
    if day is None:
        return 0
    return next(index for index, part in enumerate(sets) if part.begin <= day < part.end)


def _named(query: Query, values: Mapping[str, str | None]) -> tuple[str, dict[str, str]]:
    shown = {name: _shown(name, values) for name in query.properties}
    return "/".join(value or UNALLOCATED for value in shown.values()), {name: value for name, value in shown.items() if value}


def _idle(query: Query, values: Mapping[str, str | None]) -> tuple[str, dict[str, str]]:
    if not query.idle_by_node:
        return _IDLE_NAME, {}
    cluster, node = values["cluster"] or "", values["node"] or ""
    return f"{cluster}/{node}/{_IDLE_NAME}", {"cluster": cluster, "node": node}


def _shown(name: str, values: Mapping[str, str | None]) -> str:
    if name in _KINDS and (values["controller_kind"] or "").lower() != name:
        return ""
    value = next((values[dimension] or "" for dimension in dimensions_of(name)[-1:]), "")
    return _NAMESPACES.get(value, value) if name == "namespace" else value


def _allocation(name: str, one: Allocation, part: Window) -> dict[str, Any]:
    labels = {key.removeprefix("label:"): value for key, value in one.properties.items() if key.startswith("label:")}
    properties: dict[str, Any] = {key: value for key, value in one.properties.items() if not key.startswith("label:")}
    if node := properties.get("node"):
        properties["providerID"] = node
    zero = Decimal(0)
    return {
        "name": name,
        "properties": {**properties, "labels": labels},
        "window": part.document,
        **part.document,
        "minutes": (part.end - part.begin).days * 1440,
        # What a node costs is not told apart by CPU, memory and GPU: all of it stands in the first of them.
        "cpuCost": one.of_nodes,
        "gpuCost": zero,
        "ramCost": zero,
        "pvCost": one.of_volumes,
        "networkCost": zero,
        "loadBalancerCost": zero,
        "sharedCost": zero,
        "externalCost": zero,
        "totalCost": EXACT.add(one.of_nodes, one.of_volumes),
    }
