"""AWS Container Insights as weights: performance log events as CloudWatch Logs exports them to S3. Pure.

An export's ``….gz`` has a line for each event: its moment, a blank, and JSON. Pods and nodes of EKS and Kubernetes, and
containers of ECS on EC2, tell CPU and memory once a minute; file systems of containers tell volumes. Others are passed over.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, BinaryIO, NoReturn

from cost_lakehouse.clusters.reserved import Amount, Node, node_usages
from cost_lakehouse.clusters.usage import IDLE, Said, Usage, Workload, labels_of, namespace_of, resource_of
from cost_lakehouse.errors import SourceError
from cost_lakehouse.formats.decimals import EXACT

_LONGEST_LINE = 4 * 1024 * 1024  # an event has 1 MiB at most
_MIB = 2**20
# Quicker than JSON: most events are of other types, such as networks and disks.
_READ = re.compile(rb'"Type": ?"(?:Pod|Node|ContainerFS)"|"TaskId"')


class _Kind(StrEnum):
    """What an amount is of."""

    POD = "pod"
    NODE = "node"  # a node's capacity; its workload is what is idle
    VOLUME = "volume"  # bytes of it that a container has, as memory


_Key = tuple[_Kind, date, str, Workload]
"""What, on which day, on which node or volume, and whose."""


@dataclass
class PerformanceEvents:
    """What a cluster's exported events say, added up by day and node. Give it every file, then ask for ``usages``."""

    cluster: str
    labels: Sequence[str] = ()
    _amounts: dict[_Key, Amount] = field(default_factory=lambda: defaultdict(Amount))
    _hours: dict[date, set[int]] = field(default_factory=lambda: defaultdict(set))

    def read(self, content: BinaryIO, place: str) -> None:
        """Add a file's events. Raises SourceError with file and line where it is no such export."""
        number = 0
        try:
            with gzip.GzipFile(fileobj=content) as lines:
                while line := lines.readline(_LONGEST_LINE):
                    number += 1
                    if _READ.search(line):
                        self._add(line, f"{place}, line {number}")
                    elif number == 1 and b" {" not in line:
                        _refuse(f"{place}, line 1")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceError(f"{place} is no whole gzip file: {error}.", "Export the log group again.") from None

    def add(self, other: PerformanceEvents) -> None:
        """Add what another has."""
        for key, amount in other._amounts.items():
            self._amounts[key] = self._amounts[key].plus(amount)
        for day, hours in other._hours.items():
            self._hours[day] |= hours

    @property
    def document(self) -> dict[str, Any]:
        """All of it, to be kept as JSON."""
        amounts = [
            [kind, f"{day}", resource, list(astuple(workload)), f"{amount.cpu:f}", f"{amount.memory:f}"]
            for (kind, day, resource, workload), amount in self._amounts.items()
        ]
        return {"amounts": amounts, "hours": {f"{day}": sorted(hours) for day, hours in self._hours.items()}}

    def add_document(self, document: Mapping[str, Any]) -> None:
        """Add what was kept. Raises KeyError, TypeError, ValueError or ArithmeticError where it was something else."""
        for kind, day, resource, workload, cpu, memory in document["amounts"]:
            key = (_Kind(kind), date.fromisoformat(day), resource, Workload(*workload))
            self._amounts[key] = self._amounts[key].plus(Amount(Decimal(cpu), Decimal(memory)))
        for day, hours in document["hours"].items():
            self._hours[date.fromisoformat(day)] |= set(hours)

    @property
    def complete_days(self) -> set[date]:
        """The days that the events reach over: from their first hour, or the day before, to their last, or the day after."""
        one = timedelta(days=1)
        return {
            day
            for day, hours in self._hours.items()
            if (0 in hours or day - one in self._hours) and (23 in hours or day + one in self._hours)
        }

    def usages(self, wanted: Callable[[date], bool]) -> Iterator[Usage]:
        """The weights of nodes and volumes, on wanted days that are complete."""
        complete = self.complete_days
        pods: dict[Node, dict[Workload, Amount]] = defaultdict(dict)
        capacities: dict[Node, Amount] = defaultdict(Amount)
        clusters: dict[Node, str] = {}
        for (kind, day, resource, workload), amount in self._amounts.items():
            if day not in complete or not wanted(day):
                continue
            if kind is _Kind.VOLUME:
                yield Usage(day, resource, workload, amount.memory, Said.INSIGHTS)
                continue
            clusters[day, resource] = workload.cluster
            if kind is _Kind.NODE:
                capacities[day, resource] = capacities[day, resource].plus(amount)
            else:
                pods[day, resource][workload] = amount
        yield from node_usages(pods, capacities, clusters, Said.INSIGHTS)

    def _add(self, line: bytes, where: str) -> None:
        moment, _, text = line.partition(b" ")
        try:
            event = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=lambda _: _refuse(where))
            at = _moment(event.get("Timestamp"), moment)
        except (ValueError, AttributeError, OverflowError, ArithmeticError):
            _refuse(where)
        day = at.date()
        self._hours[day].add(at.hour)
        cluster = _text(event.get("ClusterName")) or self.cluster
        kind = event.get("Type")
        if kind == "ContainerFS":
            volume = resource_of(_text(event.get("EBSVolumeId")))
            if volume is not None:
                stored = Amount(memory=_number(event, "container_filesystem_usage", where))
                self._add_amount((_Kind.VOLUME, day, volume, self._pod(event, cluster)), stored)
            return
        node = resource_of(_text(event.get("InstanceId") or event.get("EC2InstanceId")))
        if node is None:  # on Fargate there is no node to split
            return
        if kind == "Node":
            there = _amount(event, where, "node_cpu_limit", "node_memory_limit")
            self._add_amount((_Kind.NODE, day, node, Workload(cluster, IDLE)), there)
        elif kind == "Pod":
            reserved = _amount(event, where, "pod_cpu_request", "pod_memory_request")
            used = _amount(event, where, "pod_cpu_usage_total", "pod_memory_working_set")
            self._add_amount((_Kind.POD, day, node, self._pod(event, cluster)), reserved.or_more(used))
        elif kind == "Container" and "TaskId" in event:
            reserved = _of_ecs(_amount(event, where, "CpuReserved", "MemoryReserved"))
            used = _of_ecs(_amount(event, where, "CpuUtilized", "MemoryUtilized"))
            family = _text(event.get("TaskDefinitionFamily"))
            task = Workload(cluster, "(ecs)", "TaskDefinition" if family else None, family, _text(event["TaskId"]))
            self._add_amount((_Kind.POD, day, node, task), reserved.or_more(used))

    def _add_amount(self, key: _Key, amount: Amount) -> None:
        self._amounts[key] = self._amounts[key].plus(amount)

    def _pod(self, event: Mapping[str, Any], cluster: str) -> Workload:
        about = event.get("kubernetes")
        given: Mapping[str, Any] = about if isinstance(about, Mapping) else {}
        owners = given.get("pod_owners")
        owner = owners[0] if isinstance(owners, list) and owners and isinstance(owners[0], Mapping) else {}
        labels = given.get("labels")
        return Workload(
            cluster,
            namespace_of(_text(event.get("Namespace")) or _text(given.get("namespace_name"))),
            _text(owner.get("owner_kind")),
            _text(owner.get("owner_name")) or _text(event.get("PodName")),
            _text(given.get("pod_name")),
            labels_of(labels if isinstance(labels, Mapping) else {}, self.labels),
        )


def _moment(stated: Any, exported: bytes) -> datetime:
    """The event's own moment, in milliseconds since 1970, or as text; else that of its line. Raises ValueError."""
    if stated is not None:
        return datetime.fromtimestamp(int(Decimal(str(stated))) / 1000, UTC)
    return datetime.fromisoformat(exported.decode("ascii")).astimezone(UTC)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(event: Mapping[str, Any], name: str, where: str) -> Decimal:
    """What is not stated is nothing: a pod without a request reserves none. Raises SourceError where it is no number."""
    value = event.get(name, Decimal(0))
    if not isinstance(value, Decimal):
        raise SourceError(f"{where}: {name} is no number.", "Export the log group again.")
    return max(value, Decimal(0))


def _amount(event: Mapping[str, Any], where: str, cpu: str, memory: str) -> Amount:
    return Amount(_number(event, cpu, where), _number(event, memory, where))


def _of_ecs(stated: Amount) -> Amount:
    """ECS states CPU in units, 1024 to a core, and memory in MiB."""
    return Amount(EXACT.multiply(stated.cpu, Decimal("0.9765625")), EXACT.multiply(stated.memory, Decimal(_MIB)))


def _refuse(where: str) -> NoReturn:
    raise SourceError(
        f"{where} is no event of Container Insights.",
        "Put exports of a log group `/aws/containerinsights/CLUSTER/performance` alone there, beside OpenCost's files.",
    )
