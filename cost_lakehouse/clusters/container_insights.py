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
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, BinaryIO, NoReturn

from cost_lakehouse.clusters.reserved import Amount, Node, node_usages
from cost_lakehouse.clusters.usage import Said, Usage, Workload, labels_of, namespace_of, resource_of
from cost_lakehouse.errors import SourceError
from cost_lakehouse.formats.decimals import EXACT

_LONGEST_LINE = 4 * 1024 * 1024  # an event has 1 MiB at most
_MIB = 2**20
# Quicker than JSON: most events are of other types, such as networks and disks.
_READ = re.compile(rb'"Type": ?"(?:Pod|Node|ContainerFS)"|"TaskId"')


@dataclass
class PerformanceEvents:
    """What a cluster's exported events say, added up by day and node. Give it every file, then ask for ``usages``."""

    cluster: str
    wanted: Callable[[date], bool]
    labels: Sequence[str] = ()
    _pods: dict[Node, dict[Workload, Amount]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Amount)))
    _volumes: dict[Node, dict[Workload, Decimal]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))
    _capacities: dict[Node, Amount] = field(default_factory=lambda: defaultdict(Amount))
    _clusters: dict[Node, str] = field(default_factory=dict)
    _hours: dict[date, set[int]] = field(default_factory=lambda: defaultdict(set))

    def read(self, content: BinaryIO, place: str) -> None:
        """Add a file's events of the wanted days. Raises SourceError with file and line where it is no such export."""
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

    @property
    def complete_days(self) -> set[date]:
        """The days that the events reach over: from their first hour, or the day before, to their last, or the day after."""
        one = timedelta(days=1)
        return {
            day
            for day, hours in self._hours.items()
            if (0 in hours or day - one in self._hours) and (23 in hours or day + one in self._hours)
        }

    def usages(self) -> Iterator[Usage]:
        """The weights of nodes and volumes, on complete days alone."""
        complete = self.complete_days
        pods = {node: found for node, found in self._pods.items() if node[0] in complete}
        capacities = {node: found for node, found in self._capacities.items() if node[0] in complete}
        yield from node_usages(pods, capacities, self._clusters, Said.INSIGHTS)
        for (day, volume), weights in sorted(self._volumes.items()):
            if day in complete:
                for workload, weight in weights.items():
                    yield Usage(day, volume, workload, weight, Said.INSIGHTS)

    def _add(self, line: bytes, where: str) -> None:
        moment, _, text = line.partition(b" ")
        try:
            event = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=lambda _: _refuse(where))
            at = _moment(event.get("Timestamp"), moment)
        except (ValueError, AttributeError, OverflowError, ArithmeticError):
            _refuse(where)
        day = at.date()
        if not self.wanted(day):
            return
        self._hours[day].add(at.hour)
        cluster = _text(event.get("ClusterName")) or self.cluster
        kind = event.get("Type")
        if kind == "ContainerFS":
            volume = resource_of(_text(event.get("EBSVolumeId")))
            if volume is not None:
                workload = self._pod(event, cluster)
                stored = _number(event, "container_filesystem_usage", where)
                self._volumes[day, volume][workload] = EXACT.add(self._volumes[day, volume][workload], stored)
            return
        node = (day, resource_of(_text(event.get("InstanceId") or event.get("EC2InstanceId"))) or "")
        if not node[1]:  # on Fargate there is no node to split
            return
        self._clusters[node] = cluster
        if kind == "Node":
            there = _amount(event, where, "node_cpu_limit", "node_memory_limit")
            self._capacities[node] = self._capacities[node].plus(there)
        elif kind == "Pod":
            reserved = _amount(event, where, "pod_cpu_request", "pod_memory_request")
            used = _amount(event, where, "pod_cpu_usage_total", "pod_memory_working_set")
            self._allocate(node, self._pod(event, cluster), reserved.or_more(used))
        elif kind == "Container" and "TaskId" in event:
            reserved = _of_ecs(_amount(event, where, "CpuReserved", "MemoryReserved"))
            used = _of_ecs(_amount(event, where, "CpuUtilized", "MemoryUtilized"))
            family = _text(event.get("TaskDefinitionFamily"))
            task = Workload(cluster, "(ecs)", "TaskDefinition" if family else None, family, _text(event["TaskId"]))
            self._allocate(node, task, reserved.or_more(used))

    def _allocate(self, node: Node, workload: Workload, amount: Amount) -> None:
        self._pods[node][workload] = self._pods[node][workload].plus(amount)

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
