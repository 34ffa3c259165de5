"""What each delivery adds up to, by currency, as its control totals prove it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice

UNBLENDED = "line_item_unblended_cost"


@dataclass(frozen=True)
class CurrencyTotal:
    """The unblended cost of one delivery in one currency: ``delivered = stored + rounding``."""

    delivered: Decimal
    stored: Decimal
    rounding: Decimal


def totals_by_delivery(lake: Lake, only: Slice | None = None) -> dict[tuple[Slice, str], dict[str, CurrencyTotal]]:
    """(slice, delivery id) -> currency -> its unblended total; of all slices, or of one."""
    where = f"and {only.condition}" if only else ""
    with connect(lake, ["raw.control_totals"]) as connection:
        rows = connection.execute(
            "select source, billing_period, delivery_id, currency_code, sum(delivered), sum(stored), sum(rounding) "
            f"from raw.control_totals where metric = ? {where} group by all order by all",
            [UNBLENDED],
        ).fetchall()
    found: dict[tuple[Slice, str], dict[str, CurrencyTotal]] = {}
    for source, billing_period, delivery_id, currency, delivered, stored, rounding in rows:
        by_currency = found.setdefault((Slice(source, billing_period), delivery_id), {})
        by_currency[currency] = CurrencyTotal(delivered, stored, rounding)
    return found
