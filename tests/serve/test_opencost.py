"""OpenCost's cloud costs: its windows, its filters, the requests of its own page, and numbers that are the bill's."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.ask.clauses import ALWAYS, NEVER, All, Clause, Compared, Either, Match, Not
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.exact_json import exact_json
from cost_lakehouse.serve.opencost.filters import clause_of
from cost_lakehouse.serve.opencost.windows import Accumulate, Window, accumulate_of, sets_of, window_of
from tests.serve.conftest import line, small_lake

NOW = datetime(2026, 11, 5, 13, 30, tzinfo=UTC)  # a Thursday
OCTOBER = "window=2026-10-01T00:00:00Z,2026-11-01T00:00:00Z"


def get(client: TestClient, path: str) -> Any:
    """The data, its numbers as decimals."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    document = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
    assert document["code"] == 200
    return document["data"]


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("today", date(2026, 11, 5), date(2026, 11, 6)),
        ("yesterday", date(2026, 11, 4), date(2026, 11, 5)),
        ("week", date(2026, 11, 1), date(2026, 11, 6)),
        ("lastweek", date(2026, 10, 25), date(2026, 11, 1)),
        ("month", date(2026, 11, 1), date(2026, 11, 6)),
        ("lastmonth", date(2026, 10, 1), date(2026, 11, 1)),
        ("1d", date(2026, 11, 5), date(2026, 11, 6)),
        ("7d", date(2026, 10, 30), date(2026, 11, 6)),
        ("1w", date(2026, 10, 30), date(2026, 11, 6)),
        ("24h", date(2026, 11, 4), date(2026, 11, 6)),  # from 14:00 to 14:00: both days, whole
        ("90m", date(2026, 11, 5), date(2026, 11, 6)),
        ("2d offset 1d", date(2026, 11, 2), date(2026, 11, 5)),  # from 13:30 to 13:30
        ("1790812800,1791072000", date(2026, 10, 1), date(2026, 10, 4)),
        ("1790812800-1790985600", date(2026, 10, 1), date(2026, 10, 3)),
        ("2026-10-01T00:00:00Z,2026-10-03T12:00:00Z", date(2026, 10, 1), date(2026, 10, 4)),
    ],
)
def test_a_window_is_the_whole_days_that_it_touches(text: str, begin: date, end: date) -> None:
    assert window_of(text, NOW) == Window(begin, end)


@pytest.mark.parametrize(
    "text",
    ["", "7", "7y", "-7d", "0d", "soon", "9999999d", "99999999999,99999999999", "2026-10-01,2026-11-01",
     "2026-13-01T00:00:00Z,2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z,2026-10-01T00:00:00Z", "1d offset 9999999w"],
)  # fmt: skip
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        window_of(text, NOW)


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("week", [date(2026, 10, 4), date(2026, 10, 11), date(2026, 10, 12)]),  # weeks end with Saturday
        ("month", [date(2026, 10, 1), date(2026, 10, 12)]),
        ("quarter", [date(2026, 10, 1), date(2026, 10, 12)]),
        ("all", [date(2026, 10, 12)]),
        ("true", [date(2026, 10, 12)]),
    ],
)
def test_sets_end_where_the_calendar_does(name: str, ends: list[date]) -> None:
    window = Window(date(2026, 9, 30), date(2026, 10, 12))

    found = sets_of(window, accumulate_of(name))

    assert [part.end for part in found] == ends
    assert [part.begin for part in found] == [window.begin, *ends[:-1]]
    assert len(sets_of(window, Accumulate.DAY)) == 12


EC2, RED = Compared("service", "AmazonEC2"), Compared("tag:team", "red")


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ("", ALWAYS),
        ('service:"AmazonEC2"', EC2),
        ('service: "AmazonEC2" + label[team]:"red"', All((EC2, RED))),
        ('service:"AmazonEC2"|label[team]:"red"', Either((EC2, RED))),
        ('(service:"AmazonEC2")', EC2),
        ('accountID!:"1"+(service:"AmazonEC2"|label[team]:"red")', All((Not(Compared("account", "1")), Either((EC2, RED))))),
        ('service:"AmazonEC2","b"', Either((EC2, Compared("service", "b")))),
        ('service!:"AmazonEC2","b"', Not(Either((EC2, Compared("service", "b"))))),
        ('service~:"EC"', Compared("service", "EC", Match.PART)),
        ('service!<~:"EC"', Not(Compared("service", "EC", Match.START))),
        ('service~>:"EC"', Compared("service", "EC", Match.END)),
        ('regionID:"__unallocated__"', Compared("region", "")),
        ('label:"team"', Not(Compared("tag:team", ""))),
        ('label[app.kubernetes.io/name]:"x"', Compared("tag:app.kubernetes.io/name", "x")),
        (r'accountName:"a \"b\""', Compared("account_name", 'a "b"')),
        ('providerID:"i-1"', NEVER),
        ('providerID:""', ALWAYS),
    ],
)
def test_a_filter_is_read_as_opencost_reads_it(text: str, clause: Clause) -> None:
    assert clause_of(text) == clause


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("service", "ends too soon"),
        ("service:AmazonEC2", "cannot stand there"),
        ('colour:"red"', "'colour' is none of"),
        ('service[team]:"red"', "is none of"),
        ('service:"a"+accountID:"b"|regionID:"c"', "put one of them in parentheses"),
        ('(service:"a"', "ends too soon"),
        ('service:"a")', "cannot stand there"),
        ('service:"a', "stands"),
        ('service:"a"; drop table', "stands"),
        ("(" * 30 + 'service:"a"' + ")" * 30, "parentheses in each other"),
        ('label~>:"team"', "compared as a whole"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        clause_of(text)

    assert said in caught.value.problem


@pytest.mark.parametrize("prefix", ["/model", ""])
def test_the_page_shows_what_the_bill_comes_to(client: TestClient, prefix: str) -> None:
    """The four requests that opencost-ui makes for its table and chart."""
    asked = f"{OCTOBER}&aggregate=service&costMetric=InvoicedCost&accumulate=day&filter=&limit=1000"

    table = get(client, f"{prefix}/cloudCost/view/table?{asked}")
    totals = get(client, f"{prefix}/cloudCost/view/totals?{asked}")
    graph = get(client, f"{prefix}/cloudCost/view/graph?{asked}")
    status = get(client, f"{prefix}/cloudCost/status")

    assert [(row["name"], row["cost"]) for row in table] == [
        ("AmazonEC2", Decimal("15.5")), ("AmazonS3", 7), ("__unallocated__", 2), ("Tax", 1),
    ]  # fmt: skip
    assert (totals["numResults"], totals["combined"]["name"], totals["combined"]["cost"]) == (4, "Totals", Decimal("25.5"))
    ours = client.get("/v1/costs?from=2026-10-01&to=2026-11-01&currency=USD").json()["meta"]["totals"]
    assert Decimal(ours[0]["cost"]) == totals["combined"]["cost"]
    assert sum(item["value"] for part in graph for item in part["items"]) == Decimal("25.5")
    assert (len(graph), graph[1]["start"], graph[1]["items"][0]) == (
        31, "2026-10-02T00:00:00Z", {"name": "AmazonS3", "value": 7},
    )  # fmt: skip
    (source,) = status
    assert (source["key"], source["provider"], source["active"], source["valid"]) == ("acme", "AWS", True, True)
    assert (source["coverage"], source["runs"], source["config"]) == ("[2026-10-01T00:00:00Z, 2026-11-01T00:00:00Z)", 1, {})


def test_what_clusters_cause_is_told_by_service_and_tags(tmp_path: Path) -> None:
    lines = (
        line(1, "AmazonEKS", "1"),
        line(1, "AmazonEC2", "3", tags={"aws_eks_cluster_name": "blue"}),
        line(1, "AmazonEC2", "6"),
    )
    with TestClient(application(small_lake(tmp_path, lines)), base_url="http://localhost") as client:
        path = f"/model/cloudCost/view/{{}}?{OCTOBER}&costMetric=InvoicedCost&aggregate=service"
        table, totals = get(client, path.format("table")), get(client, path.format("totals"))
        (cost, *_) = get(client, f"/model/cloudCost?{OCTOBER}&aggregate=service")["sets"][0]["cloudCosts"].values()

    assert [(row["name"], row["cost"], float(row["kubernetesPercent"])) for row in table] == [
        ("AmazonEC2", 9, pytest.approx(1 / 3)), ("AmazonEKS", 1, 1),
    ]  # fmt: skip
    assert float(totals["combined"]["kubernetesPercent"]) == pytest.approx(0.4)
    assert float(cost["invoicedCost"]["kubernetesPercent"]) == pytest.approx(1 / 3)


def test_drilling_down_asks_for_items_of_one_service(client: TestClient) -> None:
    wanted = quote('service:"AmazonEC2"')

    data = get(client, f"/model/cloudCost?{OCTOBER}&costMetric=InvoicedCost&filter={wanted}")

    assert len(data["sets"]) == 31
    assert data["window"] == {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}
    first, second = data["sets"][:2]
    key = "__unallocated__/1/AWS/__unallocated__/Compute/AmazonEC2"
    assert list(first["cloudCosts"]) == [key]
    cost = first["cloudCosts"][key]
    assert cost["properties"] == {
        "accountID": "1", "provider": "AWS", "category": "Compute", "service": "AmazonEC2", "labels": {},
    }  # fmt: skip
    assert cost["invoicedCost"] == {"cost": Decimal("10.25"), "kubernetesPercent": 0}
    assert {"listCost", "netCost", "amortizedNetCost", "amortizedCost"} < set(cost)
    assert [row["properties"]["accountID"] for row in second["cloudCosts"].values()] == ["2"]


@pytest.mark.parametrize(
    ("wanted", "total"),
    [
        ('accountID:"2"', "5.25"),
        ('service~:"amazon"', None),  # case counts
        ('service~:"Amazon"', "22.5"),
        ('service<~:"Tax"|service~>:"S3"', "8"),
        ('service!:"AmazonEC2","AmazonS3"', "3"),
        ('service:"__unallocated__"', "2"),
        ('label[team]:"red"', "10.25"),
        ('label:"team"', "15.5"),
        ('provider:"AWS"+category:"Compute"', "15.5"),
        ('provider:"aws"', None),
        ('provider<~:"A"', "25.5"),
        ('provider!:"AWS"', None),
        ('providerID:"i-1"', None),
        ('(service:"AmazonEC2"+accountID:"1")|service:"Tax"', "11.25"),
    ],
)
def test_filters_choose(client: TestClient, wanted: str, total: str | None) -> None:
    path = f"/model/cloudCost/view/totals?{OCTOBER}&aggregate=service&costMetric=invoicedCost&filter={quote(wanted)}"

    data = get(client, path)

    assert (data and data["combined"]["cost"]) == (total and Decimal(total))


def test_pages_orders_and_labels(client: TestClient) -> None:
    path = f"/model/cloudCost/view/table?{OCTOBER}&costMetric=invoicedcost"

    page = get(client, f"{path}&aggregate=service&sortBy=name&sortByOrder=asc&limit=2&offset=1")
    teams = get(client, f"{path}&aggregate=label:team,accountID&sortByOrder=ASC")
    euros = get(client, f"{path}&aggregate=service&currency=EUR")

    assert [row["name"] for row in page] == ["AmazonS3", "Tax"]
    assert [(row["name"], row["labels"], row["cost"]) for row in teams] == [
        ("blue/2", {"team": "blue"}, Decimal("5.25")),
        ("__unallocated__/1", {}, 10),
        ("red/1", {"team": "red"}, Decimal("10.25")),
    ]
    assert [(row["name"], row["cost"]) for row in euros] == [("AmazonS3", 3)]


def test_a_table_comes_as_csv(client: TestClient) -> None:
    answer = client.get(f"/model/cloudCost/view/table?{OCTOBER}&aggregate=service&costMetric=InvoicedCost&format=csv")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines()[:2] == [
        "Name,K8s Utilization,Total,Window",
        'AmazonEC2,0.000,15.5,"[2026-10-01T00:00:00Z, 2026-11-01T00:00:00Z)"',
    ]


def test_costs_in_another_currency_are_said_to_be_apart(client: TestClient) -> None:
    answer = client.get(f"/model/cloudCost/view/totals?{OCTOBER}").json()

    assert answer["warning"] == "These are the costs in USD; those in EUR are asked for apart."


def test_an_unchanged_answer_is_not_sent_again(client: TestClient) -> None:
    path = f"/model/cloudCost/view/graph?{OCTOBER}&aggregate=service"

    again = client.get(path, headers={"If-None-Match": client.get(path).headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "There is no window."),
        ("window=7d&aggregate=colour", "'colour' is no property"),
        ("window=7d&accumulate=hour", "there are no hours"),
        ("window=7d&costMetric=guessed", "costMetric 'guessed' is none"),
        ("window=7d&limit=-1", "limit"),
        ("window=7d&sortBy=colour", "sortBy"),
        ("window=7d&filter=service", "The filter cannot be read"),
        ("window=7d&unknown=1", "There is no parameter 'unknown' here."),
        ("window=7d&window=8d", "is there twice"),
    ],
)
def test_what_makes_no_sense_is_refused_in_opencosts_envelope(client: TestClient, query: str, said: str) -> None:
    answer = client.get(f"/model/cloudCost/view/table?{query}")

    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["data"]) == (400, None)
    assert said in answer.json()["message"]


def test_decimals_are_numbers_with_all_their_digits() -> None:
    document = {"a": [Decimal("0.12345678901234567890"), Decimal(3)], "b": 'x"y', "c": None, "d": True}

    text = exact_json(document)

    assert text == '{"a":[0.1234567890123456789,3],"b":"x\\"y","c":null,"d":true}'
    assert json.loads(text)["b"] == 'x"y'
