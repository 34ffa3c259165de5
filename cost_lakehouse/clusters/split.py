"""Costs of nodes and volumes split among what ran on them, to the last digit; what nobody used, and what no bill has. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cost_lakehouse.clusters.usage import IDLE, NO_DATA, NOT_IN_THE_BILL, Said, Usage, Workload
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.formats.proportions import counts_of, parts_of

BILLED_ONLY = "none"
"""The weight source of what was split by nothing."""


@dataclass(frozen=True)
class ResourceDay:
    """A node or volume on a day, in one currency."""

    day: date
    resource: str
    account_id: str | None
    currency_code: str | None


@dataclass(frozen=True)
class Cost:
    """What a bill says that it costs: the exact effective cost, of so many lines."""

    cost: Decimal
    line_item_count: int


@dataclass(frozen=True)
class ClusterCost:
    """What a workload bears of a node's or volume's day."""

    place: ResourceDay
    workload: Workload
    weight_source: str
    cost: Decimal
    line_item_count: int


Member = Mapping[tuple[date, str], str]
"""(day, node) -> the cluster that its tag names."""


def split(
    costs: Mapping[ResourceDay, Cost], usages: Iterable[Usage], members: Member, pods: Mapping[str, bool]
) -> list[ClusterCost]:
    """Every node's and volume's cost that is a cluster's, in parts that add up to it.

    By the best word there is on it: the bill's own split rows, else OpenCost's on the node, else OpenCost's on the cluster
    that its tag names. What is tagged and not spoken of is ``NO_DATA``; what is spoken of and not billed has a row of 0,
    ``NOT_IN_THE_BILL``. ``pods`` says of which clusters pods are told apart.
    """
    of_resource: dict[tuple[date, str], dict[Said, dict[Workload, Decimal]]] = defaultdict(dict)
    of_cluster: dict[tuple[date, str], dict[Workload, Decimal]] = defaultdict(dict)
    for usage in usages:
        workload = usage.workload if pods.get(usage.workload.cluster, False) else _without_pod(usage.workload)
        if usage.resource is None:
            weights = of_cluster[usage.day, usage.workload.cluster]
        else:
            weights = of_resource[usage.day, usage.resource].setdefault(usage.said, {})
        weights[workload] = EXACT.add(weights.get(workload, Decimal(0)), usage.weight)
    found: list[ClusterCost] = []
    for place, cost in costs.items():
        spoken = of_resource.get((place.day, place.resource))
        cluster = members.get((place.day, place.resource))
        if spoken:
            said = min(spoken)
            found += _parts(place, cost, spoken[said], said.label)
        elif cluster is not None:
            weights = of_cluster.get((place.day, cluster), {})
            found += (
                _parts(place, cost, weights, Said.CSV.label) if weights else [_whole(place, cost, Workload(cluster, NO_DATA))]
            )
    billed = {(place.day, place.resource) for place in costs}
    for (day, resource), by_source in sorted(of_resource.items()):
        if (day, resource) not in billed:
            said = min(by_source)
            for name in sorted({workload.cluster for workload in by_source[said]}):
                place = ResourceDay(day, resource, None, None)
                found.append(ClusterCost(place, Workload(name, NOT_IN_THE_BILL), said.label, Decimal(0), 0))
    return found


def _parts(place: ResourceDay, cost: Cost, weights: Mapping[Workload, Decimal], source: str) -> list[ClusterCost]:
    ordered = sorted(weights.items(), key=lambda item: _order(item[0]))
    values = [weight for _, weight in ordered]
    if not any(values):
        return [_whole(place, cost, Workload(ordered[0][0].cluster, IDLE), source)]
    places = max(max(-int(value.as_tuple().exponent), 0) for value in values)
    counts = counts_of(cost.line_item_count, [int(EXACT.scaleb(value, places)) for value in values])
    return [
        ClusterCost(place, workload, source, part, count)
        for (workload, weight), part, count in zip(ordered, parts_of(cost.cost, values), counts, strict=True)
        if weight
    ]


def _whole(place: ResourceDay, cost: Cost, workload: Workload, source: str = BILLED_ONLY) -> ClusterCost:
    return ClusterCost(place, workload, source, cost.cost, cost.line_item_count)


def _without_pod(workload: Workload) -> Workload:
    return Workload(workload.cluster, workload.namespace, workload.controller_kind, workload.controller, None, workload.labels)


def _order(workload: Workload) -> list[str]:
    named = (workload.cluster, workload.namespace, workload.controller_kind, workload.controller, workload.pod, workload.labels)
    return [value or "" for value in named]
