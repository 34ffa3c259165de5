"""Clusters on the demo's bill: its own split rows, OpenCost's word on other nodes, and the API that is asked day by day."""

from __future__ import annotations

import json
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.clusters.inputs import fetch_days, usage_of
from cost_lakehouse.config import load_settings
from cost_lakehouse.config.clusters import ClusterSettings
from cost_lakehouse.errors import ConfigurationError, SourceError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.application import application
from tests.clusters.test_split import allocation
from tests.demo import Told, command

SPLIT = "split_line_item_parent_resource_id"
NODES = """
    with parents as (select distinct split_line_item_parent_resource_id as id from raw.aws_cur where source = 'acme-payer')
    select line_item_resource_id as node, cast(line_item_usage_start_date as date) as day,
        sum(line_item_net_unblended_cost) as cost
    from raw.aws_cur
    where source = 'acme-payer' and billing_period = date '2026-10-01' and line_item_resource_id in (from parents)
    group by 1, 2
"""


@pytest.fixture(scope="module")
def config(demo: Told) -> Iterator[str]:
    """The demo's lake, with a cluster on one of its bills and OpenCost's word on a node that the bill does not split."""
    (node,) = demo.query("""
        select line_item_resource_id as node, cast(line_item_usage_start_date as date) as day
        from raw.aws_cur
        where source = 'acme-payer' and billing_period = date '2026-10-01' and line_item_resource_id like 'i-%'
            and line_item_line_item_type = 'Usage' and line_item_net_unblended_cost > 0
            and line_item_resource_id not in (
                select split_line_item_parent_resource_id from raw.aws_cur where split_line_item_parent_resource_id is not null)
        order by line_item_net_unblended_cost desc, node limit 1
    """)
    folder, file = demo.folder / "opencost", demo.folder / "with-clusters.yaml"
    folder.mkdir(exist_ok=True)
    answers = [
        allocation("blue/a", 3.0, cluster="blue", namespace="web", controllerKind="deployment", providerID=node["node"]),
        allocation("blue/__idle__", 1.0, cluster="blue", providerID=node["node"]),
        allocation("blue/b", 1.0, cluster="blue", namespace="web", providerID="i-0123456789abcdef0"),
    ]
    for one in answers:
        one["window"] = {"start": f"{node['day']}T00:00:00Z"}
    document = {"code": 200, "data": [{one["name"]: one for one in answers}]}
    (folder / f"{node['day']}.json").write_text(json.dumps(document), encoding="utf-8")
    text = Path(demo.config).read_text(encoding="utf-8")
    file.write_text(f"{text}clusters: [{{name: blue, source: acme-payer, location: opencost}}]\n", encoding="utf-8")
    shown = command("clusters", "--source", "acme-payer", "--month", "2026-10", "--config", str(file))
    assert shown.exit_code == 0, shown.output
    assert "1 months are split" in shown.stdout
    assert "0 days of nodes have no cluster data, 1 are not in the bill." in " ".join(shown.stdout.split())
    yield str(file)
    file.unlink()
    shutil.rmtree(folder)


def rows(demo: Told, where: str = "true") -> list[dict[str, Any]]:
    return demo.query(f"select * from marts.cluster_costs where billing_period = date '2026-10-01' and {where} order by all")


def test_split_rows_give_each_pod_its_part_of_the_node(demo: Told, config: str) -> None:
    """Each node of the sample bill runs an EKS pod and an ECS task: the pod has (0.30 + 0.05 + 0.20 + 0.04) of it."""
    found = rows(demo, "weight_source = 'cur_split'")
    billed = {(row["node"], row["day"]): Decimal(row["cost"]) for row in demo.query(NODES)}
    costs: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in found:
        costs[row["resource_id"], row["usage_date"]][row["namespace"]] += Decimal(row["cost"])
    assert len(billed) > 5
    assert {place: sum(parts.values()) for place, parts in costs.items()} == billed
    for place, parts in costs.items():
        assert parts == {"shop": billed[place] * Decimal("0.59"), "(ecs)": billed[place] * Decimal("0.41")}
    assert {row["cluster"] for row in found} == {"prod"}


def test_another_node_is_split_by_what_opencost_says(demo: Told, config: str) -> None:
    found = rows(demo, "weight_source = 'opencost_allocation' and cost <> 0")
    costs = {row["namespace"]: Decimal(row["cost"]) for row in found}
    assert set(costs) == {"web", "(idle)"}
    assert costs["web"] == 3 * costs["(idle)"]
    (missing,) = rows(demo, "namespace = '(not in the bill)'")
    assert (missing["resource_id"], missing["cost"], missing["currency_code"]) == ("i-0123456789abcdef0", "0", None)


def test_costs_are_asked_by_cluster_and_namespace(demo: Told, config: str) -> None:
    answered = command("costs", "--month", "2026-10", "--by", "cluster,namespace", "--format", "json", "--config", config)
    assert answered.exit_code == 0, answered.stderr
    found = {(row["cluster"], row["namespace"]): Decimal(row["cost"]) for row in json.loads(answered.stdout)}
    wanted: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in rows(demo):
        wanted[row["cluster"], row["namespace"]] += Decimal(row["cost"])
    assert found == wanted
    refused = command("costs", "--by", "namespace,region", "--config", config)
    assert (refused.exit_code, "Costs of clusters have no region." in refused.stderr) == (2, True)
    without = command("costs", "--by", "namespace", "--config", demo.config)
    assert "names no clusters" in without.stderr


def test_opencost_s_routes_come_to_what_each_cluster_costs(demo: Told, config: str) -> None:
    answered = command(
        "costs", "--from", "2026-10-01", "--to", "2026-11-01", "--by", "cluster", "--format", "json", "--config", config
    )
    costs = {row["cluster"]: Decimal(row["cost"]) for row in json.loads(answered.stdout) if row["currency_code"] == "USD"}
    with TestClient(application(Lake(load_settings(Path(config)))), base_url="http://localhost") as client:
        for cluster, whole in costs.items():
            chosen = {"window": "2026-10-01T00:00:00Z,2026-11-01T00:00:00Z", "filter": f'cluster:"{cluster}"'}
            asked = {**chosen, "includeIdle": "true", "step": "1d", "aggregate": "namespace"}
            answers = {
                "allocation": client.get("/model/allocation", params=asked),
                "assets": client.get("/model/assets", params=chosen),
            }
            data = {
                name: json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)["data"]
                for name, answer in answers.items()
            }
            allocated = [one["totalCost"] for day in data["allocation"] for one in day.values()]
            assert sum(allocated) == sum(one["totalCost"] for one in data["assets"].values()) == whole
    assert set(costs) == {"prod", "blue"}


class Api(BaseHTTPRequestHandler):
    """OpenCost, as far as it is asked."""

    asked: ClassVar[list[str]] = []
    says: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        day = query["window"][0][:10]
        Api.asked.append(day)
        one = allocation("blue/a", 1.0, namespace="web", providerID="i-0abc")
        one["window"] = {"start": f"{day}T00:00:00Z"}
        body = json.dumps(Api.says or {"code": 200, "data": [{"a": one}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def api() -> Iterator[str]:
    Api.asked, Api.says = [], {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_api_is_asked_once_for_each_closed_day(api: str, tmp_path: Path) -> None:
    (tmp_path / "lakehouse.yaml").write_text("sources: []\n", encoding="utf-8")
    settings = load_settings(tmp_path / "lakehouse.yaml")
    cluster = ClusterSettings(name="blue", source="acme", location="kept", url=f"{api}/")
    today = date(2026, 10, 4)

    assert fetch_days(settings, cluster, today, 3) == [today - timedelta(days=days) for days in (3, 2, 1)]
    assert fetch_days(settings, cluster, today, 3) == []
    assert Api.asked == ["2026-10-01", "2026-10-02", "2026-10-03"]
    assert [one.day.day for one in usage_of(settings, cluster, date(2026, 10, 1))] == [1, 2, 3]
    assert [one.day.day for one in usage_of(settings, cluster, date(2026, 11, 1))] == []

    Api.says = {"code": 200, "data": []}
    with pytest.raises(SourceError, match="says nothing of 2026-10-04"):
        fetch_days(settings, cluster, date(2026, 10, 5), 3)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [f"2026-10-0{day}.json" for day in (1, 2, 3)]


def test_an_api_that_does_not_answer_is_said(tmp_path: Path) -> None:
    (tmp_path / "lakehouse.yaml").write_text("sources: []\n", encoding="utf-8")
    settings = load_settings(tmp_path / "lakehouse.yaml")
    cluster = ClusterSettings(name="blue", source="acme", location="kept", url="http://127.0.0.1:9")
    with pytest.raises(SourceError, match=r"http://127\.0\.0\.1:9 does not answer: ConnectionError"):
        fetch_days(settings, cluster, date(2026, 10, 4), 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{name: a, source: nobody}", "there is no source 'nobody' of AWS"),
        ("{name: a, source: acme, url: 'http://x'}", "url needs a folder as location"),
        ("{name: a, source: acme, url: ftp://x, location: y}", "write http://HOST:PORT"),
        ("{name: a, source: acme, node_tag: x}", "write key=value"),
        ("{name: a, source: acme}, {name: a, source: acme}", "the name 'a' is used twice"),
    ],
)
def test_wrong_clusters_are_refused(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "lakehouse.yaml"
    source = "sources: [{name: acme, kind: aws_cur, location: bills}]"
    file.write_text(f"{source}\nclusters: [{text}]\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=says):
        load_settings(file)
