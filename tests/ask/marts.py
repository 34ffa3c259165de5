"""Marts of a few lines in DuckDB's memory, and the same question answered by a fold over the lines in plain Python."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import duckdb

from cost_lakehouse.ask.answer import Row, Total, rows_of
from cost_lakehouse.ask.dialects import DuckdbDialect
from cost_lakehouse.ask.request import Request
from cost_lakehouse.ask.statement import statement_of


@dataclass(frozen=True)
class Line:
    """A row of AWS's daily summary, and of ``daily_costs``."""

    day: date
    month: date
    account: str | None
    service: str | None
    currency: str
    cost: Decimal
    type: str = "Usage"
    team: str | None = None
    lines: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None
    usage: Decimal | None = None
    instance_type: str | None = None
    family: str | None = None


_AWS = """
source varchar, billing_period date, usage_date date, usage_account_id varchar, usage_account_name varchar,
payer_account_id varchar, product_code varchar, region varchar, availability_zone varchar, line_item_type varchar,
purchase_option varchar, commitment_arn varchar, product_family varchar, instance_type varchar, usage_type varchar,
operation varchar, invoice_id varchar, tags varchar, cost_categories varchar, currency_code varchar, unblended_cost
decimal(38, 10), net_amortized_cost decimal(38, 10), public_on_demand_cost decimal(38, 10), net_unblended_cost
decimal(38, 10), amortized_cost decimal(38, 10), blended_cost decimal(38, 10), unit varchar,
usage_amount decimal(38, 10), line_item_count bigint
"""
_OCI = """
source varchar, billing_period date, usage_date date, tenant_id varchar, service varchar, region varchar,
availability_domain varchar, is_correction boolean, product_description varchar, compartment_name varchar, tags
varchar, currency_code varchar, cost decimal(38, 10), unit varchar, billed_quantity decimal(38, 10),
line_item_count bigint
"""
_FOCUS = """
source varchar, billing_period date, usage_date date, provider varchar, billing_account_id varchar, sub_account_id
varchar, sub_account_name varchar, service_category varchar, service varchar, region varchar, charge_category varchar,
pricing_category varchar, commitment_discount_id varchar, invoice_id varchar, tags varchar, currency_code varchar,
billed_cost decimal(38, 10), effective_cost decimal(38, 10), list_cost decimal(38, 10),
unit varchar, consumed_quantity decimal(38, 10), line_item_count bigint
"""
_LAKEHOUSE = """
source varchar, billing_period date, usage_date date, provider varchar, writer varchar, writer_source varchar,
payer_account_id varchar, account_id varchar, service varchar, region varchar, invoice_id varchar, currency_code varchar,
billed_cost decimal(38, 10), effective_cost decimal(38, 10), line_item_count bigint
"""
_DAILY = """
source varchar, provider varchar, billing_period date, usage_date date, account_id varchar, service varchar, region
varchar, currency_code varchar, billed_cost decimal(38, 10), effective_cost decimal(38, 10), line_item_count bigint
"""
_ACCOUNTS = """
account_id varchar, account_name varchar, organizational_unit varchar, organizational_unit_path varchar, tags varchar,
valid_from date, valid_to date, organizational_unit_id_path varchar
"""


def marts_of_lines(lines: Iterable[Line], accounts: Sequence[tuple[object, ...]] = ()) -> duckdb.DuckDBPyConnection:
    """The marts that these lines make; ``accounts`` are rows of ``aws_accounts``."""
    connection = duckdb.connect(":memory:")
    connection.execute("create schema marts")
    for name, columns in (
        ("aws_daily_summary", _AWS),
        ("oci_daily_summary", _OCI),
        ("focus_daily_summary", _FOCUS),
        ("lakehouse_daily_summary", _LAKEHOUSE),
        ("daily_costs", _DAILY),
        ("aws_accounts", _ACCOUNTS),
    ):
        connection.execute(f"create table marts.{name} ({columns})")
    for line in lines:
        tags = json.dumps(dict(line.tags) if line.team is None else {"team": line.team, "a/b~c": "odd", **line.tags})
        connection.execute(
            "insert into marts.aws_daily_summary by name select 'acme' as source, ? as billing_period, ? as usage_date, "
            "? as usage_account_id, ? as product_code, ? as line_item_type, ? as tags, ? as currency_code, "
            "? as unblended_cost, ? as line_item_count, ? as unit, ? as usage_amount, ? as instance_type, ? as product_family",
            [
                *(line.month, line.day, line.account, line.service, line.type, tags, line.currency, line.cost, line.lines),
                *(line.unit, line.usage, line.instance_type, line.family),
            ],
        )
        connection.execute(
            "insert into marts.daily_costs by name select 'acme' as source, 'aws' as provider, ? as billing_period, "
            "? as usage_date, ? as account_id, ? as service, ? as currency_code, ? as billed_cost, ? as line_item_count",
            [line.month, line.day, line.account, line.service, line.currency, line.cost, line.lines],
        )
    for row in accounts:
        connection.execute("insert into marts.aws_accounts values (?, ?, ?, ?, ?, ?, ?, ?)", [*row, *[None] * (8 - len(row))])
    return connection


def asked(connection: duckdb.DuckDBPyConnection, request: Request) -> tuple[tuple[Row, ...], tuple[Total, ...]]:
    """What the core answers."""
    made = statement_of(request, DuckdbDialect())
    return rows_of(request, connection.execute(made.sql, made.parameters).fetchall())
