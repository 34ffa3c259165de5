"""A bill in a real S3 bucket loads as it does from a folder of the same layout."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import DeliveryChanged
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.sources.registry import open_source
from sample_bills import Bill, BillDelivery, FileFormat, Versioning, write_delivery
from tests.services.s3 import S3Server

MONTH = date(2026, 10, 1)
S3_YAML = """
lake: {{first_month: 2026-01, catalog: "sqlite:///{name}/catalog.db", warehouse: "{name}/warehouse"}}
sources:
  - name: acme
    kind: aws_cur
    location: {location}
"""
S3_OPTIONS = """    endpoint: {endpoint}
    region: {region}
    access_key: ${{BILLS_ACCESS_KEY}}
    secret_key: ${{BILLS_SECRET_KEY}}
"""


def settings_of(folder: Path, name: str, text: str) -> Settings:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return load_settings(file)


@pytest.mark.parametrize("file_format", [FileFormat.CSV_GZIP, FileFormat.PARQUET])
def test_the_receipt_of_a_bill_in_s3_proves_what_the_receipt_of_the_folder_proves(
    tmp_path: Path, s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch, file_format: FileFormat
) -> None:
    monkeypatch.setenv("BILLS_ACCESS_KEY", s3_server.access_key)
    monkeypatch.setenv("BILLS_SECRET_KEY", s3_server.secret_key)
    bill = Bill(months=(MONTH,), rows=400, file_format=file_format, versioning=Versioning.OVERWRITE)
    written = write_delivery(tmp_path, bill, BillDelivery(month=MONTH, delivered_at=datetime(2026, 11, 3, tzinfo=UTC), files=2))
    for path in sorted(written.bucket_root.rglob("*")):
        if path.is_file():
            key = path.relative_to(written.bucket_root).as_posix()
            s3_server.client().put_object(Bucket=s3_bucket, Key=key, Body=path.read_bytes())
    location = f"s3://{s3_bucket}/{bill.location.split('/', 1)[1]}"
    options = S3_OPTIONS.format(endpoint=s3_server.endpoint, region=s3_server.region)
    in_s3 = settings_of(tmp_path, "in_s3", S3_YAML.format(name="in_s3", location=location) + options)
    in_folder = settings_of(tmp_path, "in_folder", S3_YAML.format(name="in_folder", location=bill.location))

    results = []
    for settings in (in_s3, in_folder):
        (finding,) = open_source(settings, settings.sources[0]).list_deliveries().months
        assert isinstance(finding.delivery, Delivery), finding.reason
        store, lake = open_source(settings, settings.sources[0]), Lake(settings)
        results.append(load_delivery(lake, store, finding.delivery))
        assert load_delivery(lake, store, finding.delivery).status is Status.UNCHANGED

    assert [list(result.totals.values()) for result in results] == [[written.expected.total()]] * 2
    assert results[0].receipt.rows == results[1].receipt.rows == written.expected.rows

    (finding,) = open_source(in_s3, in_s3.sources[0]).list_deliveries().months
    assert isinstance(finding.delivery, Delivery)
    s3_server.client().put_object(Bucket=s3_bucket, Key=finding.delivery.objects[0].key, Body=b"another content")
    with pytest.raises(DeliveryChanged):
        load_delivery(Lake(in_s3), open_source(in_s3, in_s3.sources[0]), finding.delivery, force=True)
