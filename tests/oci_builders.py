"""Writes tiny OCI reports into a folder that plays the mirror, and loads them: what tests of increments share."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.identity import WrongLake
from cost_lakehouse.lake.repair import move
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.plan import Planned, plan
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.sources.registry import open_source
from tests.builders import csv_bytes

COST = {
    "lineItem/referenceNo": "V2.1",
    "lineItem/tenantId": "ocid1.tenancy.oc1..acme",
    "lineItem/intervalUsageStart": "2026-10-05T10:00Z",
    "lineItem/intervalUsageEnd": "2026-10-05T11:00:00Z",
    "product/service": "COMPUTE",
    "product/compartmentId": "ocid1.compartment.oc1..shop",
    "product/compartmentName": "shop",
    "product/region": "eu-frankfurt-1",
    "product/availabilityDomain": "AD-1",
    "product/resourceId": "ocid1.instance.oc1..web",
    "usage/billedQuantity": "1",
    "usage/billedQuantityOverage": "",
    "cost/subscriptionId": "7000",
    "cost/productSku": "B92911",
    "product/Description": "Compute - E4 - OCPU",
    "cost/unitPrice": "0.025",
    "cost/unitPriceOverage": "",
    "cost/myCost": "0.025",
    "cost/myCostOverage": "",
    "cost/currencyCode": "USD",
    "cost/billingUnitReadable": "ONE HOUR OCPU",
    "cost/skuUnitDescription": "OCPU Per Hour",
    "cost/overageFlag": "N",
    "lineItem/isCorrection": "false",
    "lineItem/backreferenceNo": "",
    "tags/Oracle-Tags.CreatedBy": "ada",
}
SHORT = {
    "start": "lineItem/intervalUsageStart",
    "cost": "cost/myCost",
    "quantity": "usage/billedQuantity",
    "currency": "cost/currencyCode",
    "reference": "lineItem/referenceNo",
    "back": "lineItem/backreferenceNo",
    "correction": "lineItem/isCorrection",
    "tenant": "lineItem/tenantId",
}


def cost_line(**changes: str) -> dict[str, str]:
    """A row of a cost report; ``cost="1.5"`` and other short names, or any column by ``**{"product/region": "x"}``."""
    return COST | {SHORT.get(name, name): value for name, value in changes.items()}


class Mirror:
    """A folder of reports, a lakehouse.yaml whose source reads it, and its lake."""

    def __init__(self, folder: Path, *others: str, **source: object) -> None:
        """``others`` are names of further sources that read ``NAME/reports``; ``source`` are keys of acme-oci."""
        self.folder = folder
        entries = [{"name": "acme-oci", "kind": "oci_cost_reports", "location": "acme-oci/reports", **source}]
        entries += [{"name": name, "kind": "oci_cost_reports", "location": f"{name}/reports"} for name in others]
        for entry in entries:
            (folder / str(entry["name"]) / "reports").mkdir(parents=True, exist_ok=True)
        (folder / "lakehouse.yaml").write_text(yaml.safe_dump({"lake": {"first_month": "2026-01"}, "sources": entries}))
        self.settings = load_settings(folder / "lakehouse.yaml")
        self.lake = _open_lake(self.settings)

    def write(
        self,
        name: str,
        rows: Sequence[Mapping[str, str]] | bytes,
        report: str = "reports/cost-csv",
        source: str = "acme-oci",
        written: datetime = datetime(2026, 10, 6, 2, 0, tzinfo=UTC),
    ) -> Path:
        """Write one object: rows as CSV gzip with their own header, or its bytes."""
        path = self.folder / source / report / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = rows if isinstance(rows, bytes) else gzip.compress(csv_bytes(rows), mtime=0)
        path.write_bytes(content)
        os.utime(path, (written.timestamp(), written.timestamp()))
        return path

    def planned(self, source: str = "acme-oci") -> list[Planned]:
        """How what is there stands."""
        return plan(self.settings, self.settings.source(source), holdings(self.lake))

    def offers(self, standing: Status, source: str = "acme-oci") -> list[Delivery]:
        """What is there of that standing."""
        found = [candidate.delivery for candidate in self.planned(source) if candidate.status is standing]
        return [entry for entry in found if entry is not None]

    def load(self, source: str = "acme-oci", standing: Status = Status.NEW) -> list[LoadResult]:
        """Load what is new, or of another standing (what is current: by force)."""
        return load_reports(self.settings, self.lake, source, standing)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """What the lake says now."""
        with connect(self.lake) as connection:
            return connection.execute(sql).fetchall()


def _open_lake(settings: Settings) -> Lake:
    """The lake; a copy of another one is made one of its own first, as `cost-lakehouse lake move` does."""
    try:
        return Lake(settings)
    except WrongLake:
        move(settings)
        return Lake(settings)


def load_reports(settings: Settings, lake: Lake, source: str = "acme-oci", standing: Status = Status.NEW) -> list[LoadResult]:
    """Load what is there of that standing."""
    reports = settings.source(source)
    planned = plan(settings, reports, holdings(lake))
    offers = [candidate.delivery for candidate in planned if candidate.status is standing and candidate.delivery is not None]
    opened = open_source(settings, reports)
    return [load_delivery(lake, opened, offer, force=standing is Status.CURRENT) for offer in offers]
