"""Weights by what pods reserved and used of a node's CPU and memory, as AWS's own split cost allocation data has it. Pure.

A pod is allocated the greater of what it reserved and what it used; CPU and memory count 9 : 1, a vCPU beside a GiB (AWS:
"Example of split cost allocation data", from Fargate's prices). What is left of a node is idle, and named, where AWS gives it
to the pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cost_lakehouse.clusters.usage import IDLE, Said, Usage, Workload
from cost_lakehouse.formats.decimals import EXACT

CPU_WEIGHT, MEMORY_WEIGHT = 9, 1
_MILLICORES, _GIB = 1000, 2**30


@dataclass(frozen=True)
class Amount:
    """CPU in millicores and memory in bytes, each over a time: all amounts of a node are over the same unit of it."""

    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(EXACT.add(self.cpu, other.cpu), EXACT.add(self.memory, other.memory))

    def or_more(self, other: Amount) -> Amount:
        """The greater of either."""
        return Amount(max(self.cpu, other.cpu), max(self.memory, other.memory))

    def less(self, other: Amount) -> Amount:
        """What is left, of each by itself; never less than nothing."""
        none = Decimal(0)
        return Amount(max(EXACT.subtract(self.cpu, other.cpu), none), max(EXACT.subtract(self.memory, other.memory), none))

    @property
    def weight(self) -> Decimal:
        """Both as one number, by the ratio; its unit is of no matter, as long as all of a node's are in it."""
        return EXACT.add(
            EXACT.multiply(self.cpu, Decimal(CPU_WEIGHT * _GIB)),
            EXACT.multiply(self.memory, Decimal(MEMORY_WEIGHT * _MILLICORES)),
        )


Node = tuple[date, str]
"""A day and an instance."""


def node_usages(
    pods: Mapping[Node, Mapping[Workload, Amount]], capacities: Mapping[Node, Amount], clusters: Mapping[Node, str], said: Said
) -> Iterator[Usage]:
    """The weights of each node's day: its pods', and what is left of its capacity where that is known.

    ``clusters`` names the cluster of every node.
    """
    for node in sorted({*pods, *capacities}):
        day, resource = node
        taken = Amount()
        for workload, amount in pods.get(node, {}).items():
            taken = taken.plus(amount)
            yield Usage(day, resource, workload, amount.weight, said)
        if node in capacities:
            yield Usage(day, resource, Workload(clusters[node], IDLE), capacities[node].less(taken).weight, said)
