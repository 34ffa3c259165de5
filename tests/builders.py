"""Writes tiny AWS deliveries, and lakes to load them into: the tests' one vocabulary."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import yaml

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.sources.registry import open_source

BASE = {
    "identity/LineItemId": "id",
    "identity/TimeInterval": "2026-10-05T10:00:00Z/2026-10-05T11:00:00Z",
    "bill/InvoiceId": "",
    "bill/PayerAccountId": "111111111111",
    "lineItem/UsageAccountId": "012345678901",
    "lineItem/LineItemType": "Usage",
    "lineItem/UsageStartDate": "2026-10-05T10:00:00Z",
    "lineItem/UsageEndDate": "2026-10-05T11:00:00Z",
    "lineItem/ProductCode": "AmazonEC2",
    "lineItem/UsageAmount": "1",
    "lineItem/CurrencyCode": "USD",
    "lineItem/UnblendedCost": "0.1",
}
Row = Mapping[str, str]


def line(**changes: str) -> dict[str, str]:
    """A line item; ``UnblendedCost="1.5"`` sets lineItem/UnblendedCost, ``**{"product/region": "x"}`` any column."""
    row = dict(BASE)
    for name, value in changes.items():
        row[name if "/" in name else f"lineItem/{name}"] = value
    return row


def csv_bytes(rows: Sequence[Row], header: Sequence[str] | None = None) -> bytes:
    """The rows as AWS writes CSV. ``header`` is needed where there is no row."""
    columns = list(header or dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write_delivery(
    bucket: Path,
    files: Sequence[Sequence[Row] | bytes],
    assembly: str = "20261103T040211Z",
    month: date = date(2026, 10, 1),
    report: str = "cur/hourly",
    suffix: str = ".csv.gz",
    content_type: str = "text/csv",
) -> list[Path]:
    """Write a create-new-version delivery; a file is rows (written as CSV gzip) or its bytes. Returns the data files."""
    name = report.rsplit("/", 1)[-1]
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    period = f"{report}/{month:%Y%m%d}-{following:%Y%m%d}"
    keys, paths = [], []
    for number, content in enumerate(files, 1):
        keys.append(f"{period}/{assembly}/{name}-{number:05d}{suffix}")
        path = bucket / keys[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else gzip.compress(csv_bytes(content), mtime=0))
        paths.append(path)
    manifest = {
        "assemblyId": assembly,
        "account": "111111111111",
        "columns": [],
        "charset": "UTF-8",
        "compression": "GZIP" if content_type == "text/csv" else "Parquet",
        "contentType": content_type,
        "reportName": name,
        "billingPeriod": {"start": f"{month:%Y%m%d}T000000.000Z", "end": f"{following:%Y%m%d}T000000.000Z"},
        "bucket": bucket.name,
        "reportKeys": keys,
    }
    (bucket / period).mkdir(parents=True, exist_ok=True)
    (bucket / period / f"{name}-Manifest.json").write_text(json.dumps(manifest))
    return paths


def settings_for(
    folder: Path,
    sources: Mapping[str, str],
    lake: Mapping[str, object] | None = None,
    others: Sequence[Mapping[str, str]] = (),
) -> Settings:
    """A ``lakehouse.yaml`` in ``folder`` with these sources (name -> location) and options of ``lake:``, read back.

    ``others`` are sources of other kinds, as they are written there.
    """
    cur = [{"name": name, "kind": "aws_cur", "location": location} for name, location in sources.items()]
    document = {"lake": {"first_month": "2026-01", **(lake or {})}, "sources": [*cur, *others]}
    file = folder / "lakehouse.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return load_settings(file)


class Workshop:
    """A folder with a bucket, a configuration and a lake; ``load`` loads what discovery finds of a source."""

    def __init__(
        self, folder: Path, sources: Mapping[str, str] | None = None, lake: Mapping[str, object] | None = None
    ) -> None:
        """Without ``sources`` and ``lake``, a configuration that is there already is taken as it is."""
        self.bucket = folder / "bucket"
        file = folder / "lakehouse.yaml"
        if file.exists() and sources is None and lake is None:
            self.settings = load_settings(file)
        else:
            self.settings = settings_for(folder, sources or {"acme": "bucket/cur/hourly"}, lake)
        self.lake = Lake(self.settings)

    @property
    def warehouse(self) -> Path:
        """The folder that holds the lake's files."""
        return Path(self.lake.warehouse.location.removeprefix("file://"))

    def delivery(self, source: str = "acme", month: date = date(2026, 10, 1)) -> Delivery:
        """The complete delivery that is there now."""
        (finding,) = open_source(self.settings, self.settings.source(source)).list_deliveries(month).months
        assert isinstance(finding.delivery, Delivery), finding.reason
        return finding.delivery

    def load(self, source: str = "acme", month: date = date(2026, 10, 1), *, force: bool = False) -> LoadResult:
        """Load the delivery that is there now."""
        opened = open_source(self.settings, self.settings.source(source))
        return load_delivery(self.lake, opened, self.delivery(source, month), force=force)

    def write(self, *files: Sequence[Row] | bytes, **options: object) -> list[Path]:
        """Write a delivery into the bucket."""
        return write_delivery(self.bucket, files, **options)  # type: ignore[arg-type]  # options are write_delivery's
