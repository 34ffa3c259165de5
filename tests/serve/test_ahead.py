"""What is to come and what changed, over HTTP: the answers are those of the commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from cost_lakehouse.config import load_settings
from cost_lakehouse.config.serve import RoleSettings, ServeSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.application import application
from tests.demo import Told, command


@pytest.fixture(scope="module")
def of_demo(demo: Told) -> Iterator[TestClient]:
    """Asks the demo's lake."""
    lake = Lake(load_settings(demo.folder / "lakehouse.yaml"))
    with TestClient(application(lake), base_url="http://localhost", raise_server_exceptions=False) as asked:
        yield asked


def told(demo: Told, *arguments: str) -> list[dict[str, Any]]:
    """What a command prints with ``--json``."""
    answer = command(*arguments, "--json", "--config", demo.config)
    assert answer.exit_code in (0, 1), answer.stderr
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/v1/forecast?group_by=service", ("forecast", "--by", "service")),
        ("/v1/forecast?month=2026-10&filter=service~ec2", ("forecast", "--month", "2026-10", "--where", "service~ec2")),
        (
            "/v1/anomalies?days=60&amount=5&percent=20&group_by=account",
            ("anomalies", "--days", "60", "--amount", "5", "--percent", "20", "--by", "account"),
        ),
        (
            "/v1/anomalies?days=60&amount=0&percent=0&group_by=service",
            ("anomalies", "--days", "60", "--amount", "0", "--percent", "0"),
        ),
    ],
    ids=["by service", "one month", "anomalies", "of any size"],
)
def test_what_is_to_come_is_what_the_command_says(
    demo: Told, of_demo: TestClient, path: str, arguments: tuple[str, ...]
) -> None:
    answer = of_demo.get(path).json()

    assert answer["data"] == told(demo, *arguments)
    assert answer["meta"]["settled_until"] == "2026-11-01"


def test_the_refund_of_a_closed_month_is_the_difference(of_demo: TestClient) -> None:
    answer = of_demo.get("/v1/diff/acme-payer/2026-09?group_by=type").json()

    assert answer["meta"]["totals"] == [{"currency": "USD", "change": "-18.75"}]
    assert [(row["line_item_type"], row["change"]) for row in answer["data"]] == [("Refund", "-18.75")]


def test_a_difference_has_the_ends_that_are_asked_for(of_demo: TestClient) -> None:
    answer = of_demo.get("/v1/diff/acme-payer/2026-09?since=2026-09-01").json()

    total = Decimal(answer["meta"]["totals"][0]["change"])
    assert answer["meta"]["from"] is None
    assert sum(Decimal(row["change"]) for row in answer["data"]) == total


def test_an_amount_is_explained_as_the_command_explains_it(demo: Told, of_demo: TestClient) -> None:
    where = "usage_date=2026-10-02&where=account_id=001864164957"
    cell = "daily_costs where usage_date = date '2026-10-02' and account_id = '001864164957'"

    answer = of_demo.get(f"/v1/explain?where={where}&lines=5").json()

    (shown,) = told(demo, "explain", cell, "--column", "billed_cost", "--lines", "5")
    meta = answer["meta"]
    assert {part["currency"]: part["amount"] for part in meta["amounts"]} == shown["amounts"]
    assert (meta["adds_up"], meta["line_item_count"]) == (True, shown["line_count"])
    assert [(row["file_name"], row["row_number"], row["amount"]) for row in answer["data"]] == [
        (line["file_name"], line["row_number"], line["amount"]) for line in shown["lines"]
    ]
    assert [receipt["delivery_id"] for receipt in meta["receipts"]] == [one["delivery_id"] for one in shown["deliveries"]]
    assert answer["data"]


def test_a_role_is_explained_its_own_lines_alone(demo: Told) -> None:
    lake = Lake(load_settings(demo.folder / "lakehouse.yaml"))
    role = RoleSettings(name="a", accounts=("001864164957",), token=SecretStr("0123456789abcdef"))
    narrow = Lake(lake.settings.model_copy(update={"serve": ServeSettings(roles=(role,))}))
    headers = {"Authorization": "Bearer 0123456789abcdef"}
    with TestClient(application(narrow), base_url="http://localhost", raise_server_exceptions=False) as client:
        mine = client.get("/v1/explain?where=usage_date=2026-10-02&lines=1000", headers=headers).json()
        others = client.get("/v1/explain?where=account_id=001234567890", headers=headers)
        forecast = client.get("/v1/forecast?group_by=account&month=2026-10", headers=headers).json()

    assert {row["account"] for row in mine["data"]} == {"001864164957"}
    assert mine["meta"]["adds_up"] is True
    assert others.status_code == 503
    assert {row["account"] for row in forecast["data"]} == {"001864164957"}


def test_invoices_are_those_that_the_command_shows(demo: Told, of_demo: TestClient) -> None:
    answer = of_demo.get("/v1/invoices?month=2026-09&source=acme-payer").json()["data"]

    shown = told(demo, "invoices", "--month", "2026-09", "--source", "acme-payer")
    assert [(row["invoice_id"], row["state"], row["billed"]) for row in answer] == [
        (row["invoice_id"], row["state"], row["billed"]) for row in shown
    ]
    assert answer


def test_a_lake_without_budgets_has_none(client: TestClient) -> None:
    answer = client.get("/v1/budgets").json()

    assert answer["data"] == []
    assert answer["meta"]["state"] == "estimated"


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/diff/nobody/2026-09", 404, "no source nobody"),
        ("/v1/diff/acme/2026-9", 400, "is no month"),
        ("/v1/diff/acme/2026-10?group_by=colour", 400, "colour"),
        ("/v1/forecast?group_by=service,account", 400, "several dimensions"),
        ("/v1/forecast?month=2099-01", 400, "too far ahead"),
        ("/v1/anomalies?days=0", 400, "from 1 to 120"),
        ("/v1/budgets?month=2026-10", 400, "no parameter"),
        ("/v1/explain", 400, "There is no where."),
        ("/v1/explain?where=service", 400, "picks no rows"),
        ("/v1/explain?where=colour=red", 400, "no column"),
        ("/v1/explain?mart=x';drop&where=service=a", 400, "There is no mart"),
        ("/v1/explain?where=usage_date=soon", 400, "is no day"),
        ("/v1/invoices?state=differs&top=3", 400, "no parameter"),
    ],
)
def test_what_makes_no_sense_is_refused(client: TestClient, path: str, status: int, said: str) -> None:
    answer = client.get(path)

    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert answer.json()["fix"]
