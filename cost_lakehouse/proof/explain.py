"""From a cell of a mart to the lines that it is made of: the receipts, files, rules and rows behind an amount.

The lines come out of the same models as the mart, before they are added up; their sum is compared with the cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from cost_lakehouse.audit.receipts import ACCEPTED, Receipt
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import ADDING_TABLES
from cost_lakehouse.proof.mart_lines import ensure_explained
from cost_lakehouse.proof.protocols import Engine
from cost_lakehouse.summaries.dbt_project import parse_if_stale

_CELL = re.compile(r"\s*(?:marts\.)?(?P<mart>\w+)\s*(?:where\s+(?P<condition>.+))?", re.IGNORECASE | re.DOTALL)
_PLACE = (
    "file_name", "row_number", "line_date", "line_account", "line_service", "line_type", "line_description", "line_rule",
    "line_exclusion", "line_delivered_cost",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What is asked: a mart, the condition that picks its rows ("" for all), and the column whose amount is added up."""

    mart: str
    condition: str
    column: str

    @property
    def query(self) -> str:
        """The SELECT of the mart's rows that the condition picks."""
        return f"select * from marts.{self.mart}{self._where}"

    def __str__(self) -> str:
        return f"marts.{self.mart}.{self.column}{self._where}"

    @property
    def _where(self) -> str:
        return f" where {self.condition}" if self.condition else ""


@dataclass(frozen=True)
class Part:
    """Lines that have something in common, and what they add to the cell."""

    lines: int
    amount: Decimal


@dataclass(frozen=True)
class FilePart:
    """What one delivered file adds. ``currency`` is "" where the mart has none."""

    slice_: Slice
    file_name: str
    currency: str
    part: Part


@dataclass(frozen=True)
class RulePart:
    """What the lines under one rule add; ``exclusion`` says why they count nowhere. ``delivered`` is what the bill says they
    cost: where it is another amount than the part's, the rule made the difference."""

    rule: str
    exclusion: str | None
    currency: str
    part: Part
    delivered: Decimal | None


@dataclass(frozen=True)
class Line:
    """One line: where it stands, what it is, what the bill says it costs, and what it adds to the cell."""

    source: str
    billing_period: date
    file_name: str
    row_number: int
    date: date | None
    account: str | None
    service: str | None
    type: str | None
    description: str | None
    rule: str
    exclusion: str | None
    delivered: Decimal | None
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Explanation:
    """Everything behind a cell. ``amounts`` are the mart's, by currency; ``lines`` the dearest of ``line_count``."""

    cell: Cell
    mart_rows: int
    amounts: dict[str, Decimal]
    deliveries: tuple[Receipt, ...]
    files: tuple[FilePart, ...]
    rules: tuple[RulePart, ...]
    lines: tuple[Line, ...]
    line_count: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)

    @property
    def adds_up(self) -> bool:
        """Whether the lines come to the cell, to the last digit, in every currency."""
        return all(self.amounts.get(name, 0) == self.sums.get(name, 0) for name in {*self.amounts, *self.sums})


def parse_cell(text: str, column: str) -> Cell:
    """``marts.daily_costs where usage_date = date '2026-10-01'`` as a cell. Raises LakeError where it is none."""
    found = _CELL.fullmatch(text)
    if found is None:
        raise LakeError(
            f"{text!r} names no cell of a mart.",
            "Write it as \"marts.daily_costs where usage_date = date '2026-10-01' and service = 'AmazonEC2'\".",
        )
    return Cell(found["mart"].lower(), (found["condition"] or "").strip(), column)


def explain(lake: Lake, cell: Cell, engine: Engine, shown_lines: int) -> Explanation:
    """Follow a cell to its lines; the ``shown_lines`` dearest are given, files and rules of all of them.

    Raises LakeError where the mart, column or rows are not there, or where the column is no sum over lines.
    """
    columns = _columns(lake, cell.mart)
    numbers = [name for name, kind in columns.items() if kind.startswith(("decimal", "long", "int"))]
    project = parse_if_stale(lake.settings)
    ensure_explained(project, cell.mart)
    if cell.column not in columns:
        raise LakeError(f"marts.{cell.mart} has no column {cell.column!r}.", f"Its columns are {', '.join(columns)}.")
    rows = engine.keep("explained_rows", cell.query)
    slices = [Slice(*row) for row in engine.rows(f"select distinct source, billing_period from {rows} order by 1, 2")]
    if not slices:
        raise LakeError(
            f"No row of marts.{cell.mart} meets the condition {cell.condition!r}.", "Change it, or build the month."
        )
    made = engine.lines(lake, project, cell.mart, slices)
    there = engine.columns(made)
    sums = [name for name in numbers if name in there]
    if cell.column not in sums:
        raise LakeError(
            f"marts.{cell.mart}.{cell.column} is no sum over lines: each row says it once.",
            f"Ask for one of {', '.join(sums)}; what the column means is in docs/data-dictionary.md.",
        )
    currency = "coalesce({}currency_code, '')" if "currency_code" in columns else "''"
    count, amounts = _cell_amounts(engine, rows, cell.column, currency.format(""))
    key = [name for name in columns if name in there and name not in numbers]
    on = " and ".join(engine.same(f"found.{name}", f"wanted.{name}") for name in key)
    place = ", ".join(f"found.{name}" for name in _PLACE)
    lines = engine.keep(
        "explained_lines",
        f"select found.source, found.billing_period, {place}, {currency.format('found.')} as currency, "
        f"found.{cell.column} as amount from {made} as found "
        f"inner join (select distinct {', '.join(key)} from {rows}) as wanted on {on}",
    )
    files = [
        FilePart(Slice(source, month), name, code, Part(number, amount))
        for source, month, name, code, number, amount in engine.rows(
            "select source, billing_period, file_name, currency, count(*), sum(amount) "
            f"from {lines} group by 1, 2, 3, 4 order by 1, 2, 3, 4"
        )
    ]
    rules = [
        RulePart(rule, exclusion, code, Part(number, amount), delivered)
        for rule, exclusion, code, number, amount, delivered in engine.rows(
            "select line_rule, line_exclusion, currency, count(*), sum(amount), sum(line_delivered_cost) "
            f"from {lines} group by 1, 2, 3 order by 4 desc, 1, 2, 3"
        )
    ]
    shown = engine.rows(
        f"select source, billing_period, {', '.join(_PLACE)}, currency, amount from {lines} "
        f"order by abs(amount) desc, file_name, row_number limit {shown_lines}"
    )
    totals: dict[str, Decimal] = {}
    for part in files:
        totals[part.currency] = totals.get(part.currency, Decimal(0)) + part.part.amount
    return Explanation(
        cell,
        count,
        amounts,
        tuple(_deliveries(lake, engine, lines, slices)),
        tuple(files),
        tuple(rules),
        tuple(Line(*row) for row in shown),
        sum(part.part.lines for part in files),
        totals,
    )


def _cell_amounts(engine: Engine, rows: str, column: str, currency: str) -> tuple[int, dict[str, Decimal]]:
    found = engine.rows(f"select {currency}, count(*), sum({column}) from {rows} group by 1 order by 1")
    return sum(row[1] for row in found), {row[0]: Decimal(row[2] or 0) for row in found}


def _columns(lake: Lake, mart: str) -> dict[str, str]:
    """The columns of a published mart, in order, with their Iceberg types. Raises LakeError where it is not there."""
    name = f"marts.{mart}"
    if name not in lake.table_names():
        marts = ", ".join(table for table in lake.table_names() if table.startswith("marts."))
        raise LakeError(f"There is no {name}.", f"There are {marts or 'no marts yet: run `cost-lakehouse run`'}.")
    return {column.name: str(column.field_type) for column in lake.current(name).schema().fields}


def _deliveries(lake: Lake, engine: Engine, lines: str, slices: Sequence[Slice]) -> Iterator[Receipt]:
    """The receipts of the loads that brought the lines' files, oldest first: what the lines were proved by when they came."""
    loads = {
        row[0]
        for row in engine.rows(
            'select distinct files.load_id from raw."files" as files '
            f"inner join (select distinct source, file_name from {lines}) as read "
            'on files.source = read.source and files."key" = read.file_name'
        )
    }
    for slice_ in slices:
        found = [receipt for receipt in receipts(lake, slice_) if receipt.state == ACCEPTED and receipt.load_id in loads]
        last = {receipt.raw_table: receipt for receipt in found}
        # Where a delivery is the whole month, the last one took the place of all before it.
        yield from (receipt for receipt in found if receipt.raw_table in ADDING_TABLES or receipt is last[receipt.raw_table])
