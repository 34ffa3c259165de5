"""Summary against raw bill: what the comparison in a build says, before anything is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

AWS, OCI, FOCUS, LAKEHOUSE = "aws", "oci", "focus", "lakehouse"
PROVIDERS = (AWS, OCI, FOCUS, LAKEHOUSE)
"""The kinds of bills that are summarised (FOCUS's and lakehouses' are of any cloud), as models and marts are called."""
BILLED = "billed_cost"
"""The metric that is the bill's cost."""

_EXCLUSIONS_SHOWN = 200


@dataclass(frozen=True)
class Compared:
    """One metric of one source's month in one currency: the sum over its days on both sides.

    ``days_apart`` counts the days whose difference is not exactly zero; days may differ though their sums agree. A day
    counts once a line item type, and in comparisons with receipts a line item type and invoice do.
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
    """Every comparison of a kind of bill in a build; empty where the build did not come that far, or has no such bill.

    The daily summary is compared with the raw rows day by day, and these a month at once with what the receipts of their
    loads say.
    """
    return [
        *_compared(built, "intermediate.int_costs__reconciliation", provider, "metric"),
        *_compared(built, "intermediate.int_costs__receipts_reconciliation", provider, "'receipts: ' || metric"),
    ]


def _compared(built: duckdb.DuckDBPyConnection, table: str, provider: str, metric: str) -> list[Compared]:
    return [
        Compared(*row)
        for row in _rows(
            built,
            table,
            f"select source, billing_period, coalesce(currency_code, ''), {metric}, sum(expected_amount), sum(actual_amount), "
            "sum(difference), count(*), count(*) filter (where difference <> 0) "
            f"from {table} where bill_kind = ? group by all order by all",
            [provider],
        )
    ]


def exclusions(built: duckdb.DuckDBPyConnection) -> list[Exclusion]:
    """What a build left out of AWS's bills, the first ones of many; empty where the build did not come that far."""
    return [
        Exclusion(*row)
        for row in _rows(
            built,
            "marts.bill_findings",
            "select source, billing_period, reason, coalesce(line_item_type, ''), coalesce(currency_code, ''), amount, "
            "concat(example_file_name, ', record ', example_row_number) from marts.bill_findings where kind = 'exclusion' "
            f"order by source, billing_period, example_file_name, example_row_number limit {_EXCLUSIONS_SHOWN}",
            [],
        )
    ]


def _rows(built: duckdb.DuckDBPyConnection, table: str, statement: str, parameters: Sequence[str]) -> list[tuple[Any, ...]]:
    schema, name = table.split(".")
    known = built.execute(
        "select 1 from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
    ).fetchone()
    return built.execute(statement, parameters).fetchall() if known else []
