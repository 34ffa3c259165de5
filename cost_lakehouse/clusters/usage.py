"""What ran on a node or volume on a day, and how much of it that was: weights, never costs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum
from typing import Any

IDLE, NO_DATA, NOT_IN_THE_BILL = "(idle)", "(no cluster data)", "(not in the bill)"
UNMOUNTED = "(unmounted)"
SPECIAL = {"__idle__": IDLE, "__unallocated__": "(unallocated)", "__unmounted__": UNMOUNTED}
"""OpenCost's names of what is no namespace, and ours."""
_RESOURCE = re.compile(r"\b(?:i|vol)-[0-9a-f]+\b")


class Said(IntEnum):
    """Who says what was used; the lowest that says something of a node and day is believed."""

    BILL = 1
    ALLOCATION = 2
    PARQUET = 3
    PROMETHEUS = 4
    INSIGHTS = 5
    CSV = 6

    @property
    def label(self) -> str:
        """As ``marts.cluster_costs.weight_source`` has it."""
        return _LABELS[self]


_LABELS = {
    Said.BILL: "cur_split",
    Said.ALLOCATION: "opencost_allocation",
    Said.PARQUET: "opencost_parquet",
    Said.PROMETHEUS: "prometheus",
    Said.INSIGHTS: "container_insights",
    Said.CSV: "opencost_csv",
}


@dataclass(frozen=True)
class Workload:
    """Who used it: of a cluster, by namespace and controller, perhaps pod; ``labels`` are JSON."""

    cluster: str
    namespace: str
    controller_kind: str | None = None
    controller: str | None = None
    pod: str | None = None
    labels: str = "{}"


@dataclass(frozen=True)
class Usage:
    """A workload's weight on a day; ``resource`` is the node or volume, None where only the cluster is known."""

    day: date
    resource: str | None
    workload: Workload
    weight: Decimal
    said: Said


def namespace_of(text: str | None) -> str:
    """A namespace as it is shown: OpenCost's special names in brackets, as ours are."""
    return SPECIAL.get(text or "", text or "(none)")


def labels_of(given: Mapping[str, Any], wanted: Sequence[str]) -> str:
    """Those of a pod's labels that are wanted and there, as JSON."""
    return json.dumps({name: given[name] for name in sorted(wanted) if given.get(name)}, ensure_ascii=False, sort_keys=True)


def resource_of(provider_id: str | None) -> str | None:
    """The instance or volume that a provider id names, such as ``aws:///eu-west-1a/i-0abc``; None where it names none."""
    found = _RESOURCE.search(provider_id or "")
    return found[0] if found else None


def container_of(arn: str) -> Workload | None:
    """The pod or task of a split row's ARN; None where it is neither.

    ``arn:aws:eks:REGION:ACCOUNT:pod/CLUSTER/NAMESPACE/POD/UID`` and ``arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID``.
    """
    parts = arn.split(":", 5)[-1].split("/")
    if parts[0] == "pod" and len(parts) >= 4:
        return Workload(parts[1], namespace_of(parts[2]), None, None, parts[3])
    if parts[0] == "task" and len(parts) == 3:
        return Workload(parts[1], "(ecs)", "Task", None, parts[2])
    return None
