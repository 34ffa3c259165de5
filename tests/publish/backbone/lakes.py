"""Small lakes that push: loads on record, and marts as a build would publish them, without the build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.config import load_settings
from cost_lakehouse.formats.raw_schema import MONEY
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from tests.builders import Workshop, line

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
PAYER, ACCOUNT = "111111111111", "012345678901"

DAILY = pa.schema(
    [
        pa.field("daily_costs_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("provider", pa.string()),
        pa.field("billing_period", pa.date32()),
        pa.field("delivery_id", pa.string()),
        pa.field("usage_date", pa.date32()),
        pa.field("account_id", pa.string()),
        pa.field("service", pa.string()),
        pa.field("region", pa.string()),
        pa.field("currency_code", pa.string()),
        pa.field("billed_cost", MONEY),
        pa.field("effective_cost", MONEY),
        pa.field("line_item_count", pa.int64()),
    ]
)
STATUS = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("billing_period", pa.date32()),
        pa.field("delivery_id", pa.string()),
        pa.field("state", pa.string()),
        pa.field("currency_code", pa.string()),
        pa.field("billed_cost", MONEY),
        pa.field("invoice_ids", pa.string()),
        pa.field("loaded_at", pa.timestamp("us")),
    ]
)


class PushingLake:
    """A lake with one source ``acme``; ``publish`` loads and publishes a month with one line a day."""

    def __init__(self, folder: Path, push: Sequence[Mapping[str, Any]], payer: str = PAYER, account: str = ACCOUNT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.payer, self.account = payer, account
        source = {"name": "acme", "kind": "aws_cur", "location": "bucket/cur/hourly"}
        document = {"lake": {"first_month": "2026-01"}, "sources": [source], "push": list(push)}
        self.config = folder / "lakehouse.yaml"
        self.config.write_text(yaml.safe_dump(document, sort_keys=False))
        self.shop = Workshop(folder)
        for name, schema in (("marts.daily_costs", DAILY), ("marts.bill_status", STATUS)):
            if self.lake.table_or_none(name) is None:
                self.lake.create_table(name, schema)

    @property
    def lake(self) -> Lake:
        return self.shop.lake

    def publish(
        self, month: date, costs: Sequence[str], assembly: str = "20261103T040211Z", state: str = "estimated"
    ) -> Receipt:
        """Load a bill with these costs, one a day, and publish it; its receipt."""
        lines = [
            line(
                UnblendedCost=cost,
                UsageAccountId=self.account,
                UsageStartDate=f"{month:%Y-%m}-{day:02}T10:00:00Z",
                UsageEndDate=f"{month:%Y-%m}-{day:02}T11:00:00Z",
                **{"bill/PayerAccountId": self.payer},
            )
            for day, cost in enumerate(costs, 1)
        ]
        self.shop.write(lines, assembly=assembly, month=month)
        (receipt,) = self.shop.load(month=month).receipts
        self.publish_rows(month, receipt, costs, state)
        return receipt

    def publish_rows(self, month: date, receipt: Receipt, costs: Sequence[str], state: str) -> None:
        """The month's marts."""
        slice_ = Slice("acme", month)
        rows = [
            {
                "daily_costs_id": f"{month}-{day}",
                "source": "acme",
                "provider": "aws",
                "billing_period": month,
                "delivery_id": receipt.delivery_id,
                "usage_date": month.replace(day=day),
                "account_id": self.account,
                "service": "AmazonEC2",
                "region": "eu-central-1",
                "currency_code": "USD",
                "billed_cost": Decimal(cost),
                "effective_cost": Decimal(cost) / 2,
                "line_item_count": 1,
            }
            for day, cost in enumerate(costs, 1)
        ]
        status = {
            "source": "acme",
            "billing_period": month,
            "delivery_id": receipt.delivery_id,
            "state": state,
            "currency_code": "USD",
            "billed_cost": sum(map(Decimal, costs)),
            "invoice_ids": "inv-1" if state == "invoiced" else None,
            "loaded_at": datetime(2026, 11, 3, 4, 2, 11),
        }
        replace_rows(self.lake, "marts.daily_costs", DAILY, {slice_: rows})
        replace_rows(self.lake, "marts.bill_status", STATUS, {slice_: [status]})

    def target(self, name: str) -> Any:
        return load_settings(self.config).push_target(name)
