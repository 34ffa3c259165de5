"""Koku's manual download: the one route that starts something."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.cli.commands.serve import BackgroundLoads
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.koku.report import source_id
from tests.builders import Workshop
from tests.builders import line as bill_line

URL = "/api/cost-management/v1/download/"
ACME = source_id("acme")
Started = list[tuple[str, date, bool]]


@pytest.fixture
def started() -> Started:
    """What was asked to be loaded."""
    return []


@pytest.fixture
def downloads(lake: Lake, started: Started) -> Iterator[TestClient]:
    """Asks a server that may start loads, each of which is only noted."""

    def start(source: str, month: date, summarize: bool) -> str:
        started.append((source, month, summarize))
        return f"run-{len(started)}"

    with TestClient(application(lake, start_load=start), base_url="http://localhost") as asked:
        yield asked


def test_a_months_load_is_started_and_its_runs_id_answered(downloads: TestClient, started: Started) -> None:
    asked = f"{URL}?provider_uuid={ACME}&provider_type=AWS&bill_date=2026-10-17&summarize_reports=false"

    answer = downloads.get(asked)

    assert (answer.status_code, answer.json()) == (200, {"Download Request Task ID": "run-1"})
    assert answer.headers["cache-control"] == "no-store"
    assert started == [("acme", date(2026, 10, 1), False)]
    assert downloads.get(f"{URL}?provider_uuid={ACME}").json() == {"Download Request Task ID": "run-2"}
    assert started[1] == ("acme", datetime.now(UTC).date().replace(day=1), True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "provider_uuid"),
        ("provider_uuid=acme", "provider_uuid"),
        (f"provider_uuid={ACME}&provider_uuid={ACME}", "provider_uuid"),
        (f"provider_uuid={ACME}&provider_type=OCI", "provider_type"),
        (f"provider_uuid={ACME}&bill_date=2026-13-01", "bill_date"),
        (f"provider_uuid={ACME}&bill_date=1999-01-01", "bill_date"),
        (f"provider_uuid={ACME}&bill_date=9999-01-01", "bill_date"),
        (f"provider_uuid={ACME}&summarize_reports=perhaps", "summarize_reports"),
        (f"provider_uuid={ACME}&queue=download", "queue"),
    ],
)
def test_a_wrong_question_starts_nothing(downloads: TestClient, started: Started, query: str, field: str) -> None:
    answer = downloads.get(f"{URL}?{query}")

    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert started == []


def test_neither_another_site_nor_a_question_for_headers_starts_a_load(downloads: TestClient, started: Started) -> None:
    asked = f"{URL}?provider_uuid={ACME}"

    assert downloads.get(asked, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert downloads.head(asked).status_code == 200
    assert downloads.post(asked).status_code == 405
    assert started == []


def test_it_is_off_unless_it_is_asked_for(client: TestClient) -> None:
    assert client.get(f"{URL}?provider_uuid={ACME}").status_code == 404


def test_a_started_load_is_a_run_of_dagsters_with_that_id(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write([bill_line(UnblendedCost="24.5")])
    loads = BackgroundLoads(shop.settings)

    run_id = loads.start("acme", date(2026, 10, 1), summarize=False)
    again = loads.start("acme", date(2026, 10, 1), summarize=False)
    loads.wait()

    assert again == run_id
    with command_instance(shop.settings) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.is_success
    (receipt,) = receipts(shop.lake)
    assert (receipt.delivery_id, receipt.rows) == ("20261103T040211Z", 1)
