"""Koku's cost reports: its windows, its strictness, its nesting, and numbers that add up to the bill's."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from cost_lakehouse.ask.request import Condition, Granularity
from cost_lakehouse.serve.koku.query import AWS, Query, query_of
from cost_lakehouse.serve.koku.report import document_of, question_of, report_of
from cost_lakehouse.serve.koku.windows import window_of
from cost_lakehouse.serve.koku.wrong import WrongParameter
from tests.ask.marts import asked, marts_of_lines
from tests.serve.conftest import LINES

TODAY, FIRST = date(2026, 10, 3), date(2026, 1, 1)
SCHEMA = Draft202012Validator(json.loads(Path(__file__).with_name("koku_costs.schema.json").read_text(encoding="utf-8")))
COSTS = "/api/cost-management/v1/reports/aws/costs/"
OCTOBER = "start_date=2026-10-01&end_date=2026-10-31"


def query(text: str, today: date = TODAY) -> Query:
    return query_of(parse_qsl(text, keep_blank_values=True), AWS, today, FIRST)


def report(text: str, today: date = TODAY) -> Any:
    """The report on the marts of ``LINES``, as if it were that day."""
    chosen = query(text, today)
    with marts_of_lines(LINES) as connection:
        rows, _ = asked(connection, question_of(chosen, chosen.currency or "USD", [Condition("provider", ("aws",))]))
    pairs = parse_qsl(text, keep_blank_values=True)
    document = json.loads(json.dumps(document_of(chosen, report_of(chosen, rows), "USD", COSTS, pairs)))
    SCHEMA.validate(document)
    return document


def cost(row: Any) -> float:
    assert row["infrastructure"] == row["cost"]
    assert row["supplementary"]["total"]["value"] == 0
    return float(row["cost"]["total"]["value"])


@pytest.mark.parametrize(
    ("scope", "begin", "end", "granularity"),
    [
        ({}, date(2026, 9, 24), date(2026, 10, 4), "day"),
        ({"time_scope_value": "-30"}, date(2026, 9, 4), date(2026, 10, 4), "day"),
        ({"time_scope_value": "-90"}, date(2026, 7, 6), date(2026, 10, 4), "day"),
        ({"time_scope_value": "-1"}, date(2026, 10, 1), date(2026, 10, 4), "month"),
        ({"time_scope_units": "month"}, date(2026, 10, 1), date(2026, 10, 4), "month"),
        ({"time_scope_value": "-2"}, date(2026, 9, 1), date(2026, 10, 1), "month"),
        ({"time_scope_value": "-3", "resolution": "daily"}, date(2026, 8, 1), date(2026, 9, 1), "day"),
    ],
)
def test_a_scope_is_the_window_that_koku_makes_of_it(scope: dict[str, str], begin: date, end: date, granularity: str) -> None:
    window = window_of(scope, None, None, TODAY, FIRST)

    assert (window.range.begin, window.range.end, window.granularity) == (begin, end, Granularity(granularity))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("nope=1", "nope"),
        ("filter[nope]=1", "nope"),
        ("group_by[nope]=*", "nope"),
        ("exclude[tag]=x", "tag"),
        ("nope[service]=1", "nope"),
        ("filter[service=1", "details"),
        ("limit=1&limit=2", "limit"),
        ("limit=-1", "limit"),
        ("limit=1001", "limit"),
        ("filter[limit]=5", "error"),
        ("filter[resolution]=hourly", "resolution"),
        ("filter[time_scope_value]=-11", "time_scope_value"),
        ("filter[time_scope_units]=day&filter[resolution]=monthly", "resolution"),
        ("filter[time_scope_units]=month&filter[time_scope_value]=-10", "time_scope_value"),
        ("start_date=2026-10-01", "error"),
        ("start_date=2026-10-01&end_date=2026-10-02&filter[time_scope_value]=-10", "error"),
        ("start_date=2026-10-01&end_date=2026-10-02&delta=cost", "error"),
        ("start_date=2026-10-02&end_date=2026-10-01", "error"),
        ("start_date=2025-12-31&end_date=2026-10-01", "start_date"),
        ("start_date=2026-10-01&end_date=2026-10-05", "end_date"),
        ("start_date=October&end_date=2026-10-01", "start_date"),
        ("group_by[service]=*&group_by[account]=*&group_by[region]=*", "group_by"),
        ("order_by[service]=asc", "service"),
        ("order_by[delta]=asc", "delta"),
        ("order_by[cost]=up", "cost"),
        ("delta=usage", "delta"),
        ("cost_type=guessed", "cost_type"),
        ("currency=usd", "currency"),
    ],
)
def test_what_koku_refuses_is_refused(text: str, field: str) -> None:
    with pytest.raises(WrongParameter) as caught:
        query(text)

    assert caught.value.field == field


def test_every_date_of_the_window_is_there_and_the_total_is_all_of_it() -> None:
    document = report("filter[time_scope_value]=-1&filter[resolution]=daily")

    assert [(part["date"], [cost(row) for row in part["values"]]) for part in document["data"]] == [
        ("2026-10-01", [10.25]),
        ("2026-10-02", [12.25]),
        ("2026-10-03", [2.0]),
    ]
    assert cost(document["meta"]["total"]) == 24.5
    assert document["meta"]["filter"] == {"resolution": "daily", "time_scope_value": "-1", "time_scope_units": "month"}


def test_two_groups_lie_inside_each_other_and_what_has_no_value_is_named_so() -> None:
    document = report("filter[time_scope_value]=-1&group_by[service]=*&group_by[account]=*")

    ((month),) = document["data"]
    assert [
        (service["service"], [(inner["account"], cost(inner["values"][0])) for inner in service["accounts"]])
        for service in month["services"]
    ] == [("AmazonEC2", [("1", 10.25), ("2", 5.25)]), ("AmazonS3", [("1", 7.0)]), ("No-service", [("1", 2.0)])]
    row = month["services"][0]["accounts"][0]["values"][0]
    assert (row["date"], row["account_alias"], len(row["source_uuid"])) == ("2026-10", "1", 1)


def test_beyond_the_limit_is_one_row_others_last_and_all_adds_up() -> None:
    document = report("filter[time_scope_value]=-1&filter[resolution]=daily&group_by[service]=*&filter[limit]=1")

    rows = [(part["date"], [(s["service"], cost(s["values"][0])) for s in part["services"]]) for part in document["data"]]
    assert rows == [
        ("2026-10-01", [("AmazonEC2", 10.25), ("Others", 0.0)]),
        ("2026-10-02", [("AmazonEC2", 5.25), ("Others", 7.0)]),
        ("2026-10-03", [("AmazonEC2", 0.0), ("Others", 2.0)]),
    ]
    assert (document["meta"]["limit"], document["meta"]["others"]) == (1, 2)
    two = report("filter[time_scope_value]=-1&group_by[service]=*&filter[limit]=2")
    assert [part["service"] for part in two["data"][0]["services"]] == ["AmazonEC2", "AmazonS3", "Other"]


def test_pages_of_ranks_have_no_others_and_count_the_ranks() -> None:
    document = report("filter[time_scope_value]=-1&group_by[service]=*&filter[limit]=2&filter[offset]=1")

    assert [part["service"] for part in document["data"][0]["services"]] == ["AmazonS3", "No-service"]
    assert (document["meta"]["count"], document["meta"]["others"]) == (3, 0)


def test_a_delta_compares_with_the_same_days_of_the_month_before() -> None:
    document = report("filter[time_scope_value]=-1&group_by[service]=*&delta=cost&order_by[delta]=asc")

    rows = [(part["service"], part["values"][0]) for part in document["data"][0]["services"]]
    assert [(name, row["delta_value"], row["delta_percent"]) for name, row in rows] == [
        ("AmazonRDS", -2.0, -100.0),
        ("No-service", 2.0, None),
        ("AmazonS3", 7.0, None),
        ("AmazonEC2", 11.5, 287.5),
    ]
    assert document["meta"]["delta"]["value"] == 18.5
    assert document["meta"]["delta"]["percent"] == pytest.approx(308.3333333)


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("filter[service]=ec2", 15.5),
        ("filter[exact:service]=ec2", 0),
        ("filter[exact:service]=AmazonS3&filter[service]=EC2", 22.5),  # alternatives, as they are of one field
        ("filter[service]=ec2,s3", 22.5),
        ("filter[service]=ec2&filter[service]=s3", 22.5),
        ("filter[and:service]=amazon,s3", 7),
        ("filter[or:service]=s3&filter[or:tag:team]=red", 17.25),
        ("filter[service]=ec2&filter[account]=2", 5.25),
        ("filter[tag:team]=blue", 5.25),
        ("filter[service]=No-service", 2),
        ("filter[service]=*", 24.5),
        ("exclude[service]=ec2", 9),
        ("group_by[service]=s3", 7),
    ],
)
def test_filters_choose_as_koku_says(text: str, total: float) -> None:
    assert cost(report(f"filter[time_scope_value]=-1&{text}")["meta"]["total"]) == total


def test_limit_and_offset_page_over_the_dates() -> None:
    document = report("filter[resolution]=daily&filter[time_scope_value]=-10&limit=4&offset=4")

    assert [part["date"] for part in document["data"]] == ["2026-09-28", "2026-09-29", "2026-09-30", "2026-10-01"]
    assert document["meta"]["count"] == 10
    assert [name for name, link in document["links"].items() if link is not None] == ["first", "next", "previous", "last"]
    assert document["links"]["next"].endswith("limit=4&offset=8")
    assert document["links"]["last"] == document["links"]["next"]
    assert len(report("limit=0")["data"]) == 10


def test_the_route_answers_on_a_lake(client: TestClient) -> None:
    answer = client.get(f"{COSTS}?{OCTOBER}&filter[resolution]=monthly&group_by[service]=*")

    assert answer.status_code == 200, answer.text
    document = answer.json()
    SCHEMA.validate(document)
    assert (document["meta"]["currency"], cost(document["meta"]["total"])) == ("USD", 25.5)
    again = client.get(
        f"{COSTS}?{OCTOBER}&filter[resolution]=monthly&group_by[service]=*", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    euros = client.get(f"{COSTS}?{OCTOBER}&filter[resolution]=monthly&currency=EUR").json()
    assert cost(euros["meta"]["total"]) == 3
    flat = client.get(f"{COSTS}?{OCTOBER}&filter[resolution]=monthly&group_by[service]=*", headers={"Accept": "text/csv"})
    assert flat.text.splitlines()[0] == "date,service,source_uuid,infrastructure,supplementary,cost"
    assert flat.text.splitlines()[1].startswith("2026-10,AmazonEC2,")
    assert flat.text.splitlines()[1].endswith("15.5,0.0,15.5")


def test_oracles_costs_are_asked_by_their_own_names(client: TestClient) -> None:
    path = COSTS.replace("aws", "oci")

    answer = client.get(f"{path}?{OCTOBER}&group_by[product_service]=*")

    assert answer.status_code == 200, answer.text
    SCHEMA.validate(answer.json())
    assert client.get(f"{path}?group_by[service]=*").json() == {"service": ["Unsupported parameter or invalid value"]}


def test_the_short_lists_that_clients_ask_for_first(client: TestClient) -> None:
    base = "/api/cost-management/v1"
    services = client.get(f"{base}/resource-types/aws-services/?search=amazon").json()
    assert services["data"] == [{"value": "AmazonEC2"}, {"value": "AmazonS3"}]
    assert {"value": "1", "account_alias": "1"} in client.get(f"{base}/resource-types/aws-accounts/").json()["data"]
    assert {row["type"]: row["access"] for row in client.get(f"{base}/user-access/").json()["data"]}["aws"] is True
    assert [row["code"] for row in client.get(f"{base}/currency/").json()["data"]] == ["EUR", "USD"]
    assert client.get(f"{base}/account-settings/currency/").json() == {"data": {"currency": "USD"}}
    wrong = client.get(f"{base}/user-access/?nope=1")
    assert (wrong.status_code, wrong.json()) == (400, {"nope": ["Unsupported parameter or invalid value"]})
