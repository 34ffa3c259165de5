"""``python -m benchmarks.page``: the first page from the marts of many payers and months: seconds, and bytes.

The marts are made up, not built: costs with weekdays, in the grain of ``daily_costs`` and ``aws_daily_summary``.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
from starlette.testclient import TestClient

from benchmarks.measuring import common_options, machine, print_table
from cost_lakehouse.ask.ranges import plus_months
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.replace import replace_slices
from cost_lakehouse.lake.slice_writer import SliceWriter, new_load_id
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.outlook.marts import refresh_outlook
from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.starting import start

NEWEST, NEWEST_DAYS = date(2026, 10, 1), 27
Span = tuple[float, float]
"""Seconds by the clock, and of the processors."""

_AWS = """
select md5(concat_ws('|', source, usage_date, service, account, kind, team)) as aws_daily_summary_id,
    source, billing_period, '{month}-1' as delivery_id, usage_date, account as usage_account_id, 'Team ' || account as usage_account_name,
    source as payer_account_id, service as product_code, region, region || 'a' as availability_zone, kind as line_item_type,
    option as purchase_option, case when option in ('reserved', 'savings_plan') then 'arn:' || source end as commitment_arn,
    'Compute' as product_family, 'm6i.large' as instance_type, service || '-hours' as usage_type, 'Run' as operation,
    'INV-' || source || '-{month}' as invoice_id, 'Hrs' as unit, 'USD' as currency_code,
    case when team is null then '{{}}' else '{{"user_team":"' || team || '","user_env":"prod"}}' end as tags, '{{}}' as cost_categories,
    cast(cost as decimal(38, 20)) as unblended_cost, cast(cost as decimal(38, 20)) as net_amortized_cost,
    cast(cost as decimal(38, 20)) as amortized_cost, cast(cost as decimal(38, 20)) as net_unblended_cost,
    cast(cost as decimal(38, 20)) as blended_cost, cast(cost * 1.2 as decimal(38, 20)) as public_on_demand_cost,
    cast(cost * 3 as decimal(38, 20)) as usage_amount, cast(10 as bigint) as line_item_count
from lines
"""
_DAILY = """
select md5(concat_ws('|', source, usage_date, account, service, region)) as daily_costs_id, source, 'aws' as provider,
    billing_period, '{month}-1' as delivery_id, usage_date, account as account_id, service, region, 'USD' as currency_code,
    cast(sum(cost) as decimal(38, 20)) as billed_cost, cast(sum(cost) as decimal(38, 20)) as effective_cost,
    cast(sum(10) as bigint) as line_item_count
from lines group by all
"""
_STATUS = """
select md5(concat_ws('|', source, billing_period)) as bill_status_id, source, billing_period, '{month}-1' as delivery_id,
    '{state}' as state, '{state}' as bill_state, 'USD' as currency_code, cast(sum(cost) as decimal(38, 20)) as billed_cost,
    cast(count(*) as bigint) as line_item_count, timestamp '{loaded}' as loaded_at, 'INV-' || source || '-{month}' as invoice_ids
from lines group by all
"""
_COMMITMENTS = """
select md5(concat_ws('|', source, billing_period, option)) as commitment_costs_id, source, billing_period,
    '{month}-1' as delivery_id, option as commitment_kind, 'arn:' || source as commitment_arn, 'USD' as currency_code,
    cast(sum(cost) as decimal(38, 20)) as used_cost, cast(sum(cost) / 10 as decimal(38, 20)) as unused_cost
from lines where option in ('reserved', 'savings_plan') group by all
"""
MARTS = {"daily_costs": _DAILY, "aws_daily_summary": _AWS, "bill_status": _STATUS, "commitment_costs": _COMMITMENTS}
_EMPTY = {
    "oci_daily_summary": "source varchar, billing_period date, usage_date date, tenant_id varchar, service varchar, region varchar, "
    "availability_domain varchar, is_correction boolean, product_description varchar, compartment_name varchar, tags varchar, "
    "currency_code varchar, cost decimal(38, 20), billed_quantity decimal(38, 20), unit varchar, line_item_count bigint",
    "focus_daily_summary": "source varchar, billing_period date, usage_date date, provider varchar, billing_account_id varchar, "
    "sub_account_id varchar, sub_account_name varchar, service_category varchar, service varchar, region varchar, charge_category "
    "varchar, pricing_category varchar, commitment_discount_id varchar, invoice_id varchar, tags varchar, currency_code varchar, "
    "billed_cost decimal(38, 20), effective_cost decimal(38, 20), list_cost decimal(38, 20), unit varchar, "
    "consumed_quantity decimal(38, 20), line_item_count bigint",
}
_LINES = """
create or replace table lines as
with payers as (select printf('payer-%02d', range) as source, range as payer from range({payers})),
days as (select cast(date '{month}-01' + to_days(cast(range as integer)) as date) as usage_date from range({days})),
kinds as (select range as number, 'Service' || printf('%02d', range % 12) as service, 'region-' || range % 4 as region,
    case range % 5 when 0 then 'savings_plan' when 1 then 'reserved' else 'on_demand' end as option,
    case when range % 5 < 2 then 'SavingsPlanCoveredUsage' else 'Usage' end as kind,
    case range % 3 when 0 then null when 1 then 'red' else 'blue' end as team from range({kinds}))
select source, date '{month}-01' as billing_period, usage_date, source || '-' || (number % 3) as account, service, region, option,
    kind, team, round(10 + payer + number * 1.37 + (hash(source, usage_date, number) % 1000) / 217.0
        - case when dayofweek(usage_date) in (0, 6) then 6 else 0 end, 6) as cost
from payers, days, kinds
union all
select source, date '{month}-01', date '{month}-01', source || '-0', 'Tax', null, 'on_demand', 'Tax', null, 19.25 from payers
"""


def main() -> int:
    """Make the marts where they are not there yet, ask for the page some times, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payers", type=int, default=50)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--kinds", type=int, default=36, help="rows of a payer and day in the daily summary")
    parser.add_argument("--rounds", type=int, default=7)
    common_options(parser)
    wanted = parser.parse_args()
    lake, rows = lake_of(wanted.out / f"page-{wanted.payers}-{wanted.months}-{wanted.kinds}", wanted)
    table = []
    with TestClient(application(lake), base_url="http://localhost") as client:
        start(lake)
        asked(client, f"/?month={plus_months(NEWEST, -3):%Y-%m}", 1)  # templates are compiled once a process
        for name, path in (
            ("first page", "/"),
            ("a month before", f"/?month={plus_months(NEWEST, -1):%Y-%m}"),
            ("one service", "/?filter=service%3DService03"),
        ):
            first, again, size = asked(client, path, wanted.rounds)
            spans = [f"{seconds * 1000:,.0f} ms" for seconds in (*first, *again)]
            table.append([name, *spans, f"{size / 1000:,.0f} KB"])
    print(machine())
    print(f"{wanted.payers} payers, {wanted.months} months, {rows:,} rows of the daily summary")
    print_table(["page", "first time", "its CPU", "again", "its CPU", "size"], table)
    return 0


def lake_of(folder: Path, wanted: argparse.Namespace) -> tuple[Lake, int]:
    """The lake with the made-up marts, and the rows of its daily summary."""
    done = folder / "done"
    config = folder / "lakehouse.yaml"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        first = plus_months(NEWEST, 1 - wanted.months)
        config.write_text(
            f"lake:\n  first_month: {first:%Y-%m}\nsources:\n"
            + "".join(
                f"  - {{name: payer-{number:02}, kind: aws_cur, location: bills/{number}}}\n" for number in range(wanted.payers)
            )
            + "budgets:\n  - {name: everything, amount: 2500000, currency: USD}\n"
        )
        lake = Lake(load_settings(config))
        rows = _write_marts(lake, first, wanted)
        refresh_outlook(lake, datetime(2026, 10, 29, tzinfo=UTC))
        done.write_text(str(rows))
    return Lake(load_settings(config)), int(done.read_text())


def _write_marts(lake: Lake, first: date, wanted: argparse.Namespace) -> int:
    rows = 0
    with duckdb.connect() as connection:
        files: dict[str, list[str]] = {name: [] for name in MARTS}
        slices: list[Slice] = []
        month = first
        while month <= NEWEST:
            days = NEWEST_DAYS if month == NEWEST else (plus_months(month, 1) - month).days
            text = f"{month:%Y-%m}"
            connection.execute(_LINES.format(payers=wanted.payers, month=text, days=days, kinds=wanted.kinds))
            state = "estimated" if month == NEWEST else "invoiced"
            loaded = plus_months(month, 1) + timedelta(days=3) if month < NEWEST else date(2026, 10, 28)
            own = [Slice(f"payer-{number:02}", month) for number in range(wanted.payers)]
            slices += own
            for name, sql in MARTS.items():
                made = connection.sql(sql.format(month=text, state=state, loaded=f"{loaded} 04:00:00")).to_arrow_table()
                lake.create_table(f"marts.{name}", made.schema)
                rows += made.num_rows if name == "aws_daily_summary" else 0
                connection.register("made", made)
                for slice_ in own:
                    part = connection.sql(f"select * from made where source = '{slice_.source}'").to_arrow_table()
                    files[name] += _written(lake, f"marts.{name}", slice_, part)
            sys.stderr.write(f"{text} ")
            month = plus_months(month, 1)
        for name, columns in _EMPTY.items():
            connection.execute(f"create table {name} ({columns})")
            lake.create_table(f"marts.{name}", connection.sql(f"select * from {name}").to_arrow_table().schema)
    for name, written in files.items():
        replace_slices(lake, f"marts.{name}", slices, written)
    return rows


def _written(lake: Lake, name: str, slice_: Slice, rows: pa.Table) -> Sequence[str]:
    load_id = new_load_id()
    folder = lake.data_folder(name, slice_)
    with lake.warehouse.writing(folder, load_id) as local:
        writer = SliceWriter(local, load_id, [])
        for batch in rows.combine_chunks().to_batches():
            writer.write(batch)
        writer.close()
        return lake.warehouse.keep(writer.files, folder)


def asked(client: TestClient, path: str, rounds: int) -> tuple[Span, Span, int]:
    """What a page takes that nobody asked for yet, the median of asking for it again, and its bytes."""
    size, times = 0, []
    for _ in range(rounds + 1):
        began, cpu = time.perf_counter(), time.process_time()
        size = len(client.get(path).raise_for_status().content)
        times.append((time.perf_counter() - began, time.process_time() - cpu))
    first, *others = times
    return first, (statistics.median(wall for wall, _ in others), statistics.median(spent for _, spent in others)), size


if __name__ == "__main__":
    sys.exit(main())
