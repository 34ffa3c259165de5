"""``/metrics`` says how fresh sources are, in a form that Prometheus's own rules take apart."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from starlette.testclient import TestClient

from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.metrics import Metric, Sample, metrics_text
from tests.ask.marts import Line
from tests.builders import Workshop
from tests.serve.conftest import small_lake

_SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (-?[0-9.]+)')


def samples(text: str) -> dict[tuple[str, str], str]:
    """Name and labels of every sample, with its value; whatever is no sample is a comment."""
    found = {}
    for row in text.splitlines():
        if not row.startswith("# "):
            matched = _SAMPLE.fullmatch(row)
            assert matched is not None, row
            found[matched[1], matched[2]] = matched[3]
    return found


def test_sources_are_told_with_yesterdays_cost(tmp_path: Path) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    lines = [Line(yesterday, yesterday.replace(day=1), "1", "AmazonEC2", code, Decimal(cost)) for code, cost in
             (("USD", "0.12345678901234567890"), ("EUR", "3"))]  # fmt: skip
    with TestClient(application(small_lake(tmp_path, tuple(lines))), base_url="http://localhost") as client:
        answer = client.get("/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(answer.text)
    assert found["cost_lakehouse_source_state", 'source="acme",kind="aws_cur",state="active"'] == "1"
    assert found["cost_lakehouse_source_refused_months", 'source="acme"'] == "0"
    assert found["cost_lakehouse_yesterday_cost", 'source="acme",currency="USD"'] == "0.123456789"
    assert found["cost_lakehouse_yesterday_cost", 'source="acme",currency="EUR"'] == "3"
    loaded = int(found["cost_lakehouse_source_last_receipt_timestamp_seconds", 'source="acme"'])
    assert abs(datetime.now(UTC).timestamp() - loaded) < 600


def test_before_the_first_summary_sources_are_told_already(tmp_path: Path) -> None:
    with TestClient(application(Workshop(tmp_path).lake), base_url="http://localhost") as client:
        answer = client.get("/metrics")

    assert answer.status_code == 200
    assert ("cost_lakehouse_source_refused_months", 'source="acme"') in samples(answer.text)


def test_labels_hold_any_text() -> None:
    text = metrics_text([Metric("a", "Says.", [Sample({"b": 'x"y\\z\n'}, 1)])])

    assert text == '# HELP cost_lakehouse_a Says.\n# TYPE cost_lakehouse_a gauge\ncost_lakehouse_a{b="x\\"y\\\\z\\n"} 1\n'
