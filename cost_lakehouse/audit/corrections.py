"""What corrections in a bill that adds up come to: added to the rows they refer to, or in place of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

import duckdb

from cost_lakehouse.audit.receipts import plain
from cost_lakehouse.formats.duckdb_paths import duckdb_list, parquet_rows

_CORRECTIONS = """
with line_items as not materialized (
    select
        line_item_tenant_id as tenant,
        line_item_reference_no as reference,
        line_item_backreference_no as refers_to,
        lower(line_item_is_correction) = 'true' as is_correction,
        coalesce(cost_currency_code, '') as currency,
        coalesce(cost_my_cost, 0) as cost,
        delivery_id
    from {rows}
),
corrections as (
    select * from line_items where is_correction and delivery_id = $delivery_id
),
corrected as (
    select line_items.* from line_items
    semi join corrections
        on line_items.tenant = corrections.tenant and line_items.reference = corrections.refers_to
    where line_items.reference is distinct from line_items.refers_to
)
select 'corrections', currency, count(*), sum(cost) from corrections group by currency
union all
select 'corrected', currency, count(*), sum(cost) from corrected group by currency
order by 1, 2
"""


def corrections_of(
    connection: duckdb.DuckDBPyConnection, files: Sequence[str], delivery_id: str, replaces: bool
) -> Mapping[str, object]:
    """What a load's corrections in one month say. ``files`` are the month's, as they are with the load; none: nothing to say.

    ``replace_minus_add`` is what the month's cost changes by where a correction takes the place of the row it refers to.
    """
    rows = connection.execute(
        _CORRECTIONS.format(rows=parquet_rows(duckdb_list(files), "union_by_name = true")), {"delivery_id": delivery_id}
    ).fetchall()
    counts = {"corrections": 0, "corrected": 0}
    costs: dict[str, dict[str, Decimal]] = {"corrections": {}, "corrected": {}}
    for part, currency, count, cost in rows:
        counts[part] += count
        costs[part][currency] = cost
    if not counts["corrections"]:
        return {}
    return {
        "counted_as": "replace" if replaces else "add",
        "corrections": counts["corrections"],
        "corrections_cost": _texts(costs["corrections"]),
        "corrected_rows": counts["corrected"],
        "corrected_cost": _texts(costs["corrected"]),
        "replace_minus_add": _texts({currency: -cost for currency, cost in costs["corrected"].items()}),
    }


def as_json(facts: Mapping[str, object]) -> str:
    """Facts for the receipt; empty where there are none."""
    return json.dumps(facts, sort_keys=True) if facts else ""


def _texts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: plain(amount) for currency, amount in sorted(amounts.items())}
