"""Serving a lake on Trino: every API and the page answer what they answer on DuckDB, and no longer than they may."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.ask.reading import Limits, TooMuchAsked, reading
from cost_lakehouse.ask.statement import Statement
from cost_lakehouse.config.serve import ServeSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.trino_client import rows
from cost_lakehouse.serve.application import application
from tests.engines import Pipelines

pytestmark = pytest.mark.timeout(1200)

KOKU = "/api/cost-management/v1"
OCTOBER = "start_date=2026-10-01&end_date=2026-10-31"
WINDOW = "window=2026-10-01T00:00:00Z,2026-11-01T00:00:00Z"
# What two loads of the same bill do not share.
OF_ITS_OWN = ("snapshots", "loaded_at", "load_id", "seconds", "etag")
ENDLESS = (
    "select count(*) from unnest(sequence(1, 10000)) a(n) cross join unnest(sequence(1, 10000)) b(n) "
    "cross join unnest(sequence(1, 10000)) c(n) where (a.n * b.n * c.n) % 7 = 3"
)


@pytest.fixture(scope="module")
def clients(pipelines: Pipelines) -> Iterator[Mapping[str, TestClient]]:
    """Asks each lake."""
    apps = {engine: application(pipeline.lake()) for engine, pipeline in pipelines.items()}
    asked = {
        engine: TestClient(app, base_url="http://localhost", raise_server_exceptions=False) for engine, app in apps.items()
    }
    with asked["duckdb"], asked["trino"]:
        yield asked


def shared(document: Any) -> Any:
    """What both lakes have to say alike."""
    if isinstance(document, dict):
        return {name: shared(value) for name, value in document.items() if name not in OF_ITS_OWN}
    return [shared(item) for item in document] if isinstance(document, list) else document


@pytest.mark.parametrize(
    "path",
    [
        "/v1/costs?month=2026-10&group_by=service,account&compare=previous&top=5",
        "/v1/costs?month=2026-10&group_by=tag:team&granularity=day&basis=effective&filter=provider=aws",
        "/v1/costs?month=2026-10&group_by=team",
        "/v1/costs?month=2026-10&group_by=service,usage_type&basis=usage&top=7&compare=previous",
        "/v1/costs?from=2026-09&to=2026-11&group_by=bill_month,billing_currency&basis=list&filter=usage_unit=Hrs",
        "/v1/dimensions/service/values?month=2026-10",
        "/v1/bills?month=2026-10",
        "/v1/findings?month=2026-10",
        "/v1/forecast?group_by=service&month=2026-10",
        "/v1/anomalies?days=60&amount=0&percent=0",
        "/v1/budgets",
        "/v1/explain?where=usage_date=2026-10-05&where=service=AmazonEC2",
        f"{KOKU}/reports/aws/costs/?{OCTOBER}&filter[resolution]=daily&group_by[service]=*&order_by[cost]=desc",
        f"{KOKU}/reports/oci/costs/?{OCTOBER}&filter[resolution]=monthly&group_by[product_service]=*",
        f"{KOKU}/reports/aws/instance-types/?{OCTOBER}&filter[resolution]=monthly&group_by[account]=*",
        f"{KOKU}/reports/oci/storage/?{OCTOBER}&filter[resolution]=monthly&group_by[region]=*",
        f"{KOKU}/forecasts/aws/costs/",
        f"{KOKU}/tags/aws/?{OCTOBER}",
        f"/cloudCost?{WINDOW}&aggregate=service",
        f"/model/cloudCost?{WINDOW}&aggregate=provider,accountID&accumulate=day",
        f"/allocation?{WINDOW}&aggregate=cluster,namespace&step=1d",
        f"/assets?{WINDOW}",
    ],
)
def test_both_engines_are_served_alike(clients: Mapping[str, TestClient], path: str) -> None:
    answers = {engine: client.get(path) for engine, client in clients.items()}

    assert {engine: answer.status_code for engine, answer in answers.items()} == dict.fromkeys(answers, 200), answers
    found = {engine: shared(answer.json()) for engine, answer in answers.items()}
    assert found["duckdb"].get("data")
    assert found["trino"] == found["duckdb"]


@pytest.mark.parametrize("path", ["/?month=2026-10", "/?month=2026-10&tag=team&filter=provider=aws"])
def test_both_engines_show_the_same_page(clients: Mapping[str, TestClient], path: str) -> None:
    """But for the moments at which bills were loaded."""
    answers = {engine: client.get(path) for engine, client in clients.items()}

    assert {answer.status_code for answer in answers.values()} == {200}
    pages = {engine: re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d", "then", answer.text) for engine, answer in answers.items()}
    assert "AmazonEC2" in pages["duckdb"]
    assert pages["trino"] == pages["duckdb"]


def test_a_statement_on_trino_is_ended_in_time(pipelines: Pipelines) -> None:
    lake = pipelines["trino"].lake()
    began = monotonic()

    with (
        pytest.raises(TooMuchAsked, match="The answer took longer than 1 seconds"),
        reading(lake, {}, Limits(seconds=1)) as (fetch, _),
    ):
        fetch(Statement(f"{ENDLESS} -- no end"))

    assert monotonic() - began < 60
    ended = "select state, error_code from system.runtime.queries where query like 'select count%-- no end'"
    assert [tuple(row) for row in rows(lake.settings, ended)] == [("FAILED", "EXCEEDED_TIME_LIMIT")]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1/costs?month=2026-10&group_by=service", 400, "The answer took longer than 0.05 seconds."),
        ("/v1/explain?where=usage_date=2026-10-05", 503, "It took longer than it may."),
    ],
)
def test_an_answer_that_takes_longer_than_it_may_is_none(pipelines: Pipelines, path: str, status: int, says: str) -> None:
    settings = pipelines["trino"].lake().settings
    hasty = settings.model_copy(update={"serve": ServeSettings(timeout_seconds=0.05)})
    with TestClient(application(Lake(hasty)), base_url="http://localhost") as client:
        answer = client.get(path)

    assert (answer.status_code, answer.json()["error"]) == (status, says)
