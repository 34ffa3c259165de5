"""OpenCost's exports in a real S3 bucket, as the exporter lays them out; what lies beside them is not read."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.clusters.inputs import usage_of
from cost_lakehouse.clusters.usage import Said
from cost_lakehouse.config import load_settings
from tests.clusters.test_split import CSV
from tests.services.s3 import S3Server


def test_files_below_the_prefix_are_read_and_no_others(
    s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    day = {"window.start": ["2026-10-07T00:00:00Z"], "properties.namespace": ["data"], "properties.providerID": ["i-0abc"]}
    buffer = io.BytesIO()
    pq.write_table(pa.table({**day, "cpuCost": [0.1], "ramCost": [0.2], "gpuCost": [0.0]}), buffer)
    prefix = "opencost-exports/prod"
    for key, body in {
        f"{prefix}/export.csv": CSV.encode(),
        f"{prefix}/year=2026/month=10/day=7/1.parquet": buffer.getvalue(),
        f"{prefix}/README.md": b"about it",
        f"{prefix}-2/export.csv": CSV.encode(),
    }.items():
        s3_server.client().put_object(Bucket=s3_shared_bucket, Key=key, Body=body)
    file = tmp_path / "lakehouse.yaml"
    file.write_text(
        f"""
sources: [{{name: acme, kind: aws_cur, location: bills}}]
clusters:
  - name: prod
    source: acme
    location: s3://{s3_shared_bucket}/{prefix}
    endpoint: {s3_server.endpoint}
    region: {s3_server.region}
""",
        encoding="utf-8",
    )
    settings = load_settings(file)

    found = list(usage_of(settings, settings.clusters[0], date(2026, 10, 1)))

    assert [(one.day.day, one.resource, one.workload.namespace, one.weight, one.said) for one in found] == [
        (1, None, "web", Decimal("0.3"), Said.CSV),
        (2, None, "web", Decimal(2), Said.CSV),
        (7, "i-0abc", "data", Decimal("0.3"), Said.PARQUET),
    ]
