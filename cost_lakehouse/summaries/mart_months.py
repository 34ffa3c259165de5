"""What whole months of the published marts hold, whichever of their sources were rebuilt last."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.summaries.marts import Mart


@dataclass(frozen=True)
class SourceTotal:
    """The rows of one source and currency in a month of a mart, and what they add up to; '' where there is no currency.

    Of a mart that names no column to add up, the rows of a source alone: ``total`` is None.
    """

    source: str
    currency: str
    rows: int
    total: Decimal | None


def mart_months(lake: Lake, marts: Sequence[Mart], months: Collection[date]) -> dict[tuple[str, date], list[SourceTotal]]:
    """(table, month) -> what each source has there now; marts and months without rows are left out.

    Read from the tables' current snapshots. Raises LakeError where they cannot be read.
    """
    existing = [mart for mart in marts if lake.table_or_none(mart.table) is not None]
    found: dict[tuple[str, date], list[SourceTotal]] = {}
    if not existing or not months:
        return found
    wanted = ", ".join(f"date '{month.isoformat()}'" for month in sorted(months))
    with connect(lake, [mart.table for mart in existing]) as connection:
        for mart in existing:
            parts = "''" if mart.total is None else "coalesce(currency_code, '')"
            total = "null" if mart.total is None else f"coalesce(sum({mart.total}), 0)"
            rows = connection.execute(
                f"select billing_period, source, {parts}, count(*), {total} "
                f"from {mart.table} where billing_period in ({wanted}) group by 1, 2, 3 order by 1, 2, 3"
            ).fetchall()
            for month, *facts in rows:
                found.setdefault((mart.table, month), []).append(SourceTotal(*facts))
    return found
