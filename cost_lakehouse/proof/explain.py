"""From a cell of a mart to the lines that it is made of: the receipts, files, rules and rows behind an amount.

The lines come out of the same models as the mart, before they are added up; their sum is compared with the cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from cost_lakehouse.audit.receipts import ACCEPTED, Receipt
from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import ADDING_TABLES
from cost_lakehouse.proof.candidates import MOST_VALUES, conditions, in_list
from cost_lakehouse.proof.mart_lines import ensure_explained
from cost_lakehouse.proof.protocols import Engine
from cost_lakehouse.summaries.dbt_project import parse_if_stale

_CELL = re.compile(r"\s*(?:marts\.)?(?P<mart>\w+)\s*(?:where\s+(?P<condition>.+))?", re.IGNORECASE | re.DOTALL)
_PLACE = (
    "file_name", "row_number", "line_date", "line_account", "line_service", "line_type", "line_description", "line_rule",
    "line_exclusion", "line_delivered_cost",
)  # fmt: skip


_CURRENCIES = ("currency_code", "billing_currency")
_LEDGER = "cost_changes"
_WORD = re.compile(r"[a-z_][a-z0-9_]*")


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
    """One line: where it stands, what it is, what the bill says it costs, and what it adds to the cell.

    What is part of a cell and no line of a bill (an invoice, a receipt, another delivery's change) has no file or no record.
    """

    source: str
    billing_period: date
    file_name: str | None
    row_number: int | None
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
    numbers = [name for name, kind in columns.items() if kind.startswith(("decimal", "long", "int")) and name not in _PLACE]
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
    values = _values(engine, rows, _named_in(cell.condition, [name for name in columns if name not in numbers]))
    picked = conditions(values)
    made = engine.lines(lake, project, cell.mart, slices, picked=picked)
    there = engine.columns(made)
    sums = [name for name in numbers if name in there]
    if cell.column not in sums:
        raise LakeError(
            f"marts.{cell.mart}.{cell.column} is no sum over lines: each row says it once.",
            f"Ask for one of {', '.join(sums)}; what the column means is in docs/data-dictionary.md.",
        )
    code = next((f"coalesce({{}}{name}, '')" for name in _CURRENCIES if name in columns and name in there), "''")
    count, amounts = _cell_amounts(engine, rows, cell.column, code.format(""))
    key = {name: f"mart_{name}" if f"mart_{name}" in there else name for name in columns if name not in numbers}
    key = {name: called for name, called in key.items() if called in there}
    on = " and ".join(engine.same(f"found.{called}", f"wanted.{name}") for name, called in key.items())
    place = ", ".join(f"found.{name}" for name in _PLACE)
    wanted = f"(select distinct {', '.join(key)} from {rows})"
    lines = engine.keep(
        "explained_lines",
        f"select found.source, found.billing_period, {place}, {code.format('found.')} as currency, "
        f"found.{cell.column} as amount from {made} as found inner join {wanted} as wanted on {on}"
        + _told_apart(values, key)
        + (f" union all {_other_changes(engine, cell, key, rows)}" if cell.mart == _LEDGER else ""),
    )
    files = [
        FilePart(Slice(source, month), name, code, Part(number, amount))
        for source, month, name, code, number, amount in engine.rows(
            "select source, billing_period, file_name, currency, count(*), sum(amount) "
            f"from {lines} where file_name is not null group by 1, 2, 3, 4 order by 1, 2, 3, 4"
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
    for part in rules:
        totals[part.currency] = EXACT.add(totals.get(part.currency, Decimal(0)), part.part.amount)
    return Explanation(
        cell,
        count,
        amounts,
        tuple(_deliveries(lake, engine, lines, slices)),
        tuple(files),
        tuple(rules),
        tuple(Line(*row) for row in shown),
        sum(part.part.lines for part in rules),
        totals,
    )


def _named_in(condition: str, columns: Sequence[str]) -> list[str]:
    """The columns that a condition speaks of; a word too many costs a look, no line."""
    return [name for name in columns if name in _WORD.findall(condition.lower())]


def _values(engine: Engine, rows: str, columns: Sequence[str]) -> dict[str, list[Any]]:
    """The values that the rows have of each column, one more than pick any lines where there are more."""
    return {
        name: [row[0] for row in engine.rows(f"select distinct {name} from {rows} limit {MOST_VALUES + 1}")] for name in columns
    }


def _told_apart(values: Mapping[str, Sequence[Any]], key: Mapping[str, str]) -> str:
    """The lines of a key's values only, said in advance of the join: what cannot have them is not worked out."""
    parts = [f"found.{key[name]} in ({listed})" for name in key if (listed := in_list(values.get(name, ()))) is not None]
    return f" where {' and '.join(parts)}" if parts else ""


def _other_changes(engine: Engine, cell: Cell, key: Mapping[str, str], rows: str) -> str:
    """What the ledger's other deliveries changed in the same rows of the summary, taken off.

    The lines of a month come to all changes together: what is left of them without the others is what was asked for.
    """
    on = " and ".join(engine.same(f"other.{name}", f"wanted.{name}") for name in key)
    asked = f"not coalesce(({cell.condition or 'true'}), false)"
    return (
        "select other.source, other.billing_period, cast(null as varchar), cast(null as bigint), other.usage_date, "
        "other.account_id, other.service, other.line_item_type, "
        "'what delivery ' || other.delivery_id || ' changed', 'changed_by_another_delivery', cast(null as varchar), "
        f"cast(null as decimal(38, 20)), coalesce(other.currency_code, ''), -other.{cell.column} "
        f"from (select * from marts.{cell.mart} where {asked}) as other "
        f"inner join (select distinct {', '.join(key)} from {rows}) as wanted on {on}"
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
