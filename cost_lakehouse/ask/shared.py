"""One reading of the marts' lines for several questions about them: what the lines come to by the dimensions of each.

Sums of sums of decimals are the sums themselves, so that an answer has the same digits either way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cost_lakehouse.ask.clauses import ALWAYS
from cost_lakehouse.ask.ranges import before
from cost_lakehouse.ask.request import Granularity, Range, Request
from cost_lakehouse.ask.statement import Dialect, Statement, clause_sql, condition_sql, lines_sql
from cost_lakehouse.errors import LakeError

_DATES = ("day", "month")


@dataclass(frozen=True)
class Shared:
    """A temporary table with the lines of ``requests``, which read the same marts, added up for each of them.

    ``names`` are the dimensions that it has as d0, d1…, ``bases`` the measures as c0, c1…, ``ranges`` those that lines are
    of: f0, f1… say of which.
    """

    table: str
    requests: tuple[Request, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All dimensions that are asked for, once."""
        return tuple(dict.fromkeys(name for request in self.requests for name in request.dimension_names))

    @property
    def bases(self) -> tuple[str, ...]:
        """All measures that are asked for, once."""
        return tuple(dict.fromkeys(request.basis for request in self.requests))

    @property
    def ranges(self) -> tuple[Range, ...]:
        """All ranges that are asked for, and compared with, once."""
        found = [request.range for request in self.requests]
        found += [before(request.range, request.compare) for request in self.requests if request.compare is not None]
        return tuple(dict.fromkeys(found))

    def statement(self, dialect: Dialect) -> Statement:
        """What makes the table: all lines once more, added up by each question's dimensions, and by none."""
        made = Statement()
        flags = _numbered("f", self.ranges)
        lines = lines_sql(self.requests[0], self.names, self.bases, dialect, made)
        of_ranges = [
            f"{column} >= {made.bind(asked.begin)} and {column} < {made.bind(asked.end)} as {flag}"
            for flag, asked in zip(flags, self.ranges, strict=True)
            for column in ["billing_period" if asked.of_bills else "usage_date"]
        ]
        sets = dict.fromkeys([(), *(self._columns(request) for request in self.requests)])
        by = [f"({', '.join((*flags, 'currency_code', *columns))})" for columns in sets]
        costs = _numbered("c", self.bases)
        made.sql = f"""
create temporary table {self.table} as
with lines as (
{lines}
),
asked as (
    select *, usage_date as day, billing_period as month, {", ".join(of_ranges)}
    from lines
    where {self._common(made)}
)
select
    {", ".join((*flags, "currency_code", *_numbered("d", self.names)))},
    {f"grouping({', '.join(self._parting)})" if self._parting else "0"} as left_out,
    min(usage_date) as usage_date,
    min(billing_period) as billing_period,
    {", ".join(f"sum({cost}) as {cost}" for cost in costs)},
    sum(line_item_count) as line_item_count
from asked
where {" or ".join(flags)}
group by grouping sets ({", ".join(by)})
"""
        return made

    def lines_of(self, request: Request) -> str:
        """The SELECT of the lines that one of the questions is answered from, as it reads them from marts otherwise."""
        columns = [f"d{self.names.index(name)} as d{number}" for number, name in enumerate(request.dimension_names)]
        shown = "".join(f"{column}, " for column in columns)
        shown += f"usage_date, billing_period, currency_code, line_item_count, c{self.bases.index(request.basis)} as cost"
        return f"    select {shown}\n    from {self.table}\n    where left_out = {self._left_out(self._columns(request))}"

    def proof(self) -> Statement:
        """What the lines of each range come to in each currency, as each question's sums have it."""
        keys = ", ".join((*_numbered("f", self.ranges), "currency_code"))
        sums = ", ".join(f"sum({cost})" for cost in _numbered("c", self.bases))
        return Statement(f"select left_out, {keys}, sum(line_item_count), {sums} from {self.table} group by left_out, {keys}")

    def check(self, fetched: Iterable[Sequence[Any]]) -> None:
        """Raises LakeError where what ``proof`` finds differs from question to question. Pure."""
        keys = len(self.ranges) + 1
        found: dict[int, dict[tuple[Any, ...], tuple[Decimal, ...]]] = defaultdict(dict)
        for left_out, *row in fetched:
            found[left_out][tuple(row[:keys])] = tuple(Decimal(amount or 0) for amount in row[keys:])
        whole = found[self._left_out(())]
        if any(sums != whole for sums in found.values()):
            raise LakeError(
                "What lines come to is not the same by all dimensions that they are asked by.",
                "Please report this, with the question; nothing was answered.",
            )

    def _columns(self, request: Request) -> tuple[str, ...]:
        """What the lines of a question are added up by, beside ranges and currency; in one order, since a set that is there
        twice has its rows twice."""
        own = {*_dates(request), *(f"d{self.names.index(name)}" for name in request.dimension_names)}
        return tuple(column for column in self._parting if column in own)

    def _left_out(self, columns: Sequence[str]) -> int:
        """Which columns a row is not added up by, as SQL's ``grouping`` has it: a bit each, the first column's the highest."""
        return int("0" + "".join("0" if column in columns else "1" for column in self._parting), 2)

    @property
    def _parting(self) -> tuple[str, ...]:
        """All columns that lines are added up by for one question or another."""
        dates = dict.fromkeys(column for request in self.requests for column in _dates(request))
        return (*dates, *_numbered("d", self.names))

    def _common(self, made: Statement) -> str:
        """What all questions want of every line."""
        first, *others = self.requests
        kept = [condition_sql(one, self.names, made) for one in first.filters if all(one in other.filters for other in others)]
        kept += [
            f"not {condition_sql(one, self.names, made)}"
            for one in first.excludes
            if all(one in other.excludes for other in others)
        ]
        if first.where != ALWAYS and all(first.where == other.where for other in others):
            kept.append(clause_sql(first.where, self.names, made))
        if first.currency is not None and all(first.currency == other.currency for other in others):
            kept.append(f"currency_code = {made.bind(first.currency)}")
        return "\n        and ".join(kept) or "true"


def _dates(request: Request) -> tuple[str, ...]:
    return () if request.granularity is Granularity.NONE else _DATES


def _numbered(letter: str, items: Sequence[object]) -> tuple[str, ...]:
    return tuple(f"{letter}{number}" for number in range(len(items)))
