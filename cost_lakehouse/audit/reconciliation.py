"""Summary against raw bill: what the comparison in a build says, before anything is published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

AWS, OCI, FOCUS = "aws", "oci", "focus"
PROVIDERS = (AWS, OCI, FOCUS)
"""The kinds of bills that are summarised (FOCUS's are of any cloud), as models and marts are named after them."""
IN_INCREMENTS = (OCI, FOCUS)
"""Those whose months come in many loads."""

_EXCLUSIONS_SHOWN = 200


@dataclass(frozen=True)
class Compared:
    """One metric of one source's month in one currency: the sum over its days on both sides.

    ``days_apart`` counts the days whose difference is not exactly zero; days may differ though their sums agree. Of FOCUS a
    day counts once a charge category, and in comparisons with receipts an invoice does.
    """

    source: str
    billing_period: date
    currency_code: str
    metric: str
    expected: Decimal
    actual: Decimal
    difference: Decimal
    days: int
    days_apart: int


@dataclass(frozen=True)
class Exclusion:
    """Raw lines whose money a metric leaves out, and why. There should be none."""

    source: str
    billing_period: date
    reason: str
    line_item_type: str
    currency_code: str
    amount: Decimal
    example: str  # file and record of one such line


def compared(built: duckdb.DuckDBPyConnection, provider: str) -> list[Compared]:
    """Every comparison of a provider's bills in a build; empty where the build did not come that far, or has no such bill.

    Of bills that come in many loads, what all their receipts say is compared with the raw rows too, a month at once.
    """
    found = _compared(built, f"intermediate.int_{provider}__reconciliation", "metric")
    if provider in IN_INCREMENTS:
        found += _compared(built, f"intermediate.int_{provider}__receipts_reconciliation", "'receipts: ' || metric")
    return found


def _compared(built: duckdb.DuckDBPyConnection, table: str, metric: str) -> list[Compared]:
    return [
        Compared(*row)
        for row in _rows(
            built,
            table,
            f"select source, billing_period, coalesce(currency_code, ''), {metric}, sum(expected_amount), sum(actual_amount), "
            "sum(difference), count(*), count(*) filter (where difference <> 0) "
            f"from {table} group by all order by all",
        )
    ]


def exclusions(built: duckdb.DuckDBPyConnection) -> list[Exclusion]:
    """What a build left out of AWS's bills, the first ones of many; empty where the build did not come that far."""
    return [
        Exclusion(*row)
        for row in _rows(
            built,
            "intermediate.int_aws__exclusions",
            "select source, billing_period, reason, coalesce(line_item_type, ''), coalesce(currency_code, ''), unblended_cost, "
            "concat(file_name, ', record ', row_number) from intermediate.int_aws__exclusions "
            f"order by source, billing_period, file_name, row_number limit {_EXCLUSIONS_SHOWN}",
        )
    ]


def _rows(built: duckdb.DuckDBPyConnection, table: str, statement: str) -> list[tuple[Any, ...]]:
    schema, name = table.split(".")
    known = built.execute(
        "select 1 from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
    ).fetchone()
    return built.execute(statement).fetchall() if known else []
