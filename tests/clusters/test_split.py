"""Weights out of OpenCost's forms, and nodes' costs split by them, worked out by hand; nothing is ever lost."""

from __future__ import annotations

import io
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_lakehouse.clusters.bill import NodeBill
from cost_lakehouse.clusters.opencost import allocation_usage, csv_usage, parquet_usage
from cost_lakehouse.clusters.refresh import prove
from cost_lakehouse.clusters.split import ClusterCost, Cost, ResourceDay, split
from cost_lakehouse.clusters.usage import Said, Usage, Workload, container_of, resource_of
from cost_lakehouse.errors import LakeError, SourceError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.slices import Slice

DAY = date(2026, 10, 1)
NODE, OTHER, VOLUME = "i-0a", "i-0b", "vol-0c"


def every_day(day: date) -> bool:
    return True


def node(resource: str = NODE, day: date = DAY) -> ResourceDay:
    return ResourceDay(day, resource, "111", "USD")


def usage(weight: str, namespace: str, resource: str | None = NODE, said: Said = Said.ALLOCATION, **more: Any) -> Usage:
    return Usage(DAY, resource, Workload("prod", namespace, **more), Decimal(weight), said)


def shown(rows: list[ClusterCost]) -> list[tuple[str, str, str, str]]:
    return [(row.place.resource, row.workload.namespace, row.weight_source, f"{row.cost.normalize():f}") for row in rows]


def test_a_node_is_split_by_the_weights_of_what_ran_on_it() -> None:
    used = [usage("2", "web"), usage("1", "data"), usage("0", "nothing"), usage("3", "(idle)")]
    rows = split({node(): Cost(Decimal("1"), 7)}, used, {}, {})
    assert shown(rows) == [
        (NODE, "(idle)", "opencost_allocation", "0.5"),
        (NODE, "data", "opencost_allocation", "0.16666666666666666667"),
        (NODE, "web", "opencost_allocation", "0.33333333333333333333"),
    ]
    assert sum(row.line_item_count for row in rows) == 7


def test_the_bill_s_own_split_rows_win_and_others_follow_in_order() -> None:
    used = [
        usage("1", "of the csv", None, Said.CSV),
        usage("1", "of the parquet", NODE, Said.PARQUET),
        usage("1", "of the bill", NODE, Said.BILL),
        usage("1", "of the parquet", OTHER, Said.PARQUET),
        usage("1", "of the api", OTHER, Said.ALLOCATION),
    ]
    costs = {node(): Cost(Decimal(1), 1), node(OTHER): Cost(Decimal(2), 1), node(VOLUME): Cost(Decimal(4), 1)}
    members = {(DAY, NODE): "prod", (DAY, VOLUME): "prod"}
    assert shown(split(costs, used, members, {})) == [
        (NODE, "of the bill", "cur_split", "1"),
        (OTHER, "of the api", "opencost_allocation", "2"),
        (VOLUME, "of the csv", "opencost_csv", "4"),
    ]


def test_what_nobody_speaks_of_and_what_no_bill_has_is_named() -> None:
    used = [usage("1", "web", "i-0dd")]
    costs = {node(): Cost(Decimal(1), 1), node(OTHER): Cost(Decimal(9), 1)}
    assert shown(split(costs, used, {(DAY, NODE): "prod"}, {})) == [
        (NODE, "(no cluster data)", "none", "1"),
        ("i-0dd", "(not in the bill)", "opencost_allocation", "0"),
    ]  # the other node is no cluster's


def test_a_node_on_which_all_weights_are_0_is_idle() -> None:
    rows = split({node(): Cost(Decimal("-2"), 1)}, [usage("0", "web")], {}, {})
    assert shown(rows) == [(NODE, "(idle)", "opencost_allocation", "-2")]


def test_pods_are_told_apart_where_that_is_wanted() -> None:
    used = [usage("1", "web", controller="shop", pod="shop-1"), usage("3", "web", controller="shop", pod="shop-2")]
    costs = {node(): Cost(Decimal(4), 1)}
    apart = [(row.workload.pod, f"{row.cost.normalize()}") for row in split(costs, used, {}, {"prod": True})]
    assert apart == [("shop-1", "1"), ("shop-2", "3")]
    assert [(row.workload.pod, row.cost) for row in split(costs, used, {}, {})] == [(None, Decimal(4))]


money = st.integers(-(10**24), 10**24).map(lambda units: EXACT.scaleb(Decimal(units), -20))
usages = st.lists(
    st.builds(
        usage,
        st.decimals(0, 100, places=4).map(str),
        st.sampled_from(["web", "data", "(idle)"]),
        st.sampled_from([NODE, OTHER, "i-0dd", None]),
        st.sampled_from(list(Said)),
    ),
    max_size=10,
)


@given(money, money, usages)
def test_parts_come_to_each_node_s_cost_whatever_is_said(one: Decimal, two: Decimal, used: list[Usage]) -> None:
    bill = NodeBill("d1", {node(): Cost(one, 3), node(OTHER): Cost(two, 1)})
    rows = split(bill.costs, used, {(DAY, NODE): "prod"}, {})

    prove(Slice("acme", DAY), rows, bill)
    spoken = {found.resource for found in used} | {NODE}
    assert {row.place.resource for row in rows} == spoken - {None}


def test_parts_that_lose_a_digit_are_refused() -> None:
    bill = NodeBill("d1", {node(): Cost(Decimal(1), 1)})
    (row,) = split(bill.costs, [usage("1", "web")], {}, {})
    lost = ClusterCost(row.place, row.workload, row.weight_source, Decimal("0.99999999999999999999"), 1)
    with pytest.raises(LakeError, match=r"acme 2026-10, i-0a on 2026-10-01: its parts come to 0\.9+ USD, the bill says 1"):
        prove(Slice("acme", DAY), [lost], bill)


CSV = """Date,Namespace,ControllerKind,ControllerName,Pod,Container,CPUCost,RAMCost,NetworkCost,PVCost,GPUCost,TotalCost,Labels
2026-10-01,web,deployment,shop,shop-1,main,0.1,0.2,9,9,0,18.3,"{""team"":""red"",""x"":""y""}"
2026-10-02,web,deployment,shop,shop-1,main,1,1,0,0,0,2,{}
"""


def test_opencost_s_csv_gives_weights_of_the_whole_cluster() -> None:
    (row,) = csv_usage(CSV.encode(), "a.csv", "prod", lambda day: day == DAY, ["team"])
    workload = Workload("prod", "web", "deployment", "shop", "shop-1", '{"team": "red"}')
    assert row == Usage(DAY, None, workload, Decimal("0.3"), Said.CSV)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", r"a\.csv has no column Date"),
        (CSV.replace("0.2", "much"), r"a\.csv, line 2: 'much' is no cost"),
        (CSV.replace("2026-10-02", "later"), r"a\.csv, line 3: 'later' is no day"),
    ],
)
def test_a_file_that_is_none_of_opencost_s_is_refused(text: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        list(csv_usage(text.encode(), "a.csv", "prod", every_day, []))


def test_the_parquet_exporter_s_files_name_node_and_cluster() -> None:
    table = pa.table(
        {
            "window.start": ["2026-10-01T00:00:00Z", "2026-10-01T00:00:00Z"],
            "properties.cluster": ["blue", None],
            "properties.namespace": ["web", "__idle__"],
            "properties.controllerKind": ["deployment", None],
            "properties.controller": ["shop", None],
            "properties.pod": ["shop-1", None],
            "properties.providerID": ["aws:///eu-west-1a/i-0abc", "i-0abc"],
            "properties.labels.team": ["red", None],
            "cpuCost": [0.1, 1.0],
            "ramCost": [0.2, 0.0],
            "gpuCost": [0.0, None],
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    found = list(parquet_usage(buffer.getvalue(), "a.parquet", "prod", every_day, ["team"]))
    assert [(one.resource, one.workload.cluster, one.workload.namespace, one.workload.labels, one.weight) for one in found] == [
        ("i-0abc", "blue", "web", '{"team": "red"}', Decimal("0.3")),
        ("i-0abc", "prod", "(idle)", "{}", Decimal("1.0")),
    ]
    with pytest.raises(SourceError, match=r"b\.parquet is no Parquet file"):
        list(parquet_usage(b"nothing", "b.parquet", "prod", every_day, []))


def allocation(name: str, cost: float, **properties: Any) -> dict[str, Any]:
    window = {"start": "2026-10-01T00:00:00Z", "end": "2026-10-02T00:00:00Z"}
    return {"name": name, "properties": properties, "window": window, "cpuCost": cost, "ramCost": 0.0, "gpuCost": 0}


def test_answers_of_allocation_give_weights_of_nodes_and_mounted_volumes() -> None:
    web = allocation("blue/n1/web/deployment/shop/shop-1", 2.5, cluster="blue", namespace="web", controllerKind="deployment",
                     controller="shop", pod="shop-1", providerID="i-0abc")  # fmt: skip
    web["pvs"] = {"cluster=blue:name=pvc-1": {"byteHours": 1, "cost": 0.25, "providerID": "vol-0abc"}}
    idle = allocation("blue/n1/__idle__", 1.5, cluster="blue", providerID="i-0abc")
    text = json.dumps({"code": 200, "data": [{web["name"]: web, idle["name"]: idle}, None]})
    found = list(allocation_usage(text.encode(), "a.json", "prod", every_day, []))
    assert [(one.day, one.resource, one.workload.namespace, one.workload.pod, one.weight) for one in found] == [
        (DAY, "i-0abc", "web", "shop-1", Decimal("2.5")),
        (DAY, "vol-0abc", "web", "shop-1", Decimal("0.25")),
        (DAY, "i-0abc", "(idle)", None, Decimal("1.5")),
    ]
    for wrong in (b"{}", b"[1]", b"no"):
        with pytest.raises(SourceError, match=r"a\.json is no answer of /allocation"):
            list(allocation_usage(wrong, "a.json", "prod", every_day, []))


def test_names_of_nodes_and_of_containers_are_read() -> None:
    assert resource_of("aws:///eu-west-1a/i-0123abcd") == "i-0123abcd"
    assert resource_of("vol-0123abcd") == "vol-0123abcd"
    assert resource_of("gce://x") is None
    assert container_of("arn:aws:eks:us-east-1:1:pod/prod/shop/cart-7d9f/3c1e") == Workload(
        "prod", "shop", None, None, "cart-7d9f"
    )
    assert container_of("arn:aws:ecs:us-east-1:1:task/prod/0af3") == Workload("prod", "(ecs)", "Task", None, "0af3")
    assert container_of("i-0123abcd") is None


def test_moments_of_parquet_are_days_too() -> None:
    table = pa.table(
        {
            "running_start_time": [datetime(2026, 10, 1, 23)],
            "properties.namespace": ["web"],
            "cpuCost": [1.0],
            "ramCost": [1.0],
            "gpuCost": [0.0],
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    (found,) = parquet_usage(buffer.getvalue(), "a.parquet", "prod", every_day, [])
    assert (found.day, found.resource) == (DAY, None)
