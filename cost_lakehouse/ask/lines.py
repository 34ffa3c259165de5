"""The lines of one bill by any number of dimensions, added up: what shares costs out, instead of a question with an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cost_lakehouse.ask.dimensions import DAILY_COSTS, SUMMARIES, Dimension, dimension, measure
from cost_lakehouse.ask.reading import reading, tables_of_moment
from cost_lakehouse.ask.statement import ACCOUNTS, Dialect, Statement, accounts_join, dimension_sql, wants_accounts
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice

Key = tuple[date, str | None]
"""A day and a currency."""


@dataclass(frozen=True)
class BillLine:
    """Costs of a day and currency that have these values, in the order of the dimensions that were asked for."""

    usage_date: date
    currency_code: str | None
    values: tuple[str | None, ...]
    billed_cost: Decimal
    effective_cost: Decimal
    line_item_count: int


@dataclass(frozen=True)
class Bill:
    """A published bill: its delivery (None where it has no rows), its lines, and what ``daily_costs`` says it comes to."""

    delivery_id: str | None
    lines: tuple[BillLine, ...]
    totals: dict[Key, tuple[Decimal, Decimal, int]]


def bill_of(lake: Lake, slice_: Slice, names: Sequence[str]) -> Bill:
    """One bill by these dimensions. ``totals`` come from another mart than the lines.

    Raises ConfigurationError where there is no such dimension, LakeError where the engine does not answer.
    """
    chosen = [dimension(name) for name in names]
    tables = [*SUMMARIES.values(), DAILY_COSTS, *([ACCOUNTS] if wants_accounts(chosen) else [])]
    with reading(lake, tables_of_moment(lake, [f"marts.{name}" for name in tables])) as (fetch, dialect):
        lines = tuple(_lines(fetch(lines_statement(chosen, slice_, dialect)), len(chosen)))
        totals = fetch(_totals(slice_, dialect))
    deliveries = {row[0] for row in totals}
    return Bill(
        min(deliveries, default=None),
        lines,
        {(row[1], row[2]): (Decimal(row[3]), Decimal(row[4]), row[5]) for row in totals},
    )


def distinct_rows(lake: Lake, mart: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """What these columns of a mart have, each combination once. Raises LakeError.

    Names are the program's own, never a user's.
    """
    with reading(lake, tables_of_moment(lake, [f"marts.{mart}"])) as (fetch, dialect):
        return fetch(Statement(f"select distinct {', '.join(columns)} from {dialect.table(mart)}"))


def lines_statement(chosen: Sequence[Dimension], slice_: Slice, dialect: Dialect) -> Statement:
    """The SELECT of the lines: day, currency, a column for each dimension, billed and effective cost, number of lines."""
    made = Statement()
    billed, effective = measure("billed"), measure("effective")
    names = "".join(f", d{number}" for number in range(len(chosen)))
    parts = []
    for mart, name in SUMMARIES.items():
        if not dialect.has(name):
            continue
        columns = "".join(
            f",\n        nullif({dimension_sql(one, mart, dialect, made)}, '') as d{number}"
            for number, one in enumerate(chosen)
        )
        accounts = f"\n{accounts_join(mart, dialect.table(ACCOUNTS))}" if wants_accounts(chosen) else ""
        parts.append(f"""    select
        mart.usage_date, mart.currency_code{columns},
        mart.{billed.columns[mart]} as billed_cost,
        mart.{effective.columns[mart]} as effective_cost,
        mart.line_item_count
    from {dialect.table(name)} as mart{accounts}
    where mart.source = {made.bind(slice_.source)} and mart.billing_period = {made.bind(slice_.billing_period)}""")
    union = "\n    union all\n".join(parts)
    made.sql = f"""
with lines as (
{union}
)
select
    usage_date, currency_code{names}, sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,
    cast(sum(line_item_count) as bigint) as line_item_count
from lines
group by usage_date, currency_code{names}
order by usage_date, currency_code{names}
"""
    return made


def _totals(slice_: Slice, dialect: Dialect) -> Statement:
    made = Statement()
    made.sql = f"""
select
    delivery_id, usage_date, currency_code, sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,
    cast(sum(line_item_count) as bigint) as line_item_count
from {dialect.table(DAILY_COSTS)}
where source = {made.bind(slice_.source)} and billing_period = {made.bind(slice_.billing_period)}
group by delivery_id, usage_date, currency_code
"""
    return made


def _lines(fetched: Sequence[tuple[object, ...]], count: int) -> Iterator[BillLine]:
    for row in fetched:
        day, currency, *rest = row
        values, (billed, effective, lines) = rest[:count], rest[count:]
        yield BillLine(day, currency, tuple(values), Decimal(str(billed)), Decimal(str(effective)), lines)  # type: ignore[arg-type]
