"""The last step of the demo: its months go to a folder, where a second lakehouse reads them and comes to the same totals."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cost_lakehouse.cli.output import amount_shown, console, print_problem, print_table, say, size
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.publish.backbone.push import push
from cost_lakehouse.sources.registry import open_source

TARGET = "backbone"
PUSHED = "pushed"
SECOND = "second"
_SOURCE = "demo"
PUSH = f"""push:
  - name: {TARGET}
    to: {PUSHED}
    writer: {_SOURCE}
    what: [daily_costs, receipts]
"""
_HERE = "select source, strftime(billing_period, '%Y-%m'), currency_code, sum(billed_cost) from marts.daily_costs group by all"
_THERE = """
select writer_source, strftime(billing_period, '%Y-%m'), currency_code, sum(billed_cost) from raw.lakehouse_costs group by all
"""
Totals = dict[tuple[str, str, str], Decimal]
"""By source, month and currency."""


def push_and_read_back(settings: Settings, lake: Lake, exact: bool) -> bool:
    """Push, read, compare; whether the second lakehouse comes to the same to the last digit."""
    say()
    console().rule(
        "7. The months go to a folder, and a second lakehouse reads them there: does it come to the same?", align="left"
    )
    try:
        report = push(lake, settings.push_target(TARGET))
        say(f"Pushed to {TARGET}: {len(report.months)} months, {report.files} files, {size(report.bytes)}.")
        second = _second(settings)
        there = _read(second)
    except CostLakehouseError as error:
        print_problem(error.problem, error.fix)
        return False
    here = _totals(lake, "marts.daily_costs", _HERE)
    rows = [
        (*key, amount_shown(cost, exact), amount_shown(there.get(key, Decimal(0)), exact)) for key, cost in sorted(here.items())
    ]
    texts = (Column("source"), Column("month"), Column("currency"))
    print_table((*texts, Column("here", "number"), Column("there", "number")), rows)
    same = here == there
    say(
        f"Every total is the same to the last digit. The second lakehouse is {second.file}."
        if same
        else "They differ, which must not be."
    )
    return same


def _second(settings: Settings) -> Settings:
    """A lakehouse of its own, whose only source is what the first one pushes."""
    folder = settings.base / SECOND
    folder.mkdir(exist_ok=True)
    lines = [
        "lake:",
        f"  first_month: {settings.lake.first_month:%Y-%m}",
        "sources:",
        f"  - {{name: {_SOURCE}, kind: lakehouse, location: ../{PUSHED}}}",
        "alerts:",
        f"  lateness: {{sources: {{{_SOURCE}: off, {_SOURCE}/{_SOURCE}: off}}}}",
    ]
    file: Path = folder / "lakehouse.yaml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_settings(file)


def _read(settings: Settings) -> Totals:
    """Load what is pushed: each file by its digest, each month by its announced total. What its rows come to."""
    lake = Lake(settings)
    source = open_source(settings, settings.source(_SOURCE))
    for finding in source.list_deliveries().months:
        if finding.delivery is not None:
            load_delivery(lake, source, finding.delivery)
    return _totals(lake, "raw.lakehouse_costs", _THERE)


def _totals(lake: Lake, table: str, sql: str) -> Totals:
    with connect(lake, [table]) as connection:
        return {(source, month, currency): cost for source, month, currency, cost in connection.execute(sql).fetchall()}
