"""The lines of a bill that came, went and changed between two deliveries, where the rows of both are still there.

Providers number lines anew in each delivery, so a line is known by everything that describes it. Lines that are alike stand
against each other one by one; what is left over is paired by what describes it (``changed``), or came, or went.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict
from pyiceberg.table import Table

from cost_lakehouse.audit.receipts import plain
from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.formats.table_format import FORMATS
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.data_files import committed_slices
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.moments import at_snapshot, moment_of_snapshot, table_at
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.changes import Loaded, bill_receipts
from cost_lakehouse.proof.diff import Difference
from cost_lakehouse.proof.protocols import Engine
from cost_lakehouse.summaries.dbt_project import parse_if_stale

MART = "daily_costs"
"""The mart whose lines are compared: its amounts are those of the ledger."""

_FILE = Path(__file__).with_name("line_columns.yaml")
_SHOWN = ("usage_date", "account_id", "service", "line_type", "region", "usage", "resource", "line_description")


class LineColumns(BaseModel):
    """The columns of a raw table that tell its lines apart; see the file."""

    model_config = ConfigDict(extra="forbid")

    resource: str
    usage: str
    quantity: str
    further: tuple[str, ...]


@dataclass(frozen=True)
class LineChange:
    """One line at two moments. What it was before is None where it came, what it is after where it went."""

    usage_date: date | None
    account_id: str | None
    service: str | None
    line_type: str | None
    region: str | None
    usage: str | None
    resource: str | None
    description: str | None
    currency_code: str | None
    quantity_before: Decimal | None
    quantity_after: Decimal | None
    before: Decimal | None
    after: Decimal | None
    effective_before: Decimal | None
    effective_after: Decimal | None
    file_before: str | None
    row_before: int | None
    file_after: str | None
    row_after: int | None

    @property
    def kind(self) -> str:
        """``came``, ``went`` or ``changed``."""
        if self.file_before is None:
            return "came"
        return "went" if self.file_after is None else "changed"

    @property
    def change(self) -> Decimal:
        """By how much more is billed for it."""
        return EXACT.subtract(self.after or Decimal(0), self.before or Decimal(0))

    @property
    def effective_change(self) -> Decimal:
        """By how much more it really costs."""
        return EXACT.subtract(self.effective_after or Decimal(0), self.effective_before or Decimal(0))


@cache
def line_columns() -> Mapping[str, LineColumns]:
    """Raw table -> the columns that tell its lines apart."""
    return {name: LineColumns(**said) for name, said in yaml.safe_load(_FILE.read_text(encoding="utf-8")).items()}


def line_changes(lake: Lake, found: Difference, engine: Engine) -> Iterator[LineChange]:
    """The lines behind a difference, biggest change first; read as they are asked for.

    Raises LakeError where the rows of a delivery are not kept any more, or the lines do not add up to the difference.
    """
    known = bill_receipts(receipts(lake, found.slice_))
    raw_table = known[-1].raw_table
    columns = line_columns()[raw_table]
    project = parse_if_stale(lake.settings)
    sides = []
    # Tables are found before anything is read: what is not there is told at once.
    bounds = {"before": found.bounds.after, "after": found.bounds.until}
    tables = {name: tables_of_load(lake, found.slice_, load, raw_table) for name, load in bounds.items() if load is not None}
    for name, side in (("before", -1), ("after", 1)):
        load = bounds[name]
        if load is None:
            continue
        lines = engine.lines(lake, project, MART, [found.slice_], tables[name], load.at)
        raw = engine.raw(raw_table)
        sides.append(engine.keep(f"lines_{name}", _side(lines, raw, columns, side)))
    both = " union all ".join(f"select * from {side}" for side in sides)
    _check(found, engine, both)
    for row in engine.stream(_changes(both)):
        yield LineChange(*row)


def tables_of_load(lake: Lake, slice_: Slice, load: Loaded, raw_table: str) -> dict[str, Table]:
    """The raw tables of line items as they were when a delivery had just been loaded. Raises LakeError where they are gone.

    Other kinds of bill are looked at as they were at that moment where the month has any, else as they are.
    """
    table = lake.table(raw_table)
    commits = [
        snapshot
        for snapshot in table.metadata.snapshots
        if snapshot.summary is not None
        and snapshot.summary.additional_properties.get("delivery-id") == load.delivery_id
        and slice_ in committed_slices(snapshot)
    ]
    at_or_after = [snapshot for snapshot in commits if moment_of_snapshot(snapshot) >= load.at.replace(microsecond=0)]
    if not at_or_after:
        raise LakeError(
            f"The rows of delivery {load.delivery_id} of {slice_} are not kept any more, so its lines cannot be compared.",
            "`diff` without --lines needs no rows. `maintenance: {keep_deliveries: …}` in lakehouse.yaml keeps those of more "
            "deliveries from now on.",
        )
    snapshot = min(at_or_after, key=lambda one: one.sequence_number or 0)
    others = {receipt.raw_table for receipt in receipts(lake, slice_)} - {raw_table}
    moment = moment_of_snapshot(snapshot)
    found = {name: table_at(lake.table(name), moment) for name in sorted(others & FORMATS.keys())}
    return {**found, raw_table: at_snapshot(table, snapshot.snapshot_id)}


def _side(lines: str, raw: str, columns: LineColumns, side: int) -> str:
    """The lines of one delivery with all that describes them, as one text too: both engines compare texts fast."""
    further = [f"raw_lines.{name}" for name in columns.further]
    described = [
        "lines.usage_date", "lines.account_id", "lines.service", "lines.line_type", "lines.region", "lines.line_description",
        "lines.currency_code", f"raw_lines.{columns.usage}", f"raw_lines.{columns.resource}", *further,
    ]  # fmt: skip
    text = " || chr(31) || ".join(f"coalesce(cast({column} as varchar), chr(30))" for column in described)
    return f"""
select
    lines.usage_date, lines.account_id, lines.service, lines.line_type, lines.region,
    raw_lines.{columns.usage} as usage, raw_lines.{columns.resource} as resource, lines.line_description, lines.currency_code,
    raw_lines.{columns.quantity} as quantity, lines.billed_cost, lines.effective_cost, lines.file_name, lines.row_number,
    {text} as description_text, {side} as side
from {lines} as lines
inner join {raw} as raw_lines
    on lines.file_name = raw_lines.file_name and lines.row_number = raw_lines.row_number"""


def _changes(both: str) -> str:
    same = "description_text, billed_cost, effective_cost, quantity"
    pair = "before.description_text = after.description_text and before.place = after.place"
    shown = ", ".join(f"coalesce(after.{name}, before.{name}) as {name}" for name in (*_SHOWN, "currency_code"))
    values = ", ".join(f"before.{name}, after.{name}" for name in ("quantity", "billed_cost", "effective_cost"))
    places = ", ".join(f"{side}.{name}" for side in ("before", "after") for name in ("file_name", "row_number"))
    change = "coalesce(after.billed_cost, 0) - coalesce(before.billed_cost, 0)"
    return f"""
with numbered as (
    select
        sides.*,
        row_number() over (partition by side, {same} order by file_name, row_number) as number_of_alike,
        sum(case when side = -1 then 1 else 0 end) over (partition by {same}) as alike_before,
        sum(case when side = 1 then 1 else 0 end) over (partition by {same}) as alike_after
    from ({both}) as sides
),
remaining as (
    select
        numbered.*,
        row_number() over (
            partition by side, description_text order by billed_cost, effective_cost, quantity, file_name, row_number
        ) as place
    from numbered
    where number_of_alike > case when side = 1 then alike_before else alike_after end
),
changes as (
    select {shown}, {values}, {places}, abs({change}) as size
    from (select * from remaining where side = -1) as before
    full outer join (select * from remaining where side = 1) as after on {pair}
)
select {", ".join(f"c{number}" for number in range(19))} from changes as named ({_numbered()})
order by size desc, {", ".join(f"c{number} nulls last" for number in range(19))}"""


def _numbered() -> str:
    return ", ".join([*(f"c{number}" for number in range(19)), "size"])


def _check(found: Difference, engine: Engine, both: str) -> None:
    """Raises LakeError where the lines do not come to what the ledger says, in any currency."""
    sums = "select coalesce(currency_code, ''), sum(side * billed_cost), sum(side * effective_cost)"
    of_lines = {
        row[0]: (Decimal(row[1] or 0), Decimal(row[2] or 0)) for row in engine.rows(f"{sums} from ({both}) as sides group by 1")
    }
    of_ledger: dict[str, tuple[Decimal, Decimal]] = {}
    for cell in found.cells:
        billed, effective = of_ledger.get(cell.currency_code or "", (Decimal(0), Decimal(0)))
        sum_of = EXACT.add(billed, cell.change), EXACT.add(effective, cell.effective_change)
        of_ledger[cell.currency_code or ""] = sum_of
    nothing = (Decimal(0), Decimal(0))
    for currency in sorted({*of_lines, *of_ledger}):
        lines, ledger = of_lines.get(currency, nothing), of_ledger.get(currency, nothing)
        if lines != ledger:
            raise LakeError(
                f"{found.slice_}: the lines changed by {plain(lines[0])} {currency} (effective {plain(lines[1])}), the "
                f"summaries by {plain(ledger[0])} (effective {plain(ledger[1])}).".replace("  ", " "),
                "A delivery that another one replaced before its summaries were built has changed nothing in them: choose "
                f"--from and --to among those that `cost-lakehouse history --source {found.slice_.source} "
                f"--month {found.slice_.month}` says have changed something.",
            )


def changed_lines_rows(changes: Iterator[LineChange]) -> Iterator[Sequence[Any]]:
    """Each change as the columns of ``CHANGE_COLUMNS``."""
    for line in changes:
        yield (
            line.usage_date, line.account_id, line.service, line.line_type, line.region, line.usage, line.resource,
            line.description, line.currency_code, line.kind, line.quantity_before, line.quantity_after, line.before, line.after,
            line.change, line.effective_change, line.file_before, line.row_before, line.file_after, line.row_after,
        )  # fmt: skip


CHANGE_COLUMNS = {
    "usage_date": "DATE", "account_id": "VARCHAR", "service": "VARCHAR", "line_item_type": "VARCHAR", "region": "VARCHAR",
    "usage_type": "VARCHAR", "resource_id": "VARCHAR", "description": "VARCHAR", "currency_code": "VARCHAR", "kind": "VARCHAR",
    "quantity_before": "DECIMAL", "quantity_after": "DECIMAL", "before": "DECIMAL", "after": "DECIMAL", "change": "DECIMAL",
    "effective_change": "DECIMAL", "file_before": "VARCHAR", "row_before": "BIGINT", "file_after": "VARCHAR",
    "row_after": "BIGINT",
}  # fmt: skip
