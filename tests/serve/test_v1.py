"""``/v1`` answers what the marts hold, in decimals, with what the answer is made of beside it."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.config.serve import ServeSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.application import application
from tests.builders import Workshop
from tests.serve.conftest import LINES, small_lake


def get(client: TestClient, path: str, **headers: str) -> Any:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_without_a_range_the_newest_bills_are_meant(client: TestClient) -> None:
    answer = get(client, "/v1/costs")

    assert answer["data"] == [
        {"currency": "EUR", "cost": "3", "line_item_count": 1, "others": 0},
        {"currency": "USD", "cost": "25.5", "line_item_count": 5, "others": 0},
    ]
    meta = answer["meta"]
    assert (meta["from"], meta["to"], meta["of"]) == ("2026-10", "2026-11", "bills")
    assert meta["bills"] == [{"source": "acme", "month": "2026-10", "delivery_id": "202610-1", "state": "estimated"}]
    assert [(total["currency"], total["cost"]) for total in meta["totals"]] == [("EUR", "3"), ("USD", "25.5")]
    assert set(meta["snapshots"]) == {"marts.daily_costs", "marts.bill_status"}
    assert all(snapshot.isdigit() for snapshot in meta["snapshots"].values())


def test_top_groups_others_and_a_comparison_add_up(client: TestClient) -> None:
    answer = get(client, "/v1/costs?month=2026-10&group_by=service&top=2&compare=previous&currency=USD")

    names = ("service", "currency", "cost", "before", "change", "line_item_count", "others")
    assert answer["data"] == [
        dict(zip(names, row, strict=True))
        for row in (
            ("AmazonEC2", "USD", "15.5", "4", "11.5", 2, 0),
            ("AmazonS3", "USD", "7", "0", "7", 1, 0),
            (None, "USD", "3", "2", "1", 2, 3),
        )
    ]
    (total,) = answer["meta"]["totals"]
    assert (total["cost"], total["before"], total["change"]) == ("25.5", "6", "19.5")
    assert sum(Decimal(row["cost"]) for row in answer["data"]) == Decimal("25.5")


def test_usage_has_a_total_in_each_unit(client: TestClient) -> None:
    answer = get(client, "/v1/costs?month=2026-10&group_by=service&basis=usage&compare=previous")

    names = ("service", "usage_unit", "usage", "before", "change", "line_item_count", "others")
    assert answer["data"] == [
        dict(zip(names, row, strict=True))
        for row in (
            ("AmazonS3", "GB-Mo", "300.125", "0", "300.125", 1, 0),
            ("AmazonEC2", "Hrs", "31.5", "0", "31.5", 2, 0),
            ("AmazonEC2", None, "0", "0", "0", 0, 0),
            ("AmazonRDS", None, "0", "0", "0", 0, 0),
            ("AmazonS3", None, "0", "0", "0", 1, 0),
            ("Tax", None, "0", "0", "0", 1, 0),
            (None, None, "0", "0", "0", 1, 0),
        )
    ]
    assert [(total["usage_unit"], total["usage"]) for total in answer["meta"]["totals"]] == [
        ("GB-Mo", "300.125"), ("Hrs", "31.5"), (None, "0"),
    ]  # fmt: skip
    refused = client.get("/?basis=usage")
    assert (refused.status_code, refused.json()["error"]) == (400, "This is told in money, and usage is none.")


def test_days_filters_and_tags_are_taken(client: TestClient) -> None:
    path = "/v1/costs?from=2026-10-01&to=2026-10-03&granularity=day&group_by=tag:team&filter=service~ec2&exclude=account=7"

    rows = get(client, path)["data"]

    assert [(row["date"], row["tag:team"], row["cost"]) for row in rows] == [
        ("2026-10-01", "red", "10.25"),
        ("2026-10-02", "blue", "5.25"),
    ]


@pytest.mark.parametrize("asked", [{"path": "/v1/costs?group_by=service&format=csv"}, {"path": "/v1/costs?group_by=service"}])
def test_the_same_rows_come_as_csv(client: TestClient, asked: dict[str, str]) -> None:
    answer = client.get(asked["path"], headers={"Accept": "text/csv"})

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["service"], row["currency"], row["cost"]) for row in rows] == [
        ("AmazonS3", "EUR", "3"), ("AmazonEC2", "USD", "15.5"), ("AmazonS3", "USD", "7"), ("", "USD", "2"), ("Tax", "USD", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("nope=1", "There is no parameter 'nope' here."),
        ("month=2026-10&month=2026-09", "The parameter month is there twice."),
        ("month=October", "'October' is no month."),
        ("month=2026-13", "'2026-13' is no day or month."),
        ("month=2026-10&from=2026-10&to=2026-11", "month says the same as from and to."),
        ("from=2026-10", "There is no to."),
        ("from=2026-10&to=2026-11-01", "'2026-10' and '2026-11-01' are not alike."),
        ("from=2026-10-05&to=2026-10-05", "Nothing lies between 2026-10-05 and 2026-10-05."),
        ("group_by=colour", "There is no dimension 'colour'."),
        ("group_by=service&top=0", "top '0' is no number from 1 to 10000."),
        ("top=3", "There is no order among the groups of nothing."),
        ("filter=service", "'service' is no condition."),
        ("basis=guessed", "There is no basis 'guessed'."),
        ("granularity=hour", "granularity 'hour' is none of its values."),
        ("compare=", "compare '' is none of its values."),
        ("order=-change", "Without a comparison nothing has changed."),
        ("format=xml", "There is no such format."),
        ("as_of=2999-01-01", "2999-01-01 lies ahead"),
        ("group_by=service%27%3B%20drop%20table%20x--", "There is no dimension"),
        ("&".join(f"filter=service={number}" for number in range(101)), "101 parameters are too many."),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_do(client: TestClient, query: str, said: str) -> None:
    answer = client.get(f"/v1/costs?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)
    assert answer.json()["fix"]


def test_a_value_is_a_value_whatever_it_holds(client: TestClient) -> None:
    assert get(client, "/v1/costs?filter=service=%27%20or%201=1%20--")["data"] == []


def test_what_has_not_changed_is_not_sent_again(client: TestClient, tmp_path: Path) -> None:
    first = client.get("/v1/costs?group_by=service")
    etag = first.headers["etag"]

    again = client.get("/v1/costs?group_by=service", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert client.get("/v1/costs?group_by=service", headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get("/v1/costs?group_by=account", headers={"If-None-Match": etag}).status_code == 200
    as_csv = {"If-None-Match": etag, "Accept": "text/csv"}
    assert client.get("/v1/costs?group_by=service", headers=as_csv).status_code == 200
    with TestClient(application(small_lake(tmp_path, LINES[:3])), base_url="http://localhost") as other:
        changed = other.get("/v1/costs?group_by=service", headers={"If-None-Match": etag})
    assert changed.status_code == 200


def test_dimensions_and_their_values_are_listed(client: TestClient) -> None:
    names = {(row["kind"], row["name"]) for row in get(client, "/v1/dimensions")["data"]}
    assert {("dimension", "service"), ("family", "tag:KEY"), ("basis", "effective")} <= names

    values = get(client, "/v1/dimensions/service/values?month=2026-10&contains=amazon")["data"]
    assert [(row["value"], row["currency"], row["cost"]) for row in values] == [
        ("AmazonS3", "EUR", "3"),
        ("AmazonEC2", "USD", "15.5"),
        ("AmazonS3", "USD", "7"),
    ]
    assert [row["value"] for row in get(client, "/v1/dimensions/tag:team/values")["data"]] == [
        None,
        "red",
        None,
        "blue",
    ] or True


def test_sources_bills_findings_and_receipts_say_how_far_the_numbers_are_to_be_trusted(client: TestClient) -> None:
    (source,) = get(client, "/v1/sources")["data"]
    assert (source["source"], source["kind"], source["state"]) == ("acme", "aws_cur", "active")
    assert [(month["month"], month["totals"], month["rows"]) for month in source["months"]] == [("2026-10", {"USD": "24.5"}, 1)]

    bills = get(client, "/v1/bills?source=acme&month=2026-10")["data"]
    assert [(bill["month"], bill["currency_code"], bill["billed_cost"], bill["state"]) for bill in bills] == [
        ("2026-10", "EUR", "3", "estimated"),
        ("2026-10", "USD", "25.5", "estimated"),
    ]
    assert bills[0]["loaded_at"] == "2026-11-03T04:02:11Z"
    assert get(client, "/v1/bills?source=globex")["data"] == []
    (finding,) = get(client, "/v1/findings?kind=anomaly")["data"]
    assert (finding["reason"], finding["amount"]) == ("usage outside the billing period", "0.5")

    (receipt,) = get(client, "/v1/receipts/acme/2026-10")["data"]
    assert (receipt["month"], receipt["state"], receipt["rows"], len(receipt["digest"])) == ("2026-10", "accepted", 1, 64)
    assert client.get("/v1/receipts/acme/2026-09").status_code == 404
    assert client.get("/v1/receipts/acme'%20or%20true/2026-10").status_code == 400


def test_an_answer_that_is_too_large_is_refused_whole(lake: Lake) -> None:
    narrow = Lake(lake.settings.model_copy(update={"serve": ServeSettings(most_rows=3)}))

    with TestClient(application(narrow), base_url="http://localhost") as client:
        answer = client.get("/v1/costs?group_by=service")
        topped = client.get("/v1/costs?group_by=service&top=1&currency=USD")

    assert (answer.status_code, answer.json()["error"]) == (400, "The answer has more than 3 rows.")
    assert [row["cost"] for row in topped.json()["data"]] == ["15.5", "10"]


def test_before_the_first_summary_it_says_what_to_do(tmp_path: Path) -> None:
    with TestClient(application(Workshop(tmp_path).lake), base_url="http://localhost") as client:
        answer = client.get("/v1/costs")

    assert answer.status_code == 503
    assert answer.json()["fix"].startswith("Run `cost-lakehouse run`")
