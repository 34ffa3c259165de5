"""Clusters' costs over HTTP: OpenCost's allocations and assets, and the page's table, come to what ``/v1/costs`` says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from cost_lakehouse.clusters.refresh import ClusterMonth, rows_of
from cost_lakehouse.clusters.split import ClusterCost, ResourceDay
from cost_lakehouse.clusters.usage import NOT_IN_THE_BILL, Workload
from cost_lakehouse.config.clusters import ClusterSettings
from cost_lakehouse.config.serve import RoleSettings, ServeSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from cost_lakehouse.lake.tables import CLUSTER_COST_COLUMNS, CLUSTER_COSTS
from cost_lakehouse.serve.application import application
from tests.serve.conftest import OCTOBER, small_lake
from tests.serve.test_opencost import OCTOBER as WINDOW
from tests.serve.test_opencost import get
from tests.serve.test_page import cells

TOKEN, BLUE = "all-0123456789abcdef", "blue-0123456789abcdef"
HOSTILE = '<b>"web'
DIGIT = Decimal("0.00000000000000000001")


def cost(
    day: int, resource: str, cost: str, cluster: str, namespace: str, controller: str | None = None, **more: Any
) -> ClusterCost:
    place = ResourceDay(OCTOBER.replace(day=day), resource, more.get("account", "1"), more.get("currency", "USD"))
    kind = None if controller is None else "deployment"
    workload = Workload(cluster, namespace, kind, controller, more.get("pod"), more.get("labels", "{}"))
    return ClusterCost(place, workload, "opencost_allocation", Decimal(cost), 1)


# prod comes to 7.5 and a digit, of which 1.5 are idle and 2 a volume's; staging to 0.25 on account 2.
COSTS = (
    cost(1, "i-0a", "3.00000000000000000001", "prod", "web", "shop", pod="shop-1", labels='{"team": "red"}'),
    cost(1, "i-0a", "1", "prod", HOSTILE),
    cost(1, "i-0a", "1.5", "prod", "(idle)"),
    cost(9, "vol-0c", "2", "prod", "web", "shop", pod="shop-1"),
    cost(9, "i-0b", "0.25", "staging", "(unallocated)", account="2"),
    cost(9, "i-0e", "4", "prod", "web", "shop", currency="EUR"),
    cost(9, "i-0f", "0", "prod", NOT_IN_THE_BILL, currency=None),
)


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose bill has two clusters; one role sees account 2."""
    made = small_lake(tmp_path_factory.mktemp("clusters"))
    slice_ = Slice("acme", OCTOBER)
    rows = rows_of(ClusterMonth(slice_, "202610-1", COSTS))
    replace_rows(made, CLUSTER_COSTS, CLUSTER_COST_COLUMNS, {slice_: rows})
    serve = ServeSettings(token=SecretStr(TOKEN), roles=(RoleSettings(name="blue", accounts=("2",), token=SecretStr(BLUE)),))
    clusters = tuple(ClusterSettings(name=name, source="acme", location="x") for name in ("prod", "staging"))
    return Lake(made.settings.model_copy(update={"serve": serve, "clusters": clusters}))


@pytest.fixture(scope="module")
def asked(clustered: Lake) -> Iterator[TestClient]:
    with TestClient(application(clustered), base_url="http://localhost", raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield client


def totals(allocations: dict[str, Any]) -> dict[str, Decimal]:
    return {name: one["totalCost"] for name, one in allocations.items()}


@pytest.mark.parametrize("path", ["/allocation", "/model/allocation", "/allocation/compute", "/model/allocation/compute"])
def test_allocations_and_idle_come_to_what_each_cluster_costs(asked: TestClient, path: str) -> None:
    answered = asked.get("/v1/costs?from=2026-10-01&to=2026-11-01&group_by=cluster&currency=USD").json()["data"]
    costs = {row["cluster"]: Decimal(row["cost"]) for row in answered}

    for cluster, whole in costs.items():
        wanted = quote(f'cluster:"{cluster}"')
        (found,) = get(asked, f"{path}?{WINDOW}&aggregate=namespace&includeIdle=true&accumulate=true&filter={wanted}")
        assert sum(totals(found).values()) == whole

    assert costs == {"prod": Decimal("7.5") + DIGIT, "staging": Decimal("0.25")}
    (without,) = get(asked, f"{path}?{WINDOW}&aggregate=cluster")
    assert totals(without) == {"prod": Decimal(6) + DIGIT, "staging": Decimal("0.25")}


def test_an_allocation_says_what_ran_where_and_what_volumes_cost(asked: TestClient) -> None:
    (found,) = get(asked, f"/allocation?{WINDOW}")
    (by_label,) = get(asked, f"/allocation?{WINDOW}&aggregate=label:team,container")

    shop = found["prod/i-0a/web/deployment/shop/shop-1"]
    assert shop["properties"] == {
        "cluster": "prod", "node": "i-0a", "namespace": "web", "controllerKind": "deployment", "controller": "shop",
        "pod": "shop-1", "providerID": "i-0a", "labels": {},
    }  # fmt: skip
    assert (shop["cpuCost"], shop["pvCost"], shop["totalCost"]) == (3 + DIGIT, 0, 3 + DIGIT)
    assert (shop["start"], shop["end"], shop["minutes"]) == ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", 31 * 1440)
    volume = found["prod/vol-0c/web/deployment/shop/shop-1"]
    assert (volume["cpuCost"], volume["pvCost"]) == (0, 2)
    assert f"prod/i-0a/{HOSTILE}/__unallocated__/__unallocated__/__unallocated__" in found
    assert "staging/i-0b/__unallocated__/__unallocated__/__unallocated__/__unallocated__" in found
    assert totals(by_label) == {"red/__unallocated__": 3 + DIGIT, "__unallocated__/__unallocated__": Decimal("3.25")}
    assert by_label["red/__unallocated__"]["properties"] == {"labels": {"team": "red"}}


def test_controllers_of_one_kind_are_told_apart_and_others_are_missing(asked: TestClient) -> None:
    (deployments,), (jobs,) = (get(asked, f"/allocation?{WINDOW}&aggregate={kind}") for kind in ("deployment", "Job"))

    assert totals(deployments) == {"shop": 5 + DIGIT, "__unallocated__": Decimal("1.25")}
    assert totals(jobs) == {"__unallocated__": Decimal("6.25") + DIGIT}


def test_what_opencost_s_page_asks_is_answered(asked: TestClient) -> None:
    """As its services write it: a boolean and a filter by ``controller`` are among it."""
    wanted = quote('controller:"shop"')
    days = get(asked, f"/model/allocation/compute?{WINDOW}&aggregate=namespace&includeIdle=true&step=1d&accumulate=false")
    (whole,) = get(asked, f"/model/allocation/compute?{WINDOW}&aggregate=pod&includeIdle=true&step=1d&accumulate=true"
                          f"&filter={wanted}&shareIdle=false")  # fmt: skip
    assets = get(asked, f"/model/assets?{WINDOW}&aggregate=namespace&includeIdle=true&accumulate=true&step=1d")
    dashboard = get(asked, f"/model/assets?{WINDOW}&aggregate=assetType&includeIdle=true&accumulate=true&step=1d")
    (report,) = get(asked, "/model/allocation/compute?window=2026-10-01T00:00:00Z,2026-10-01T23:59:59Z&aggregate=namespace"
                           "&includeIdle=true&metrics=totalCost&accumulate=day")  # fmt: skip

    assert (len(days), sum(sum(totals(day).values()) for day in days)) == (31, Decimal("7.75") + DIGIT)
    assert totals(whole) == {"shop-1": 5 + DIGIT}
    assert sorted(asset["properties"]["name"] for asset in assets.values()) == ["i-0a", "i-0b", "vol-0c"]
    assert dashboard == assets
    assert totals(report) == {"web": 3 + DIGIT, HOSTILE: 1, "__idle__": Decimal("1.5")}


def test_steps_and_accumulation_make_the_sets(asked: TestClient) -> None:
    days = get(asked, f"/allocation?{WINDOW}&aggregate=namespace&step=1d")
    weeks = get(asked, f"/allocation?{WINDOW}&aggregate=namespace&step=168h")
    month = get(asked, f"/allocation?{WINDOW}&aggregate=namespace&step=1d&accumulate=month")
    calendar = get(asked, f"/allocation?{WINDOW}&aggregate=namespace&accumulateBy=week")

    assert [index for index, part in enumerate(days) if part] == [0, 8]
    assert (len(days), len(weeks), len(month), len(calendar)) == (31, 5, 1, 5)
    assert totals(days[8]) == {"web": Decimal(2), "__unallocated__": Decimal("0.25")}
    assert totals(weeks[1]) == totals(calendar[1]) == totals(days[8])
    assert totals(month[0])["web"] == 5 + DIGIT


def test_idle_is_one_or_node_by_node_or_left_out(asked: TestClient) -> None:
    path = f"/allocation?{WINDOW}&aggregate=controller&includeIdle=true"
    (whole,), (by_node,) = get(asked, path), get(asked, f"{path}&idleByNode=true")

    assert whole["__idle__"]["totalCost"] == Decimal("1.5")
    assert by_node["prod/i-0a/__idle__"]["properties"]["node"] == "i-0a"
    assert sum(totals(whole).values()) == sum(totals(by_node).values()) == Decimal("7.75") + DIGIT


@pytest.mark.parametrize(
    ("wanted", "total"),
    [
        ('namespace:"web"', 5 + DIGIT),
        ('namespace!:"web","__idle__"', Decimal("1.25")),
        ('namespace:"__idle__"', Decimal("1.5")),
        ('namespace:"__unallocated__"', Decimal("0.25")),
        ('namespace~:"b>"', Decimal(1)),
        ('controllerKind:"deployment"+controllerName:"shop"', 5 + DIGIT),
        ('label[team]:"red"', 3 + DIGIT),
        ('node:"i-0a"|pod<~:"shop"', Decimal("7.5") + DIGIT),
        ('container:"main"', Decimal(0)),
        ('cluster:"\' or 1=1 --"', Decimal(0)),
    ],
)
def test_filters_choose_allocations(asked: TestClient, wanted: str, total: Decimal) -> None:
    (found,) = get(asked, f"/allocation?{WINDOW}&aggregate=namespace&includeIdle=true&filter={quote(wanted)}")

    assert sum(totals(found).values(), Decimal(0)) == total


def test_assets_are_nodes_and_disks_at_what_the_bill_says(asked: TestClient) -> None:
    found = get(asked, f"/assets?{WINDOW}")
    prod, disk = quote('cluster:"prod"'), quote('assetType:"disk"+provider:"AWS"')
    kinds = get(asked, f"/model/assets?{WINDOW}&aggregate=type,cluster&filter={prod}")
    disks = get(asked, f"/assets?{WINDOW}&filter={disk}")

    assert totals(found) == {
        "AWS/1/__undefined__/Compute/prod/Node/Kubernetes/i-0a/i-0a": Decimal("5.5") + DIGIT,
        "AWS/1/__undefined__/Storage/prod/Disk/Kubernetes/vol-0c/vol-0c": Decimal(2),
        "AWS/2/__undefined__/Compute/staging/Node/Kubernetes/i-0b/i-0b": Decimal("0.25"),
    }
    node = found["AWS/1/__undefined__/Compute/prod/Node/Kubernetes/i-0a/i-0a"]
    assert (node["type"], node["minutes"], node["properties"]) == (
        "Node",
        31 * 1440,
        {"provider": "AWS", "account": "1", "category": "Compute", "cluster": "prod", "service": "Kubernetes",
         "providerID": "i-0a", "name": "i-0a"},
    )  # fmt: skip
    assert totals(kinds) == {"Node/prod": Decimal("5.5") + DIGIT, "Disk/prod": Decimal(2)}
    assert list(totals(disks).values()) == [Decimal(2)]


def test_another_currency_is_asked_for_apart(asked: TestClient) -> None:
    answer = asked.get(f"/allocation?{WINDOW}&aggregate=cluster").json()
    (euros,) = get(asked, f"/allocation?{WINDOW}&aggregate=cluster&currency=EUR")

    assert answer["warning"] == "These are the costs in USD; those in EUR are asked for apart."
    assert totals(euros) == {"prod": Decimal(4)}


@pytest.mark.parametrize("route", ["allocation", "assets"])
def test_a_role_sees_clusters_of_its_accounts_and_unchanged_answers_are_not_sent_again(asked: TestClient, route: str) -> None:
    path = f"/{route}?{WINDOW}&aggregate=cluster"
    mine = asked.get(path, headers={"Authorization": f"Bearer {BLUE}"})
    again = asked.get(path, headers={"If-None-Match": asked.get(path).headers["etag"]})

    data = mine.json()["data"]
    assert list(data if route == "assets" else data[0]) == ["staging"]
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("allocation", "There is no window."),
        ("allocation?window=7d&aggregate=colour", "'colour' is no property of an allocation"),
        ("allocation?window=7d&step=5h", "step '5h' is no number of days"),
        ("allocation?window=7d&step=0d", "step '0d' is no number of days"),
        ("allocation?window=7d&step=9999999w&accumulate=hour", "there are no hours"),
        ("allocation?window=7d&includeIdle=maybe", "includeIdle 'maybe' is neither true nor false"),
        ("allocation?window=7d&filter=service", "The filter cannot be read"),
        ("allocation?window=7d&filter=accountID:%22x%22", "'accountID' is none of cluster"),
        ("allocation?window=7d&shareIdle=true", "shareIdle is not offered here."),
        ("allocation?window=7d&format=csv", "Allocations come as JSON alone."),
        ("allocation?window=7d&unknown=1", "There is no parameter 'unknown' here."),
        ("allocation?window=7d&window=8d", "is there twice"),
        ("allocation?window=7d&aggregate=" + ",".join(f"label:{number}" for number in range(13)), "are too many"),
        ("assets", "There is no window."),
        ("assets?window=7d&aggregate=colour", "'colour' is no property of an asset"),
        ("assets?window=soon", "'soon' is no window"),
        ("assets?window=7d&filter=" + "(" * 30, "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: TestClient, path: str, said: str) -> None:
    answer = asked.get(f"/model/{path}")

    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["data"]) == (400, None)
    assert said in answer.json()["message"]


def test_without_clusters_there_is_nothing_and_that_is_said(client: TestClient) -> None:
    allocations, assets = (client.get(f"/{route}?{WINDOW}").json() for route in ("allocation", "assets"))

    assert (allocations["data"], assets["data"]) == ([{}], {})
    assert allocations["warning"] == assets["warning"] == "lakehouse.yaml names no clusters: see docs/clusters.md."
    assert "by-cluster" not in client.get("/?month=2026-10").text


def test_the_page_leads_from_clusters_to_namespaces_to_controllers(asked: TestClient) -> None:
    month = "/?month=2026-10"
    page, prod, web = (asked.get(f"{month}{more}") for more in ("", "&cluster=prod", "&cluster=prod&namespace=web"))

    assert ["prod", "USD", "7.50", "96.8%", "0.00", "+7.50", "new", ""] in cells(page.text)
    assert ["web", "USD", "5.00", "66.7%", "0.00", "+5.00", "new", ""] in cells(prod.text)
    assert [HOSTILE, "USD", "1.00", "13.3%", "0.00", "+1.00", "new", ""] in cells(prod.text)
    assert HOSTILE not in prod.text
    assert ["shop", "USD", "5.00", "100.0%", "0.00", "+5.00", "new", ""] in cells(web.text)
    for shown, link in ((page, "&amp;cluster=prod#by-cluster"), (prod, "&amp;cluster=prod&amp;namespace=web#by-cluster"),
                        (web, "&amp;cluster=prod#by-cluster")):  # fmt: skip
        assert f'href="{month}{link}"' in shown.text
    (link,) = re.findall(r'href="(/v1/costs[^"]+group_by=namespace[^"]+)"', prod.text)
    assert "web,USD,5.00000000000000000001,0,5.00000000000000000001,2,0" in asked.get(unescape(link)).text.splitlines()
    narrowed = asked.get(f"{month}&filter=service%3DAmazonEC2")
    assert "by-cluster" not in narrowed.text
    assert asked.get(f"{month}&namespace=web").status_code == 400


def test_numbers_of_allocations_have_all_their_digits(asked: TestClient) -> None:
    text = asked.get(f"/allocation?{WINDOW}&aggregate=label:team").text

    assert '"totalCost":3.00000000000000000001' in text
    assert json.loads(text)["code"] == 200
