"""Prometheus as weights: what is asked of it for one day, and what its answers say. Pure.

Metrics are kube-state-metrics' (version 2) and cAdvisor's, by their usual names. Amounts are added up hour by hour, minute by
minute, so that a pod counts as long as it ran; what is kept of a day are the answers as they came.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from cost_lakehouse.clusters.reserved import Amount, Node, node_usages
from cost_lakehouse.clusters.usage import UNMOUNTED, Said, Usage, Workload, labels_of, namespace_of, resource_of
from cost_lakehouse.errors import SourceError, shortened
from cost_lakehouse.formats.decimals import EXACT, exact_number, exact_sum

KEPT = ".prometheus.json"
"""How files end that hold a day's answers."""

HOUR = 3600
_MILLI = Decimal(1000)
_SHARE = Decimal("0.000000000001")  # of an hour that a pod of one name spent on several nodes
_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Query:
    """A question in PromQL: once at the day's end, or (``by_hour``) at the end of each of its hours."""

    promql: str
    by_hour: bool


Answer = Sequence[Mapping[str, Any]]
"""The ``result`` of an answer: series, each with its labels and values."""


def queries(match: str, labels: Sequence[str]) -> dict[str, Query]:
    """Everything that is asked of a day, by name; ``nodes`` is first: where it says nothing, nothing was scraped.

    Each metric is made one series an object first, so that two that scrape the same, such as a pair of replicas, count once.
    """

    def of(metric: str, *matchers: str) -> str:
        inner = ",".join((*matchers, *([match] if match else [])))
        return f"{metric}{{{inner}}}" if inner else metric

    def minutes(by: str, expression: str) -> Query:
        return Query(f"sum by ({by}) (sum_over_time(({expression})[1h:1m]))", by_hour=True)

    def of_running(by: str, metric: str) -> str:
        phase = of("kube_pod_status_phase", 'phase="Running"')
        running = f"max by (namespace, pod, uid) ({phase}) == 1"
        return f"max by (namespace, pod, uid, {by}) ({metric}) * on (namespace, pod, uid) group_left () ({running})"

    container = ('container!=""', 'container!="POD"', 'pod!=""')
    of_both = 'resource=~"cpu|memory"'
    requests = of("kube_pod_container_resource_requests", of_both)
    mounts = of("kube_pod_spec_volumes_persistentvolumeclaims_info")
    made = {
        "nodes": Query(f"max by (node, provider_id) (max_over_time({of('kube_node_info')}[1d]))", by_hour=False),
        "replicasets": Query(
            f"max by (namespace, replicaset, owner_kind, owner_name) (max_over_time({of('kube_replicaset_owner')}[1d]))",
            by_hour=False,
        ),
        "pods": minutes(
            "namespace, pod, node, created_by_kind, created_by_name",
            f"max by (namespace, pod, node, created_by_kind, created_by_name, uid) ({of('kube_pod_info')})",
        ),
        "cpu_used": Query(
            f"sum by (namespace, pod) (increase({of('container_cpu_usage_seconds_total', *container)}[1h]))", by_hour=True
        ),
        "memory_used": minutes("namespace, pod", of("container_memory_working_set_bytes", *container)),
        # Pods that are done keep their requests and volumes, and take nothing of them.
        "reserved": minutes("namespace, pod, resource", of_running("container, resource", requests)),
        "capacity": minutes("node, resource", f"max by (node, resource) ({of('kube_node_status_capacity', of_both)})"),
        "volumes": Query(
            "max by (persistentvolume, ebs_volume_id, csi_volume_handle) "
            f"(max_over_time({of('kube_persistentvolume_info')}[1d]))",
            by_hour=False,
        ),
        "claims": Query(
            "max by (namespace, persistentvolumeclaim, volumename) "
            f"(max_over_time({of('kube_persistentvolumeclaim_info')}[1d]))",
            by_hour=False,
        ),
        "mounts": minutes("namespace, pod, persistentvolumeclaim", of_running("persistentvolumeclaim", mounts)),
    }
    if labels:
        named = ", ".join(label_name(label) for label in labels)
        made["labels"] = Query(f"max by (namespace, pod, {named}) (max_over_time({of('kube_pod_labels')}[1d]))", by_hour=False)
    return made


def missing_metric(answers: Mapping[str, Answer]) -> str | None:
    """A metric without which all of a day would look idle; None where none is missing."""
    needed = {"pods": "kube_pod_info", "capacity": "kube_node_status_capacity"}
    lacking = [metric for name, metric in needed.items() if not answers[name]]
    if not answers["cpu_used"] and not answers["reserved"]:
        lacking.append("container_cpu_usage_seconds_total")
    return lacking[0] if lacking else None


def label_name(label: str) -> str:
    """What kube-state-metrics calls a label of Kubernetes."""
    return "label_" + re.sub(r"[^A-Za-z0-9_]", "_", label)


def kept(day: date, answers: Mapping[str, Answer]) -> bytes:
    """A day's answers as they are kept."""
    return json.dumps({"day": f"{day}", "answers": answers}, sort_keys=True).encode()


def prometheus_usage(
    content: bytes, place: str, cluster: str, wanted: Callable[[date], bool], labels: Sequence[str]
) -> Iterator[Usage]:
    """What a kept day says of its nodes. Raises SourceError where it is none, or a value is no number."""
    try:
        document = json.loads(content)
        day = date.fromisoformat(document["day"])
        found = _Day(place, day, cluster, {name: list(series) for name, series in document["answers"].items()}, labels)
        if wanted(day):
            yield from found.usages()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceError(f"{place} holds no answers of Prometheus.", "Delete it: the day is asked for again.") from None


Pod = tuple[str, str]
"""A namespace and a pod's name."""


class _Day:
    """One day's answers, brought together: pods with their nodes and owners, and what they took of them, hour by hour."""

    def __init__(
        self, place: str, day: date, cluster: str, answers: Mapping[str, list[Mapping[str, Any]]], labels: Sequence[str]
    ) -> None:
        self._place = place
        self._day = day
        self._cluster = cluster
        self._answers = answers
        self._wanted = labels
        self._instances = {
            _of(series, "node"): instance
            for series in self._series("nodes")
            if (instance := resource_of(_of(series, "provider_id"))) is not None
        }
        self._owners = {
            (_of(series, "namespace"), _of(series, "replicaset")): (_of(series, "owner_kind"), _of(series, "owner_name"))
            for series in self._series("replicasets")
        }
        self._labels = {
            (_of(series, "namespace"), _of(series, "pod")): {label: _of(series, label_name(label)) for label in labels}
            for series in self._series("labels")
        }

    def usages(self) -> Iterator[Usage]:
        workloads: dict[Pod, Workload] = {}
        presence: dict[Pod, dict[int, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(dict))
        for series in self._series("pods"):
            pod = (_of(series, "namespace"), _of(series, "pod"))
            workloads[pod] = self._workload(pod, _of(series, "created_by_kind"), _of(series, "created_by_name"))
            for hour, minutes in self._hours(series):
                on_nodes = presence[pod][hour]
                node = _of(series, "node")
                on_nodes[node] = EXACT.add(on_nodes.get(node, _NOTHING), minutes)
        pods: dict[Node, dict[Workload, Amount]] = defaultdict(lambda: defaultdict(Amount))
        for (pod, hour), amount in self._taken().items():
            for name, share in _shares(presence[pod].get(hour, {})).items():
                instance = self._instances.get(name)
                if instance is not None and pod in workloads:
                    there = pods[self._day, instance]
                    there[workloads[pod]] = there[workloads[pod]].plus(
                        Amount(EXACT.multiply(amount.cpu, share), EXACT.multiply(amount.memory, share))
                    )
        capacities = self._capacities()
        clusters = dict.fromkeys([*pods, *capacities], self._cluster)
        yield from node_usages(pods, capacities, clusters, Said.PROMETHEUS)
        yield from self._volumes(workloads)

    def _volumes(self, workloads: Mapping[Pod, Workload]) -> Iterator[Usage]:
        """Volumes by the pods that mounted them, each for as long as it did; one that none mounted is unmounted."""
        instances = {
            _of(series, "persistentvolume"): volume
            for series in self._series("volumes")
            if (volume := resource_of(_of(series, "ebs_volume_id") or _of(series, "csi_volume_handle"))) is not None
        }
        claimed = {
            (_of(series, "namespace"), _of(series, "persistentvolumeclaim")): instances.get(_of(series, "volumename"))
            for series in self._series("claims")
        }
        mounted: dict[str, dict[Workload, Decimal]] = {volume: {} for volume in sorted(instances.values())}
        for series in self._series("mounts"):
            pod = (_of(series, "namespace"), _of(series, "pod"))
            volume = claimed.get((pod[0], _of(series, "persistentvolumeclaim")))
            if volume is not None and pod in workloads:
                weights = mounted[volume]
                for _, minutes in self._hours(series):
                    weights[workloads[pod]] = EXACT.add(weights.get(workloads[pod], _NOTHING), minutes)
        for volume, weights in mounted.items():
            for workload, weight in (weights or {Workload(self._cluster, UNMOUNTED): Decimal(1)}).items():
                yield Usage(self._day, volume, workload, weight, Said.PROMETHEUS)

    def _taken(self) -> dict[tuple[Pod, int], Amount]:
        """What each pod reserved or used in each hour, whichever is more: millicores and bytes, over seconds."""
        used: dict[tuple[Pod, int], Amount] = defaultdict(Amount)
        reserved: dict[tuple[Pod, int], Amount] = defaultdict(Amount)
        for series in self._series("cpu_used"):
            for hour, seconds in self._hours(series):
                key = (_of(series, "namespace"), _of(series, "pod")), hour
                used[key] = used[key].plus(Amount(cpu=EXACT.multiply(seconds, _MILLI)))
        for series in self._series("memory_used"):
            for hour, memory in self._hours(series):
                key = (_of(series, "namespace"), _of(series, "pod")), hour
                used[key] = used[key].plus(_amount("memory", memory))
        for series in self._series("reserved"):
            for hour, value in self._hours(series):
                key = (_of(series, "namespace"), _of(series, "pod")), hour
                reserved[key] = reserved[key].plus(_amount(_of(series, "resource"), value))
        return {key: used[key].or_more(reserved[key]) for key in sorted({*used, *reserved})}

    def _capacities(self) -> dict[Node, Amount]:
        found: dict[Node, Amount] = defaultdict(Amount)
        for series in self._series("capacity"):
            instance = self._instances.get(_of(series, "node"))
            if instance is not None:
                for _, value in self._hours(series):
                    found[self._day, instance] = found[self._day, instance].plus(_amount(_of(series, "resource"), value))
        return found

    def _workload(self, pod: Pod, kind: str, name: str) -> Workload:
        if kind == "ReplicaSet" and all(self._owners.get((pod[0], name), ("", ""))):
            kind, name = self._owners[pod[0], name]
        known = {"", "<none>"}
        labels = labels_of(self._labels.get(pod, {}), self._wanted)
        return Workload(
            self._cluster,
            namespace_of(pod[0]),
            None if kind in known else kind,
            None if name in known else name,
            pod[1],
            labels,
        )

    def _series(self, name: str) -> list[Mapping[str, Any]]:
        return self._answers.get(name, [])

    def _hours(self, series: Mapping[str, Any]) -> Iterator[tuple[int, Decimal]]:
        """Each hour of the day, as a number, with its value: it is stated at the hour's end."""
        begin = int(datetime(self._day.year, self._day.month, self._day.day, tzinfo=UTC).timestamp())
        for moment, text in series["values"]:
            value = None
            with suppress(OverflowError):
                value = exact_number(str(text))
            if value is None:
                raise SourceError(
                    f"{self._place}: {shortened(str(text))!r} is no number.", "Delete the file: the day is asked for again."
                )
            yield (int(moment) - begin) // HOUR - 1, max(value, _NOTHING)


def _of(series: Mapping[str, Any], label: str) -> str:
    """The value of a series' label; empty where it has none, as Prometheus has it."""
    value = series["metric"].get(label, "")
    return value if isinstance(value, str) else ""


def _amount(resource: str, value: Decimal) -> Amount:
    """Of cores, or bytes, over minutes."""
    seconds = EXACT.multiply(value, Decimal(60))
    return Amount(memory=seconds) if resource == "memory" else Amount(cpu=EXACT.multiply(seconds, _MILLI))


def _shares(minutes: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """How much of an hour a pod's name spent on each node: all of it, unless it was moved."""
    if len(minutes) < 2:
        return dict.fromkeys(minutes, Decimal(1))
    whole = exact_sum(minutes.values())
    return (
        {node: EXACT.divide(value, whole).quantize(_SHARE, context=EXACT) for node, value in minutes.items()} if whole else {}
    )


def hours_of(day: date) -> tuple[int, int]:
    """When the first and the last hour of a UTC day end, in seconds since 1970."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int((begin + timedelta(hours=1)).timestamp()), int((begin + timedelta(days=1)).timestamp())
