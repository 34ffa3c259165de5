"""Many payers: 50 buckets' reports of 12 months each are all found, whatever is wrong with some of them."""

from __future__ import annotations

import json
import logging
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.orchestration.constants import DELIVERY_TAG, MONTH_TAG, SOURCE_TAG
from cost_lakehouse.orchestration.new_deliveries import SourcePolls, scan
from cost_lakehouse.orchestration.partitions import billing_months
from cost_lakehouse.orchestration.sensors.deliveries import delivery_sensor
from tests.orchestration.conftest import SEPTEMBER, Lakehouse
from tests.services.s3 import S3Server
from tests.sources.places import Report, S3Place

PAYERS = [f"payer-{number:02d}" for number in range(50)]
MONTHS = [date(2025 + (10 + index) // 12, (10 + index) % 12 + 1, 1) for index in range(12)]  # 2025-11 to 2026-10
DENIED, NOTHING_YET = "payer-07", "payer-31"


@pytest.fixture(scope="module")
def reports(s3_server: S3Server, s3_shared_bucket: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """A report of each payer, of 12 months, in a real bucket."""
    place = S3Place(s3_server, s3_shared_bucket, f"{uuid.uuid4().hex[:12]}/", tmp_path_factory.mktemp("payers"))
    made = {name: Report(place, prefix=name, name="hourly") for name in PAYERS}
    work = [(name, month) for name in PAYERS if name != NOTHING_YET for month in MONTHS]
    with ThreadPoolExecutor(16) as pool:
        # One id for all payers in a month: what tells them apart is the source alone.
        list(pool.map(lambda one: made[one[0]].overwrite(f"assembly-{one[1]:%Y%m}", one[1]), work))
    return made


def configured(reports: dict[str, Report], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a lakehouse.yaml with all of them."""
    sources: list[dict[str, Any]] = []
    for name, report in reports.items():
        given = report.source()
        assert given.access_key is not None
        assert given.secret_key is not None
        key = "AKIAUNKNOWN" if name == DENIED else given.access_key.get_secret_value()
        where = {"name": name, "kind": "aws_cur", "location": given.location, "endpoint": given.endpoint}
        sources.append({**where, "region": "us-east-1", "access_key": key, "secret_key": given.secret_key.get_secret_value()})
    file = folder / "lakehouse.yaml"
    file.write_text(json.dumps({"lake": {"first_month": "2025-11"}, "sources": sources}))
    monkeypatch.setenv("COST_LAKEHOUSE_CONFIG", str(file))
    return load_settings(file)


def test_fifty_payers_of_twelve_months_are_found_in_seven_ticks_and_none_under_another(
    reports: dict[str, Report], instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = configured(reports, tmp_path, monkeypatch)
    # What was found is checked, not how fast this machine is now: a tick takes some of its 40 seconds.
    sensor = delivery_sensor(settings, billing_months(settings), clock=lambda: 0.0)
    found: dict[str, dg.RunRequest] = {}
    cursor, cursors = None, []
    for _ in range(7):
        with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        found |= {request.run_key or "": request for request in result.run_requests or []}
        cursors.append(cursor := result.cursor)
    # Eight a tick; nobody's look took so long, or failed so often, that it came again out of turn.
    assert cursors[:6] == [f"payer-{number:02d}" for number in (8, 16, 24, 32, 40, 48)]
    requests = sorted(found.values(), key=lambda request: (request.tags[SOURCE_TAG], request.tags[MONTH_TAG]))
    asked = [(request.tags[SOURCE_TAG], request.tags[MONTH_TAG]) for request in requests]
    there = [name for name in PAYERS if name not in (DENIED, NOTHING_YET)]
    assert asked == [(name, f"{month:%Y-%m}") for name in there for month in MONTHS]
    for request in requests:
        source, month = request.tags[SOURCE_TAG], request.tags[MONTH_TAG]
        assert request.asset_selection == [dg.AssetKey(["line_items", source])]
        assert request.tags[DELIVERY_TAG].startswith(f"{source}|{month}|assembly-{month.replace('-', '')}|")
    assert len({request.run_key for request in requests}) == 48 * 12, "each is another delivery, though ids are the same"


@pytest.fixture
def silent_host() -> Iterator[str]:
    """A host that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_payer_that_never_answers_holds_back_no_other(
    lakehouse: Lakehouse, instance: dg.DagsterInstance, silent_host: str
) -> None:
    for name in ("acme", "globex"):
        lakehouse.deliver(name, SEPTEMBER, 2)
    hangs = {"name": "a-hangs", "kind": "aws_cur", "location": "s3://b/p/r", "endpoint": silent_host, "region": "us-east-1"}
    lakehouse.configure("acme", "globex", extra=f"  - {json.dumps({**hangs, 'access_key': 'k', 'secret_key': 's'})}\n")
    settings = lakehouse.settings
    # One at a time and the one that hangs first: the others are seen only because it loses its place.
    looks = SourcePolls(at_once=1, seconds=2.0)
    found = scan(
        settings, instance, billing_months(settings), "sensor", "a-hangs", lambda: False, logging.getLogger("test"), looks
    )
    assert [request.tags[SOURCE_TAG] for request in found.requests] == ["acme", "globex"]
    assert found.lines[0].startswith("a-hangs: it does not answer for ")
    assert found.resume_at == ""
