"""One plain DuckDB ``group by`` over a raw slice, the floor of summaries: ``python -m benchmarks.floor CONFIG``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect

# The grain of marts.aws_daily_summary, in raw columns and without a rule; the sums are of as many columns as the mart's.
GRAIN = (
    "source",
    "billing_period",
    "delivery_id",
    "cast(line_item_usage_start_date as date)",
    "bill_payer_account_id",
    "line_item_usage_account_id",
    "bill_invoice_id",
    "bill_billing_entity",
    "line_item_legal_entity",
    "line_item_line_item_type",
    "line_item_product_code",
    "product_product_family",
    "product_region_code",
    "line_item_availability_zone",
    "line_item_operation",
    "line_item_usage_type",
    "product_instance_type",
    "pricing_unit",
    "pricing_term",
    "line_item_currency_code",
    "reservation_reservation_a_r_n",
    "savings_plan_savings_plan_a_r_n",
    "cast(to_json(resource_tags) as varchar)",
    "cast(to_json(cost_category) as varchar)",
)
SUMS = (
    "line_item_usage_amount",
    "line_item_unblended_cost",
    "line_item_blended_cost",
    "line_item_net_unblended_cost",
    "pricing_public_on_demand_cost",
    "reservation_effective_cost",
    "reservation_net_effective_cost",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_net_savings_plan_effective_cost",
    "split_line_item_split_cost",
    "split_line_item_unused_cost",
)


def grouping() -> str:
    """The SELECT that is the floor."""
    grouped = ", ".join(f"{column} as grain_{number}" for number, column in enumerate(GRAIN))
    summed = ", ".join(f"sum({column}) as sum_{number}" for number, column in enumerate(SUMS))
    return f"select {grouped}, {summed}, count(*) as lines from raw.aws_cur group by all"


def main() -> int:
    """Group, and print how long it took and how many groups there are."""
    lake = Lake(load_settings(Path(sys.argv[1])))
    with connect(lake, ["raw.aws_cur"]) as connection:
        started = time.monotonic()
        connection.execute(f"create table grouped as {grouping()}")
        done = time.monotonic()
        (groups,) = connection.execute("select count(*) from grouped").fetchall()[0]
    print(json.dumps({"seconds": done - started, "groups": groups}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
