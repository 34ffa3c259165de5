"""What a bill says of nodes and volumes: their exact effective costs, and the shares of them that its split rows give.

Costs are those of the lines behind ``marts.aws_daily_summary``, by the rules that made it; which resource a line is of stands
in the raw bill beside it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from cost_lakehouse.clusters.split import Cost, ResourceDay
from cost_lakehouse.clusters.usage import Said, Usage, container_of
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.summaries.dbt_project import parse_if_stale

MART = "aws_daily_summary"


@dataclass
class NodeBill:
    """A month's nodes and volumes, and the tags that its nodes had; ``delivery_id`` is None where nothing is published."""

    delivery_id: str | None = None
    costs: dict[ResourceDay, Cost] = field(default_factory=dict)
    shares: list[Usage] = field(default_factory=list)
    tags: dict[tuple[date, str], dict[str, str]] = field(default_factory=dict)


def node_bill(lake: Lake, slice_: Slice) -> NodeBill:
    """Read it. Raises LakeError where the mart is not there or the engine does not answer."""
    found = NodeBill()
    with engine_of(lake, MART) as engine:
        deliveries = engine.rows(f"select distinct delivery_id from marts.{MART} where {slice_.condition}")
        if not deliveries:
            return found
        found.delivery_id = min(row[0] for row in deliveries)
        lines = engine.lines(lake, parse_if_stale(lake.settings), MART, [slice_])
        rows = engine.rows(
            f"""
select
    lines.usage_date, lines.usage_account_id, lines.currency_code, bill.line_item_resource_id as resource_id,
    nullif(bill.split_line_item_parent_resource_id, '') as parent_id, lines.tags,
    sum(lines.net_amortized_cost) as cost, sum(lines.split_cost) + sum(lines.unused_split_cost) as share,
    count(*) as line_item_count
from {lines} as lines
inner join raw.aws_cur as bill
    on
        lines.source = bill.source
        and lines.billing_period = bill.billing_period
        and lines.file_name = bill.file_name
        and lines.row_number = bill.row_number
where
    lines.source = '{slice_.source}'
    and lines.billing_period = date '{slice_.billing_period}'
    and (
        bill.line_item_resource_id like 'i-%'
        or bill.line_item_resource_id like 'vol-%'
        or (bill.split_line_item_parent_resource_id is not null and bill.split_line_item_parent_resource_id <> '')
    )
group by 1, 2, 3, 4, 5, 6
"""
        )
    for day, account, currency, resource, parent, tags, cost, share, count in rows:
        if parent is not None and (workload := container_of(resource or "")) is not None:
            found.shares.append(Usage(day, parent, workload, max(Decimal(share or 0), Decimal(0)), Said.BILL))
            continue
        if resource is None or not resource.startswith(("i-", "vol-")):
            continue
        place = ResourceDay(day, resource, account, currency)
        known = found.costs.get(place, Cost(Decimal(0), 0))
        found.costs[place] = Cost(EXACT.add(known.cost, Decimal(cost or 0)), known.line_item_count + count)
        found.tags.setdefault((day, resource), {}).update(json.loads(tags or "{}"))
    return found
