"""Container Insights' events as weights, worked out by hand, out of an export that CloudWatch Logs (moto) writes to S3."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cost_lakehouse.clusters.container_insights import PerformanceEvents
from cost_lakehouse.clusters.inputs import usage_of
from cost_lakehouse.clusters.split import Cost, ResourceDay, split
from cost_lakehouse.clusters.usage import Said, Usage, Workload
from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import SourceError

DAY = date(2026, 10, 1)
GIB = 2**30
NODE, VOLUME = "i-0123456789abcdef0", "vol-0a53108976d4a2fda"
Event = dict[str, Any]


def at(day: date, hour: int) -> int:
    """Milliseconds since 1970."""
    return int(datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC).timestamp() * 1000)


def event(kind: str, hour: int = 0, day: date = DAY, **more: Any) -> Event:
    """As the CloudWatch agent writes them; its moment is text."""
    return {"Type": kind, "ClusterName": "blue", "InstanceId": NODE, "Timestamp": str(at(day, hour)), "Version": "0", **more}


def pod(name: str, cpu: tuple[float, float], memory: tuple[int, int], **more: Any) -> Event:
    """CPU in millicores and memory in GiB: reserved, and used."""
    about = {
        "namespace_name": "web",
        "pod_name": f"{name}-7d9f-x1",
        "pod_owners": [{"owner_kind": "Deployment", "owner_name": name}],
        "labels": {"team": "red", "pod-template-hash": "7d9f"},
    }
    numbers: Event = {"pod_cpu_request": cpu[0], "pod_cpu_usage_total": cpu[1]}
    numbers |= {"pod_memory_request": memory[0] * GIB, "pod_memory_working_set": memory[1] * GIB}
    return event("Pod", Namespace="web", PodName=name, kubernetes=about, **numbers, **more)


@pytest.fixture(autouse=True)
def home_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that another test ran leaves the variable set."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def node(**more: Any) -> Event:
    """AWS's own example: 4 vCPU and 16 GiB."""
    return event("Node", node_cpu_limit=4000, node_memory_limit=16 * GIB, **more)


def exported(*events: Event) -> bytes:
    """A file of an export task."""
    lines = []
    for one in events:
        moment = datetime.fromtimestamp(int(one["Timestamp"]) / 1000, UTC)
        lines.append(f"{moment:%Y-%m-%dT%H:%M:%S.000Z} {json.dumps(one)}\n")
    return gzip.compress("".join(lines).encode(), mtime=0)


def read(*files: bytes, labels: tuple[str, ...] = ()) -> PerformanceEvents:
    found = PerformanceEvents("prod", labels)
    for number, content in enumerate(files):
        found.read(io.BytesIO(content), f"{number}.gz")
    return found


def every_day(day: date) -> bool:
    return True


def parts(usages: Iterator[Usage] | list[Usage], resource: str = NODE, cost: str = "52") -> dict[str, Decimal]:
    """What each controller, or namespace, bears of a resource's day."""
    rows = split({ResourceDay(DAY, resource, "1", "USD"): Cost(Decimal(cost), 1)}, usages, {}, {})
    return {row.workload.controller or row.workload.namespace: row.cost for row in rows}


def test_pods_bear_the_greater_of_reserved_and_used_at_nine_to_one_and_the_rest_is_idle() -> None:
    """A node of 9 * 4 + 16 = 52 parts, of an hour in which one pod uses more than it reserved, and one less."""
    events = [node(), pod("shop", (1000, 100.5), (4, 3)), pod("cart", (1000, 1500), (2, 6)), node(hour=23)]

    found = list(read(exported(*events)).usages(every_day))

    # Over both hours the node has 104 parts: shop 9 * 1 + 4, cart 9 * 1.5 + 6.
    assert parts(found, cost="104") == {"shop": Decimal(13), "cart": Decimal("19.5"), "(idle)": Decimal("71.5")}
    assert {one.said.label for one in found} == {"container_insights"}


def test_a_pod_is_told_by_its_owner_its_name_and_the_labels_that_are_wanted() -> None:
    (found, *_) = read(exported(pod("shop", (1, 1), (1, 1)), event("Node", 23)), labels=("team",)).usages(every_day)

    assert found.workload == Workload("blue", "web", "Deployment", "shop", "shop-7d9f-x1", '{"team": "red"}')
    assert (found.day, found.resource) == (DAY, NODE)


def test_a_node_on_which_pods_take_more_than_there_is_has_no_idle_part() -> None:
    events = [node(), pod("shop", (3000, 0), (16, 0)), pod("cart", (3000, 0), (16, 0)), event("Node", 23)]

    assert parts(read(exported(*events)).usages(every_day)) == {"shop": Decimal(26), "cart": Decimal(26)}


def test_containers_of_ecs_are_added_up_by_task() -> None:
    """CPU is in units of 1024, memory in MiB; a task's containers are one."""
    ecs: Event = {"EC2InstanceId": NODE, "InstanceId": None, "TaskDefinitionFamily": "api", "ClusterName": "ecs-prod"}
    numbers: Event = {"CpuReserved": 512.0, "CpuUtilized": 0.0, "MemoryReserved": 512, "MemoryUtilized": 1024}
    events = [
        event("Container", TaskId="t1", **ecs, **numbers),
        event("Container", TaskId="t1", **ecs, **numbers),
        event("Container", 23, TaskId="t2", **ecs, **{**numbers, "CpuReserved": 0, "MemoryUtilized": 11 * 1024}),
        event("Task", TaskId="t2", **ecs, **numbers),
    ]

    found = list(read(exported(*events)).usages(every_day))

    assert [(one.workload.cluster, one.workload.namespace, one.workload.controller, one.workload.pod) for one in found] == [
        ("ecs-prod", "(ecs)", "api", "t1"),
        ("ecs-prod", "(ecs)", "api", "t2"),
    ]
    assert found[0].weight == found[1].weight  # 9 * 1 + 2, and 11


def test_volumes_are_split_by_what_containers_have_on_them() -> None:
    about: Event = {"EBSVolumeId": f"aws://eu-west-1a/{VOLUME}", "container_filesystem_usage": 3}
    events = [
        event("ContainerFS", Namespace="web", PodName="shop", **about),
        event("ContainerFS", 23, Namespace="data", PodName="db", **{**about, "container_filesystem_usage": 1}),
    ]

    assert parts(read(exported(*events)).usages(every_day), VOLUME) == {"shop": Decimal(39), "db": Decimal(13)}


def test_days_that_the_events_do_not_reach_over_say_nothing() -> None:
    """From noon of the first day to noon of the fourth, in two files; that a night has no events does not matter."""
    days = [DAY + timedelta(days=number) for number in range(6)]
    first = [node(day=days[0], hour=12), node(day=days[1], hour=9)]
    second = [node(day=days[2], hour=9), node(day=days[3], hour=12), node(day=days[5], hour=0)]

    found = read(exported(*first), exported(*second))

    assert sorted(found.complete_days) == days[1:3]
    assert [one.day for one in found.usages(every_day)] == days[1:3]


def test_pods_without_a_node_and_events_of_other_types_say_nothing() -> None:
    fargate = {**pod("shop", (1, 1), (1, 1)), "InstanceId": ""}

    assert list(read(exported(fargate, event("PodNet", pod_interface="eth0"), event("Cluster", 23))).usages(every_day)) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing", r"0\.gz is no whole gzip file"),
        (exported(*[node()] * 9)[:-12], r"0\.gz is no whole gzip file"),
        (gzip.compress(b"Date,Namespace\n2026-10-01,web\n", mtime=0), r"0\.gz, line 1 is no event"),
        (gzip.compress(b'2026-10-01T00:00:00.000Z {"Type":"Node"', mtime=0), r"0\.gz, line 1 is no event"),
        (gzip.compress(b'2026-10-01T00:00:00.000Z {"Type":"Node","Timestamp":"soon"}', mtime=0), r"0\.gz, line 1 is no event"),
        (gzip.compress(b'2026-10-01T00:00:00.000Z {"Type":"Node","Timestamp":"9e99"}', mtime=0), r"0\.gz, line 1 is no event"),
        (gzip.compress(b'never {"Type":"Node"}', mtime=0), r"0\.gz, line 1 is no event"),
        (
            gzip.compress(b'2026-10-01T00:00:00.000Z {"Type":"Node","node_cpu_limit":NaN}', mtime=0),
            r"0\.gz, line 1 is no event",
        ),
        (gzip.compress(b'2026-10-01T00:00:00.000Z ["Type":"Node"]', mtime=0), r"0\.gz, line 1 is no event"),
        (exported(event("Node", node_cpu_limit="many")), r"0\.gz, line 1: node_cpu_limit is no number"),
    ],
)
def test_a_file_that_is_no_export_is_refused_with_its_line(content: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read(content)


def test_an_export_task_s_files_are_read_from_their_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudWatch Logs takes no events that are older than two weeks: these are of the last days."""
    for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    day = datetime.now(UTC).date() - timedelta(days=3)
    group, stream = "/aws/containerinsights/blue/performance", "ip-10-0-0-1.ec2.internal"
    events = [node(day=day, hour=hour) for hour in range(24)]
    events += [{**pod("shop", (2000, 0), (0, 8)), "Timestamp": str(at(day, hour))} for hour in range(24)]
    events += [node(day=day + timedelta(days=1), hour=1)]  # a day that is not over yet
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="acme-logs")
        logs = boto3.client("logs")
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        written = [{"timestamp": int(one["Timestamp"]), "message": json.dumps(one)} for one in events]
        logs.put_log_events(
            logGroupName=group, logStreamName=stream, logEvents=sorted(written, key=lambda one: int(str(one["timestamp"])))
        )
        logs.create_export_task(
            logGroupName=group, destination="acme-logs", destinationPrefix="exports/blue", fromTime=at(day, 0) - 3_600_000,
            to=at(day, 0) + 3 * 86_400_000,
        )  # fmt: skip
        keys = [one["Key"] for one in boto3.client("s3").list_objects_v2(Bucket="acme-logs")["Contents"]]
        file = tmp_path / "lakehouse.yaml"
        file.write_text(
            "sources: [{name: acme, kind: aws_cur, location: bills}]\n"
            "clusters: [{name: blue, source: acme, location: 's3://acme-logs/exports/blue'}]\n",
            encoding="utf-8",
        )
        settings = load_settings(file)
        found = list(usage_of(settings, settings.clusters[0], day.replace(day=1)))
        (kept,) = (settings.dagster_home / "clusters" / "blue").iterdir()
        monkeypatch.setattr(PerformanceEvents, "read", None)  # what was added up once is not read again
        again = list(usage_of(settings, settings.clusters[0], day.replace(day=1)))
        monkeypatch.undo()

    assert (again, kept.suffix) == (found, ".json")
    assert [key.split("/")[-1] for key in sorted(keys)] == ["aws-logs-write-test", "000000.gz"]
    assert [(one.day, one.resource, one.workload.namespace, one.said) for one in found] == [
        (day, NODE, "web", Said.INSIGHTS),
        (day, NODE, "(idle)", Said.INSIGHTS),
    ]
    assert found[0].weight == found[1].weight  # 9 * 2 + 8 of 52


def test_what_is_kept_of_an_export_says_what_it_said_and_what_is_damaged_is_read_again(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    events = [node(), pod("shop", (1000, 100.5), (4, 3)), node(hour=23)]
    events += [event("ContainerFS", Namespace="web", EBSVolumeId=f"aws://x/{VOLUME}", container_filesystem_usage=3)]
    (exports / "000000.gz").write_bytes(exported(*events))
    (tmp_path / "lakehouse.yaml").write_text(
        "sources: [{name: acme, kind: aws_cur, location: bills}]\nclusters: [{name: blue, source: acme, location: exports}]\n",
        encoding="utf-8",
    )
    settings = load_settings(tmp_path / "lakehouse.yaml")

    def said() -> list[Usage]:
        return list(usage_of(settings, settings.clusters[0], DAY))

    first, (kept,) = said(), list((settings.dagster_home / "clusters" / "blue").iterdir())
    assert said() == first == list(read(exported(*events)).usages(every_day))
    whole = kept.read_bytes()
    for damaged in (b"", b"[]", b'{"amounts": [[1]], "hours": {}}', whole[:-9]):
        kept.write_bytes(damaged)
        assert said() == first
        assert kept.read_bytes() == whole
    (exports / "000000.gz").write_bytes(exported(*events, pod("cart", (1, 1), (1, 1))))
    assert {one.workload.controller for one in said()} == {"shop", "cart", None}
    assert list(usage_of(settings, settings.clusters[0], date(2026, 12, 1))) == []
