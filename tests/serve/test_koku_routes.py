"""Koku's routes on a lake: reports, a currency that is converted into, and the lists that clients ask for first."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.application import application
from tests.serve.conftest import small_lake
from tests.serve.koku_documents import COSTS, OCTOBER, SCHEMA, cost


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


def test_a_currency_is_converted_into_by_the_table_s_rates(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    config = lake.settings.file
    config.write_text(f"{config.read_text(encoding='utf-8')}\ncurrency_rates: rates.csv\n", encoding="utf-8")
    table = config.with_name("rates.csv")
    table.write_text("month,from,to,rate,source\n2026-10,EUR,USD,1.25,ECB\n", encoding="utf-8")
    path = f"{COSTS}?{OCTOBER}&filter[resolution]=monthly"

    with TestClient(application(Lake(load_settings(config))), base_url="http://localhost") as client:
        plain = client.get(path).json()
        dollars = client.get(f"{path}&currency=USD").json()
        euros = client.get(f"{path}&currency=EUR")
        own = client.get("/v1/costs?month=2026-10&currency=USD&group_by=service&top=1")
        table.write_text("month,from,to,rate,source\n2026-10,EUR,USD,2,ECB\n", encoding="utf-8")
        newer = client.get("/v1/costs?month=2026-10&currency=USD", headers={"If-None-Match": own.headers["etag"]}).json()
        currencies = client.get("/api/cost-management/v1/currency/").json()["data"]

    SCHEMA.validate(dollars)
    assert cost(plain["meta"]["total"]) == 25.5
    assert cost(dollars["meta"]["total"]) == 29.25
    used = [{"month": "2026-10", "from": "EUR", "to": "USD", "rate": "1.25", "source": "ECB"}]
    assert dollars["meta"]["exchange_rates"] == used
    assert euros.status_code == 400
    assert euros.json()["currency"][0].startswith("There is no rate of 2026-10 from USD to EUR. Add a line to ")
    meta = own.json()["meta"]
    assert (meta["rates"], meta["currency"], [total["cost"] for total in meta["totals"]]) == (used, "USD", ["29.25"])
    assert [(row["service"], row["cost"], row["others"]) for row in own.json()["data"]] == [
        ("AmazonEC2", "15.5", 0),
        (None, "13.75", 3),
    ]
    assert [total["cost"] for total in newer["meta"]["totals"]] == ["31.5"]
    assert [row["code"] for row in currencies] == ["EUR", "USD"]


@pytest.mark.parametrize(
    ("path", "usage"),
    [("aws/instance-types", (31.5, "Hrs")), ("aws/storage", (300.125, "GB-Mo")), ("oci/instance-types", (0.0, "Hrs"))],
)
def test_usage_reports_answer_on_a_lake(client: TestClient, path: str, usage: tuple[float, str]) -> None:
    address = f"{COSTS.replace('aws/costs', path)}?{OCTOBER}&filter[resolution]=monthly"

    document = client.get(address).json()
    flat = client.get(address, headers={"Accept": "text/csv"}).text.splitlines()

    SCHEMA.validate(document)
    assert document["meta"]["total"]["usage"] == dict(zip(("value", "units"), usage, strict=True))
    assert flat[0].endswith("cost,usage") or path.startswith("oci")


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
