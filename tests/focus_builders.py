"""Writes tiny FOCUS bills: rows of AWS's exports, files of them, and whole exports; what tests of FOCUS share."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.plan import Planned, plan
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.sources.delivery import Status
from tests.oci_builders import load_reports

Row = Mapping[str, str]


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


# AWS Data Exports, tables FOCUS_1_0_AWS and FOCUS_1_2_AWS: their columns, in the order of AWS's table dictionary.
AWS_1_0 = words(
    "AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart "
    "ChargeCategory ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd ChargePeriodStart "
    "CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName CommitmentDiscountType CommitmentDiscountStatus "
    "ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice EffectiveCost InvoiceIssuerName ListCost ListUnitPrice "
    "PricingCategory PricingQuantity PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName "
    "ResourceType ServiceCategory ServiceName SkuId SkuPriceId SubAccountId SubAccountName Tags x_CostCategories x_Discounts "
    "x_Operation x_ServiceCode x_UsageType"
)
_SINCE_1_0 = words(
    "BillingAccountType CapacityReservationId CapacityReservationStatus CommitmentDiscountQuantity CommitmentDiscountUnit "
    "InvoiceId PricingCurrency PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice "
    "ServiceSubcategory SkuMeter SkuPriceDetails SubAccountType"
)
AWS_1_2 = [*(name for name in AWS_1_0 if name not in ("x_CostCategories", "x_UsageType")), *_SINCE_1_0]
NUMBERS = {
    "BilledCost",
    "ContractedCost",
    "ContractedUnitPrice",
    "ConsumedQuantity",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "PricingQuantity",
    "CommitmentDiscountQuantity",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
}
MOMENTS = {"BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"}
MAPS = {"Tags", "x_CostCategories", "x_Discounts"}


def charge(cost: str = "1", effective: str | None = None, day: str = "2026-10-05", **others: str) -> dict[str, str]:
    """A row of AWS's FOCUS 1.2 export: an hour of EC2 that costs ``cost`` USD."""
    month = day[:7]
    following = f"{int(month[:4]) + (month[5:] == '12')}-{int(month[5:]) % 12 + 1:02d}"
    return {
        "BilledCost": cost,
        "EffectiveCost": cost if effective is None else effective,
        "ListCost": cost,
        "ContractedCost": cost,
        "BillingAccountId": "000000000123",
        "BillingAccountName": "acme",
        "BillingAccountType": "Payer Account",
        "SubAccountId": "000000000456",
        "SubAccountName": "shop",
        "BillingCurrency": "USD",
        "BillingPeriodStart": f"{month}-01T00:00:00.000Z",
        "BillingPeriodEnd": f"{following}-01T00:00:00.000Z",
        "ChargePeriodStart": f"{day}T10:00:00.000Z",
        "ChargePeriodEnd": f"{day}T11:00:00.000Z",
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ChargeDescription": "$0.1 per On Demand Linux m5.large Instance Hour",
        "ProviderName": "AWS",
        "PublisherName": "Amazon Web Services, Inc.",
        "InvoiceIssuerName": "Amazon Web Services, Inc.",
        "ServiceName": "Amazon Elastic Compute Cloud",
        "ServiceCategory": "Compute",
        "RegionId": "eu-central-1",
        "RegionName": "Europe (Frankfurt)",
        "PricingQuantity": "1",
        "PricingUnit": "Hours",
        "Tags": '{"team": "red"}',
        "x_Operation": "RunInstances",
        **others,
    }


def as_csv(rows: Sequence[Row], columns: Sequence[str] | None = None) -> bytes:
    """Rows as CSV gzip; ``columns`` are the header, by default those of the first row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)


def as_parquet(rows: Sequence[Row], columns: Sequence[str] | None = None) -> bytes:
    """Rows as AWS writes Parquet: doubles, moments in milliseconds, maps."""
    stream = io.BytesIO()
    pq.write_table(pa.table({name: _array(name, rows) for name in columns or list(rows[0])}), stream, compression="snappy")
    return stream.getvalue()


def _array(name: str, rows: Sequence[Row]) -> pa.Array:
    texts = [row.get(name) or None for row in rows]
    if name in NUMBERS:
        return pa.array([None if text is None else float(text) for text in texts], pa.float64())
    if name in MOMENTS:
        moments = [None if text is None else datetime.fromisoformat(text) for text in texts]
        return pa.array(moments, pa.timestamp("ms", "UTC"))
    if name in MAPS:
        value = pa.float64() if name == "x_Discounts" else pa.string()
        maps = [None if text is None else list(json.loads(text).items()) for text in texts]
        return pa.array(maps, pa.map_(pa.string(), value))
    return pa.array(texts, pa.string())


class FocusPlace:
    """Folders of FOCUS beside a lakehouse.yaml whose sources read them, and its lake."""

    def __init__(self, folder: Path, *names: str, first_month: str = "2026-01", others: Sequence[Mapping[str, object]] = ()):
        """``names`` are the sources of kind focus, each of which reads the folder of its name; ``others`` are whole entries."""
        self.folder = folder
        self.names = names or ("acme",)
        entries = [{"name": name, "kind": "focus", "location": name} for name in self.names]
        document = {"lake": {"first_month": first_month}, "sources": [*entries, *others]}
        for name in self.names:
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "lakehouse.yaml").write_text(yaml.safe_dump(document))
        self.settings = load_settings(folder / "lakehouse.yaml")
        self.lake = Lake(self.settings)

    def write(self, name: str, content: bytes, written: datetime | None = None, source: str | None = None) -> Path:
        """Write one file below the source's folder."""
        path = self.folder / (source or self.names[0]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if written is not None:
            os.utime(path, (written.timestamp(), written.timestamp()))
        return path

    def export(
        self,
        execution: str,
        files: Sequence[bytes],
        month: str = "2026-10",
        suffix: str = ".csv.gz",
        beside: bool = False,
        written: datetime = datetime(2026, 10, 6, tzinfo=UTC),
    ) -> None:
        """A delivery of an AWS Data Export: its files, then its manifest; ``beside`` keeps earlier ones (create-new)."""
        name = self.names[0]
        inside = f"BILLING_PERIOD={month}/" + (f"2026-10-06T01:02:03.337Z-{execution}/" if beside else "")
        keys = []
        for number, content in enumerate(files, 1):
            keys.append(f"data/{inside}{name}-{number:05d}{suffix}")
            self.write(keys[-1], content)
        document = {"executionId": execution, "dataFiles": [f"s3://acme-billing/{name}/{key}" for key in keys]}
        self.write(f"metadata/BILLING_PERIOD={month}/{name}-Manifest.json", json.dumps(document).encode(), written)

    def planned(self, source: str | None = None) -> list[Planned]:
        """How what is there stands."""
        return plan(self.settings, self.settings.source(source or self.names[0]), holdings(self.lake))

    def statuses(self, source: str | None = None) -> list[tuple[str, Status]]:
        """Month (or kind of report) and standing of what is there."""
        return [(candidate.subject, candidate.status) for candidate in self.planned(source)]

    def load(self, source: str | None = None, standing: Status = Status.NEW) -> list[LoadResult]:
        """Load what is new, or of another standing (what is current: by force)."""
        return load_reports(self.settings, self.lake, source or self.names[0], standing)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """What the lake says now."""
        with connect(self.lake) as connection:
            return connection.execute(sql).fetchall()

    def costs(self) -> list[tuple[Any, ...]]:
        """Source, month and billed cost, as the line items say and as the receipts do."""
        by_rows = self.ask(
            "select source, strftime(billing_period, '%Y-%m'), sum(billed_cost), count(*) from raw.focus "
            "group by all order by all"
        )
        by_proof = self.ask(
            "select t.source, strftime(t.billing_period, '%Y-%m'), sum(stored), sum(line_items)::bigint "
            "from raw.control_totals t join raw.receipts r using (source, load_id, billing_period) "
            "where t.raw_table = 'raw.focus' and metric = 'billed_cost' and state = 'accepted' "
            "group by all having sum(line_items) > 0 order by all"
        )
        assert by_rows == by_proof
        return [(source, month, cost) for source, month, cost, _ in by_rows]
