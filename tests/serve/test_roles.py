"""A role sees its accounts, and nothing from which those of others could be told: on every route, in every form."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from pydantic import SecretStr
from starlette.testclient import TestClient

from cost_lakehouse.config import load_settings
from cost_lakehouse.config.serve import ProxySettings, RoleSettings, ServeSettings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.application import application

ALL, BLUE, BOTH = "all-0123456789abcdef", "blue-0123456789abcdef", "both-0123456789abcdef"
OCTOBER = "window=2026-10-01T00:00:00Z,2026-11-01T00:00:00Z"
KOKU = "/api/cost-management/v1"
SETTINGS = ServeSettings(
    token=SecretStr(ALL),
    roles=(
        RoleSettings(name="blue", accounts=("2",), token=SecretStr(BLUE), groups=("team-blue",)),
        RoleSettings(name="both", accounts=("1", "2"), token=SecretStr(BOTH), groups=("team-red", "team-green")),
        RoleSettings(name="euros", accounts=("9",)),
    ),
    proxy=ProxySettings(addresses=("10.0.0.5",), see_all=("finance",)),
)


@pytest.fixture(scope="module")
def server(lake: Lake) -> Lake:
    """The module's lake, whose server asks who somebody is."""
    return Lake(lake.settings.model_copy(update={"serve": SETTINGS}))


@pytest.fixture(scope="module")
def roles(server: Lake) -> Iterator[TestClient]:
    """Asks it from an address that is no proxy's."""
    with TestClient(application(server), base_url="http://localhost", raise_server_exceptions=False) as asked:
        yield asked


def get(client: TestClient, path: str, token: str = BLUE, **headers: str) -> Any:
    answer = client.get(path, headers={"Authorization": f"Bearer {token}", **headers})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_costs_totals_and_bills_are_those_of_the_accounts(roles: TestClient) -> None:
    answer = get(roles, "/v1/costs?month=2026-10&group_by=service&top=1")

    assert [(row["service"], row["currency"], row["cost"]) for row in answer["data"]] == [("AmazonEC2", "USD", "5.25")]
    assert [(total["currency"], total["cost"]) for total in answer["meta"]["totals"]] == [("USD", "5.25")]
    assert get(roles, "/v1/costs?month=2026-10&filter=account=1,2")["meta"]["totals"][0]["cost"] == "5.25"
    assert get(roles, "/v1/costs?month=2026-10&filter=account=1")["data"] == []
    assert get(roles, "/v1/costs?month=2026-10&exclude=account=2")["data"] == []
    assert [row["billed_cost"] for row in get(roles, "/v1/bills?month=2026-10")["data"]] == ["5.25"]
    assert [row["billed_cost"] for row in get(roles, "/v1/bills?month=2026-10", BOTH)["data"]] == ["25.5"]
    assert get(roles, "/v1/bills?source=globex")["data"] == []


def test_values_are_those_of_the_accounts(roles: TestClient) -> None:
    assert [row["value"] for row in get(roles, "/v1/dimensions/account/values?month=2026-10")["data"]] == ["2"]
    assert [row["value"] for row in get(roles, "/v1/dimensions/service/values?month=2026-10")["data"]] == ["AmazonEC2"]
    assert [row["value"] for row in get(roles, "/v1/dimensions/tag:team/values?month=2026-10")["data"]] == ["blue"]
    assert [row["value"] for row in get(roles, f"{KOKU}/resource-types/aws-services/")["data"]] == ["AmazonEC2"]
    assert [row["code"] for row in get(roles, f"{KOKU}/currency/")["data"]] == ["USD"]


def test_other_tools_routes_and_other_forms_are_no_way_around(roles: TestClient) -> None:
    report = get(roles, f"{KOKU}/reports/aws/costs/?start_date=2026-10-01&end_date=2026-10-31&filter[or:account]=1")
    assert report["meta"]["total"]["cost"]["total"]["value"] == 0
    whole = get(roles, f"{KOKU}/reports/aws/costs/?start_date=2026-10-01&end_date=2026-10-31")
    assert whole["meta"]["total"]["cost"]["total"]["value"] == 5.25
    totals = get(roles, f'/model/cloudCost/view/totals?{OCTOBER}&filter=accountID:"1"|accountID!:"1"&costMetric=InvoicedCost')
    assert totals["data"]["combined"]["cost"] == 5.25
    assert "warning" not in totals  # that there are euros is not theirs to know
    headers = {"Authorization": f"Bearer {BLUE}", "Accept": "text/csv"}
    assert roles.get("/v1/costs?month=2026-10", headers=headers).text.splitlines()[1] == "USD,5.25,1,0"
    page = roles.get("/?month=2026-10", headers={"Authorization": f"Bearer {BLUE}"}).text
    assert "5.25" in page
    assert "AmazonS3" not in page


def test_an_etag_of_one_role_is_none_of_another(roles: TestClient) -> None:
    path = "/v1/costs?month=2026-10"
    etag = roles.get(path, headers={"Authorization": f"Bearer {ALL}"}).headers["etag"]

    known = {"If-None-Match": etag}
    asked = {token: roles.get(path, headers={"Authorization": f"Bearer {token}", **known}) for token in (ALL, BLUE)}

    assert (asked[ALL].status_code, asked[BLUE].status_code) == (304, 200)
    assert asked[BLUE].headers["etag"] != etag


@pytest.mark.parametrize(
    "path",
    [
        "/v1/findings",
        "/v1/receipts/acme/2026-10",
        "/v1/invoices",
        "/v1/budgets",
        "/v1/diff/acme/2026-10",
        "/v1/explain?mart=bill_status&where=source=acme&column=billed_cost",
    ],
)
def test_what_cannot_be_told_apart_by_account_is_not_told(roles: TestClient, path: str) -> None:
    answer = roles.get(path, headers={"Authorization": f"Bearer {BLUE}"})

    assert answer.status_code == 403
    assert "of whole bills" in answer.json()["error"]


def test_sources_are_named_without_what_the_whole_bill_holds(roles: TestClient) -> None:
    (source,) = get(roles, "/v1/sources")["data"]

    assert [set(month) for month in source["months"]] == [{"month", "state", "delivery_id"}]


@pytest.mark.parametrize(
    ("address", "groups", "cost"),
    [
        ("10.0.0.5", "team-blue", "5.25"),
        ("10.0.0.5", "others, team-blue,team-green", "25.5"),
        ("10.0.0.5", "finance", "25.5"),
        ("10.0.0.5", "others", None),
        ("10.0.0.5", "", None),
        ("10.0.0.5", None, None),
        ("10.0.0.6", "finance", None),
        ("127.0.0.1", "finance", None),
    ],
)
def test_the_proxy_is_believed_and_nobody_else(server: Lake, address: str, groups: str | None, cost: str | None) -> None:
    client = TestClient(application(server), base_url="http://localhost", client=(address, 40_000))
    headers = {} if groups is None else {"X-Forwarded-Groups": groups, "X-Forwarded-For": "10.0.0.5"}

    answer = client.get("/v1/costs?month=2026-10&currency=USD", headers=headers)

    if cost is None:
        assert answer.status_code == 401
    else:
        assert answer.json()["meta"]["totals"][0]["cost"] == cost


def test_a_header_that_is_there_twice_is_believed_no_more(server: Lake) -> None:
    client = TestClient(application(server), base_url="http://localhost", client=("10.0.0.5", 40_000))

    answer = client.get("/v1/costs", headers=[("X-Forwarded-Groups", "team-blue"), ("X-Forwarded-Groups", "finance")])

    assert answer.status_code == 401


def test_decimals_keep_their_type_in_parquet(roles: TestClient) -> None:
    headers = {"Authorization": f"Bearer {ALL}", "Accept": "application/vnd.apache.parquet"}

    answer = roles.get("/v1/costs?month=2026-10&group_by=service", headers=headers)
    same = roles.get("/v1/costs?month=2026-10&group_by=service&format=parquet", headers={"Authorization": f"Bearer {ALL}"})

    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    table = parquet.read_table(io.BytesIO(answer.content))
    assert str(table.schema.field("cost").type).startswith("decimal128(38, ")
    assert table.to_pylist()[1] == {
        "service": "AmazonEC2", "currency": "USD", "cost": Decimal("15.5"), "line_item_count": 2, "others": 0,
    }  # fmt: skip
    assert same.content == answer.content


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{roles: [{name: a, accounts: ['1']}]}", "nobody can be a"),
        ("{roles: [{name: a, accounts: [], token: 0123456789abcdef}]}", "serve.roles"),
        (
            "{roles: [{name: a, accounts: ['1'], token: 0123456789abcdef}, "
            "{name: a, accounts: ['2'], token: 1123456789abcdef}]}",
            "twice",
        ),
        ("{token: 0123456789abcdef, roles: [{name: a, accounts: ['1'], token: 0123456789abcdef}]}", "same token"),
        ("{proxy: {addresses: [proxy.example.com]}}", "serve.proxy.addresses"),
        ("{proxy: {addresses: ['10.0.0.5'], header: 'a b'}}", "serve.proxy.header"),
    ],
)
def test_roles_that_make_no_sense_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "lakehouse.yaml"
    file.write_text(f"serve: {text}\n", encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load_settings(file)

    assert said in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)


def test_what_is_served_says_nothing_of_tokens(roles: TestClient) -> None:
    answers = [roles.get(path) for path in ("/v1/costs", "/", "/v1/sources", "/model/cloudCost/status")]

    assert {answer.status_code for answer in answers} == {401}
    assert not any(token in json.dumps(answer.json()) for answer in answers for token in (ALL, BLUE, BOTH))
