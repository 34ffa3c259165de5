"""What each delivery adds up to, by currency, as its control totals prove it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice

UNBLENDED = "line_item_unblended_cost"


@dataclass(frozen=True)
class CurrencyTotal:
    """The cost of one delivery in one currency: ``delivered = stored + rounding``."""

    delivered: Decimal
    stored: Decimal
    rounding: Decimal

    def plus(self, other: CurrencyTotal) -> CurrencyTotal:
        """Both together."""
        return CurrencyTotal(
            EXACT.add(self.delivered, other.delivered),
            EXACT.add(self.stored, other.stored),
            EXACT.add(self.rounding, other.rounding),
        )


def totals_by_delivery(lake: Lake, only: Slice | None = None) -> dict[tuple[Slice, str], dict[str, CurrencyTotal]]:
    """(slice, delivery id) -> currency -> its unblended total, or what a lakehouse says is billed; of all slices, or of one."""
    where = f"and {only.condition}" if only else ""
    with connect(lake, ["raw.control_totals"]) as connection:
        rows = connection.execute(
            "select source, billing_period, delivery_id, currency_code, sum(delivered), sum(stored), sum(rounding) "
            "from raw.control_totals where (metric = ? or (metric = 'billed_cost' and raw_table = 'raw.lakehouse_costs')) "
            f"{where} group by all order by all",
            [UNBLENDED],
        ).fetchall()
    found: dict[tuple[Slice, str], dict[str, CurrencyTotal]] = {}
    for source, billing_period, delivery_id, currency, delivered, stored, rounding in rows:
        by_currency = found.setdefault((Slice(source, billing_period), delivery_id), {})
        by_currency[currency] = CurrencyTotal(delivered, stored, rounding)
    return found


def totals_by_load(
    lake: Lake, metric: str, raw_table: str, only: Slice | None = None
) -> dict[tuple[Slice, str], dict[str, CurrencyTotal]]:
    """(slice, load id) -> currency -> what that load put into the slice, less what it took out."""
    where = f"and {only.condition}" if only else ""
    with connect(lake, ["raw.control_totals"]) as connection:
        rows = connection.execute(
            "select source, billing_period, load_id, currency_code, sum(delivered), sum(stored), sum(rounding) "
            f"from raw.control_totals where metric = ? and raw_table = ? {where} group by all order by all",
            [metric, raw_table],
        ).fetchall()
    found: dict[tuple[Slice, str], dict[str, CurrencyTotal]] = {}
    for source, billing_period, load_id, currency, delivered, stored, rounding in rows:
        by_currency = found.setdefault((Slice(source, billing_period), load_id), {})
        by_currency[currency] = CurrencyTotal(delivered, stored, rounding)
    return found
