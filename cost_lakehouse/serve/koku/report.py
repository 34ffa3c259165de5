"""An answer of the query core as Koku's cost report: dates, then groups inside each other, then values. Pure.

Amounts are JSON numbers here, as Koku's clients expect them: doubles. They are made of exact sums, each rounded once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid5

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.ask.clauses import ALWAYS
from cost_lakehouse.ask.dimensions import USAGE
from cost_lakehouse.ask.rates import Rate, Rates
from cost_lakehouse.ask.request import Condition, Request, in_currency
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.serve.costs import rate_meta
from cost_lakehouse.serve.koku.kinds import Usage, usage_of
from cost_lakehouse.serve.koku.query import BASES, Query
from cost_lakehouse.serve.koku.units import BESIDE, UNIT, entity_of, inside
from cost_lakehouse.serve.parameters import Pairs

_SOURCES = UUID("6c1b7f0e-5d0c-5f0e-9a57-6f3a1c1d2b90")
"""The namespace of sources' ids: one of a name, the same in every answer."""

Key = tuple[str, ...]


@dataclass
class Cell:
    """What a group costs and uses on a date, and did on the date that it is compared with."""

    cost: Decimal = Decimal(0)
    before: Decimal = Decimal(0)
    usage: Decimal = Decimal(0)
    usage_before: Decimal = Decimal(0)
    sources: set[str] = field(default_factory=set)
    alias: str | None = None
    type: str = "account"

    def add(self, other: Cell) -> None:
        """Add another's amounts."""
        self.cost, self.before = EXACT.add(self.cost, other.cost), EXACT.add(self.before, other.before)
        self.usage, self.usage_before = EXACT.add(self.usage, other.usage), EXACT.add(self.usage_before, other.usage_before)
        self.sources |= other.sources
        self.alias, self.type = other.alias or self.alias, other.type


@dataclass(frozen=True)
class Units:
    """What a report's amounts are in; ``usage`` None: it tells none."""

    currency: str
    usage: str | None


@dataclass(frozen=True)
class Report:
    """Every date's groups in order, their total, and how they were chosen. ``usage`` is that of a report which tells any."""

    dates: Sequence[tuple[date, Sequence[tuple[Key, Cell]]]]
    total: Cell
    ranks: int
    others: int
    usage: Usage | None = None


def question_of(query: Query, currency: str, provider: Iterable[Condition], rates: Rates | None = None) -> Request:
    """What the core is asked: the groups, and the sources and accounts' names that stand beside them.

    Costs are converted where a currency is asked for and there are rates; else they are those in one currency.
    """
    beside = [*(["account_name"] if "account" in query.groups else []), *(BESIDE if query.unit else ()), "source"]
    question = Request(
        query.window.range,
        granularity=query.window.granularity,
        groups=(*query.dimensions, *beside),
        filters=(*provider, *query.kind.filters, *query.filters),
        excludes=(*query.kind.excludes, *query.excludes),
        basis=BASES[query.cost_type],
        compare=query.window.compare if query.has_delta else None,
        where=inside(query.unit) if query.unit else ALWAYS,
        most_groups=len(query.dimensions) + len(beside),
    )
    return in_currency(question, currency, rates if query.currency else None)


def usage_question_of(costs: Request) -> Request:
    """The same lines' usage."""
    return replace(costs, basis=USAGE, into=None, rates=None)


def report_of(query: Query, rows: Iterable[Row], used: Iterable[Row] = ()) -> Report:
    """The rows folded to the query's groups, ranked over the whole window, what is beyond the limit as Others, last.

    ``used`` are the rows of usage, of a report that tells any.
    """
    usage = usage_of(query.kind, used) if query.kind.is_usage else None
    cells: dict[date, dict[Key, Cell]] = {bucket: {} for bucket in query.window.buckets}
    whole: dict[Key, Cell] = defaultdict(Cell)
    total = Cell()
    count = len(query.groups)
    used_rows = usage.rows if usage else ()
    for row, is_usage in chain(((row, False) for row in rows), ((row, True) for row in used_rows)):
        key = tuple(value or f"No-{name}" for name, value in zip(query.groups, row.values[:count], strict=True))
        cell = Cell(sources={row.values[-1] or ""}, alias=row.values[count] if "account" in query.groups else None)
        if query.unit:
            position = query.groups.index(UNIT)
            entity = entity_of(query.unit, row.values[position] or "", *row.values[count : count + len(BESIDE)])
            key = (*key[:position], entity.id, *key[position + 1 :])
            cell.alias, cell.type = entity.alias, entity.type
        if is_usage:
            cell.usage, cell.usage_before = row.cost, row.before or Decimal(0)
        else:
            cell.cost, cell.before = row.cost, row.before or Decimal(0)
        for sums in (cells[row.bucket or query.window.range.begin].setdefault(key, Cell()), whole[key], total):
            sums.add(cell)
    ranks = _in_order(query, whole, cells)
    if query.ranked is None:
        dates = [(bucket, [(key, there[key]) for key in _in_order(query, there, cells)]) for bucket, there in cells.items()]
        return Report(dates, total, len(ranks), 0, usage)
    begin = query.skipped or 0
    kept = ranks[begin : begin + query.ranked]
    left = ranks[query.ranked :] if query.skipped is None else []
    dates = []
    for bucket, there in cells.items():
        shown = [(key, there.get(key) or _nothing_of(whole[key])) for key in kept]
        if left:
            others = Cell()
            for key in left:
                others.add(there.get(key, Cell()))
            others.alias = None
            shown.append((("Other" if len(left) == 1 else "Others",) * count, others))
        dates.append((bucket, shown))
    return Report(dates, total, len(ranks), len(left), usage)


def _nothing_of(known: Cell) -> Cell:
    """No amount of what costs something on other dates."""
    return Cell(sources=known.sources, alias=known.alias, type=known.type)


def document_of(
    query: Query, report: Report, currency: str, path: str, pairs: Pairs, rates: Iterable[Rate] = ()
) -> dict[str, Any]:
    """The whole answer, one page of dates; ``rates`` are those that costs were converted by."""
    page = report.dates[query.offset : query.offset + query.limit]
    is_paged_by_rank = query.skipped is not None
    meta: dict[str, Any] = {"count": report.ranks if is_paged_by_rank else len(report.dates)}
    if query.ranked is not None:
        meta |= {"limit": query.ranked, "offset": query.skipped or 0, "others": report.others}
    filters = {name: values[0] if len(values) == 1 else list(values) for name, values in query.given["filter"].items()}
    order, downwards = query.order
    meta |= {
        "currency": currency,
        "cost_type": query.cost_type,
        "filter": {**query.window.shown, **filters} | ({"limit": query.ranked} if query.ranked is not None else {}),
        "group_by": query.given["group_by"],
        "order_by": query.given["order_by"] or {order: "desc" if downwards else "asc"},
        "exclude": query.given["exclude"],
    }
    if converted_by := [rate_meta(rate) for rate in rates]:
        meta["exchange_rates"] = converted_by
    if query.has_delta:
        meta["delta"] = {"value": _double(_change(query, report.total)), "percent": _percent(query, report.total)}
    units = Units(currency, report.usage.unit if report.usage else None)
    meta["total"] = _amounts(report.total, units)
    if report.usage and report.usage.left_out:
        meta["usage_units_left_out"] = report.usage.left_out
    data = [
        {"date": query.window.label(bucket), **_nested(query, query.window.label(bucket), groups, units, 0)}
        for bucket, groups in page
    ]
    return {"meta": meta, "links": links_of(path, pairs, query.limit, query.offset, len(report.dates)), "data": data}


def flat_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The values of all dates and groups, without what they are nested in: what is sent as CSV."""
    found: list[dict[str, Any]] = []

    def collect(node: Mapping[str, Any]) -> None:
        for name, inner in node.items():
            if name == "values":
                found.extend(map(_flat, inner))
            elif isinstance(inner, list):
                for item in inner:
                    collect(item)

    for bucket in document["data"]:
        collect(bucket)
    return found


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of values with what each amount comes to in the end."""
    return {
        name: (value.get("total") or value)["value"] if isinstance(value, Mapping) else value for name, value in row.items()
    }


def links_of(path: str, pairs: Pairs, limit: int, offset: int, count: int) -> dict[str, str | None]:
    """The pages around this one, as paths."""
    others = [(name, value) for name, value in pairs if name not in ("limit", "offset")]

    def page(start: int) -> str:
        return f"{path}?{urlencode([*others, ('limit', limit), ('offset', start)])}"

    last = max(0, (count - 1) // limit * limit) if limit else 0
    return {
        "first": page(0),
        "next": page(offset + limit) if offset + limit < count else None,
        "previous": page(max(0, offset - limit)) if offset else None,
        "last": page(last),
    }


def source_id(name: str) -> str:
    """The id that stands for a source."""
    return str(uuid5(_SOURCES, name))


def _in_order(query: Query, cells: Mapping[Key, Cell], by_date: Mapping[date, Mapping[Key, Cell]]) -> list[Key]:
    """The groups by what the order asks for; their names decide between equals."""
    name, downwards = query.order
    if name in query.groups:
        position = query.groups.index(name)
        return sorted(sorted(cells), key=lambda key: key[position], reverse=downwards)
    if name == "account_alias":
        position = query.groups.index("account")
        return sorted(sorted(cells), key=lambda key: cells[key].alias or key[position], reverse=downwards)
    days = {query.window.label(bucket): cells_of_day for bucket, cells_of_day in by_date.items()}

    def amount(key: Key) -> Decimal:
        if name == "delta":
            return _change(query, cells[key])
        if name == "supplementary":
            return Decimal(0)
        if name == "usage":
            return cells[key].usage
        cell = days[name].get(key, Cell()) if name in days else cells[key]
        return cell.usage if name in days and query.kind.is_usage else cell.cost

    return sorted(sorted(cells), key=amount, reverse=downwards)


def _nested(
    query: Query, label: str, groups: Sequence[tuple[Key, Cell]], units: Units, level: int
) -> dict[str, list[dict[str, Any]]]:
    """The groups of a level, each with the next level or its values."""
    if level == len(query.groups):
        return {"values": [_values(query, label, key, cell, units) for key, cell in groups]}
    name = query.groups[level]
    parts: dict[str, list[tuple[Key, Cell]]] = {}
    for key, cell in groups:
        parts.setdefault(key[level], []).append((key, cell))
    if name == UNIT:
        entities = [
            {"id": value, "type": inner[0][1].type, **_nested(query, label, inner, units, level + 1)}
            for value, inner in parts.items()
        ]
        return {"org_entities": entities}
    return {f"{name}s": [{name: value, **_nested(query, label, inner, units, level + 1)} for value, inner in parts.items()]}


def _values(query: Query, label: str, key: Key, cell: Cell, units: Units) -> dict[str, Any]:
    row: dict[str, Any] = {"date": label, **dict(zip(query.groups, key, strict=True))}
    if query.unit:
        row["id"] = row.pop(UNIT)
        row["alias"] = cell.alias or row["id"]
    if "account" in query.groups:
        row["account_alias"] = cell.alias or key[query.groups.index("account")]
    row["source_uuid"] = sorted(map(source_id, cell.sources))
    row |= _amounts(cell, units)
    if query.has_delta:
        row |= {"delta_value": _double(_change(query, cell)), "delta_percent": _percent(query, cell)}
    return row


def _amounts(cell: Cell, units: Units) -> dict[str, Any]:
    """A cloud's bill is infrastructure; nothing is marked up or supplementary. Usage is there in reports that tell it."""
    currency = units.currency

    def amounts(amount: Decimal) -> dict[str, Any]:
        zero = {"value": 0.0, "units": currency}
        value = {"value": _double(amount), "units": currency}
        return {"raw": value, "markup": zero, "usage": zero, "total": value}

    costs = {"infrastructure": amounts(cell.cost), "supplementary": amounts(Decimal(0)), "cost": amounts(cell.cost)}
    return costs if units.usage is None else {**costs, "usage": {"value": _double(cell.usage), "units": units.usage}}


def _change(query: Query, cell: Cell) -> Decimal:
    return EXACT.subtract(cell.usage, cell.usage_before) if query.kind.is_usage else EXACT.subtract(cell.cost, cell.before)


def _percent(query: Query, cell: Cell) -> float | None:
    """Of what was before; None where that rounds to 0.00."""
    before = cell.usage_before if query.kind.is_usage else cell.before
    return None if round(before, 2) == 0 else float(_change(query, cell) / before * 100)


def _double(amount: Decimal) -> float:
    return float(amount)
