"""A small lake whose marts are written by hand, shared by the tests of a module, and clients that ask it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from cost_lakehouse.serve.application import application
from tests.ask.marts import Line, marts_of_lines
from tests.builders import Workshop
from tests.builders import line as bill_line

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


def line(day: int, service: str | None, cost: str, **more: Any) -> Line:
    """A line of October's bill."""
    return Line(date(2026, 10, day), OCTOBER, more.pop("account", "1"), service, "USD", Decimal(cost), **more)


# October comes to 25.50 USD and 3.00 EUR, September to 6.00 USD.
LINES = (
    line(1, "AmazonEC2", "10.25", team="red", unit="Hrs", usage=Decimal(24), instance_type="m6i.large"),
    line(2, "AmazonEC2", "5.25", account="2", team="blue", unit="Hrs", usage=Decimal("7.5"), instance_type="t3.micro"),
    line(2, "AmazonS3", "7", unit="GB-Mo", usage=Decimal("300.125"), family="Storage"),
    line(3, None, "2"),
    line(31, "Tax", "1", type="Tax"),
    Line(date(2026, 10, 2), OCTOBER, "9", "AmazonS3", "EUR", Decimal(3)),
    Line(date(2026, 9, 2), SEPTEMBER, "1", "AmazonEC2", "USD", Decimal(4)),
    Line(date(2026, 9, 3), SEPTEMBER, "1", "AmazonRDS", "USD", Decimal(2)),
)
_STATUS = """
create table marts.bill_status (bill_status_id varchar, source varchar, billing_period date, delivery_id varchar,
    state varchar, currency_code varchar, billed_cost decimal(38, 10), line_item_count bigint, loaded_at timestamp)
"""
_FINDINGS = """
create table marts.bill_findings (bill_findings_id varchar, source varchar, billing_period date, delivery_id varchar,
    kind varchar, reason varchar, currency_code varchar, line_item_count bigint, amount decimal(38, 10))
"""


def small_lake(folder: Path, lines: tuple[Line, ...] = LINES) -> Lake:
    """A lake with one load of ``acme`` on record, and marts of these lines."""
    shop = Workshop(folder)
    shop.write([bill_line(UnblendedCost="24.5")])
    shop.load()
    with marts_of_lines(lines) as connection:
        connection.execute(_STATUS)
        connection.execute(_FINDINGS)
        loaded = datetime(2026, 11, 3, 4, 2, 11)
        for month, state, currency, cost in (
            (SEPTEMBER, "invoiced", "USD", "6"),
            (OCTOBER, "estimated", "USD", "25.5"),
            (OCTOBER, "estimated", "EUR", "3"),
        ):
            row = [f"{month}{currency}", "acme", month, f"{month:%Y%m}-1", state, currency, Decimal(cost), 3, loaded]
            connection.execute("insert into marts.bill_status values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        odd = ["f1", "acme", OCTOBER, "202610-1", "anomaly", "usage outside the billing period", "USD", 1, Decimal("0.5")]
        connection.execute("insert into marts.bill_findings values (?, ?, ?, ?, ?, ?, ?, ?, ?)", odd)
        for mart in (
            "aws_daily_summary",
            "oci_daily_summary",
            "focus_daily_summary",
            "lakehouse_daily_summary",
            "daily_costs",
            "bill_status",
            "bill_findings",
        ):
            rows = connection.sql(f"select * from marts.{mart}").to_arrow_table()
            shop.lake.create_table(f"marts.{mart}", rows.schema)
            slices: dict[Slice, list[dict[str, Any]]] = {}
            for row_of_mart in rows.to_pylist():
                slices.setdefault(Slice(row_of_mart["source"], row_of_mart["billing_period"]), []).append(row_of_mart)
            replace_rows(shop.lake, f"marts.{mart}", rows.schema, slices)
    return shop.lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake of a module; nobody changes it."""
    return small_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def client(lake: Lake) -> Iterator[TestClient]:
    """Asks it from this machine."""
    with TestClient(application(lake), base_url="http://localhost", raise_server_exceptions=False) as asked:
        yield asked
