"""What the first page shows, made of answers of the query core: amounts in cents, links, shares. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from cost_lakehouse.ask.answer import Answer, Row
from cost_lakehouse.ask.request import Range
from cost_lakehouse.formats.decimals import EXACT, in_cents
from cost_lakehouse.report.charts import Chart, daily_chart
from cost_lakehouse.report.contents import movers_of
from cost_lakehouse.serve.page.gathering import TOP, Contents
from cost_lakehouse.serve.page.state import State

_COVERED = ("reserved", "savings_plan")
_LUMPS = ("Tax", "Credit", "Refund")
EXPLAINED = ("source", "provider", "account", "service", "region")


@dataclass(frozen=True)
class Amount:
    """A currency's cost, what it is beside, and the change; ``exact`` has all digits. ``percent`` is None where nothing was."""

    currency: str
    cost: str
    exact: str
    before: str
    change: str
    percent: str | None
    direction: str


@dataclass(frozen=True)
class Line:
    """A row of a table; ``link`` leads to the page of this value alone, ``lines`` to the rows behind it; None of the others."""

    name: str
    link: str | None
    lines: str | None
    amount: Amount
    share: str


@dataclass(frozen=True)
class Days:
    """The days of a currency: as a chart, and as a table with a column for each part of the bars."""

    currency: str
    chart: Chart
    rows: Sequence[tuple[date, Sequence[str], str, str | None]]


@dataclass(frozen=True)
class Beside:
    """What a month's bills come to, and ``days`` its forecast: without what is dated ``outside`` the month, and with what
    ``other`` bills have of its days, or days that are not settled are still to bring."""

    currency: str
    bills: str
    outside: str
    other: str
    days: str


@dataclass(frozen=True)
class Share:
    """A part of a currency's costs."""

    currency: str
    part: str
    whole: str
    percent: str


def cents(amount: Decimal) -> str:
    """An amount in cents with thousands separators, as people read it; what is exact is behind the CSV links."""
    return f"{in_cents(amount):,}"


def exact(amount: Decimal) -> str:
    """All digits of an amount."""
    return f"{amount.normalize():f}" if amount else "0"


def percent_of(part: Decimal, whole: Decimal) -> str:
    """A part in percent; a dash where the whole is nothing."""
    return "–" if not whole else f"{part * 100 / whole:.1f}%"


def totals_of(answer: Answer) -> list[Amount]:
    """What each currency comes to."""
    return [amount_of(total.currency_code, total.cost, total.before) for total in answer.totals]


def amount_of(currency: str | None, cost: Decimal, before: Decimal | None) -> Amount:
    """A cost beside what it was."""
    earlier = before or Decimal(0)
    change = EXACT.subtract(cost, earlier)
    shown = in_cents(change)
    percent = None if in_cents(earlier) == 0 else f"{change / abs(earlier) * 100:+.1f}%"
    direction = "up" if shown > 0 else "down" if shown < 0 else ""
    return Amount(currency or "", cents(cost), exact(cost), cents(earlier), f"{shown:+,}", percent, direction)


def lines_of(contents: Contents, answer: Answer, name_of: Callable[[str], str] = str) -> list[Line]:
    """A table of one dimension, each value with a link that narrows the page to it."""
    (name,) = answer.request.groups
    wholes = {total.currency_code: total.cost for total in answer.totals}
    return [_line(contents, name, row, wholes[row.currency_code], name_of) for row in first_of(answer.rows, TOP)]


def cluster_lines(contents: Contents, answer: Answer) -> list[Line]:
    """The table of clusters, each row with a link to what is in it; controllers have none."""
    (name,) = answer.request.groups
    wholes = {total.currency_code: total.cost for total in answer.totals}
    state, found = contents.state, []
    for row in first_of(answer.rows, TOP):
        amount = amount_of(row.currency_code, row.cost, row.before)
        value = None if row.is_others else row.values[0]
        into = {"cluster": state.inside(value), "namespace": state.inside(state.cluster, value)}.get(name) if value else None
        link = f"{into.link}#by-cluster" if into is not None else None
        shown = f"{row.groups} others" if row.is_others else value or f"No {name}"
        found.append(Line(shown, link, None, amount, percent_of(row.cost, wholes[row.currency_code])))
    return found


def first_of(rows: Sequence[Row], top: int) -> list[Row]:
    """The first rows of each currency; all further ones are added up in one, last, as the query core does with ``top``."""
    by_currency: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows:
        by_currency[row.currency_code].append(row)
    found: list[Row] = []
    for currency, own in by_currency.items():
        found += own[:top]
        if rest := own[top:]:
            cost, before = Decimal(0), Decimal(0)
            for row in rest:
                cost = EXACT.add(cost, row.cost)
                before = EXACT.add(before, row.before or Decimal(0))
            lines = sum(row.line_item_count for row in rest)
            found.append(Row(None, (), currency, cost, before, lines, True, sum(row.groups for row in rest)))
    return found


def days_of(contents: Contents) -> list[Days]:
    """Bars of each currency, on a scale of its own, and their table."""
    by_currency: dict[str, list[Row]] = defaultdict(list)
    for row in contents.daily.rows:
        if row.bucket is not None:
            by_currency[row.currency_code or ""].append(row)
    settled_until = contents.settled_until if contents.is_running else None
    found = []
    for currency, own in by_currency.items():
        chart = daily_chart(own, contents.state.by, settled_until)
        found.append(Days(currency, chart, _day_rows(contents, own, chart.legend)))
    return found


def _day_rows(
    contents: Contents, rows: Sequence[Row], legend: Sequence[str]
) -> list[tuple[date, Sequence[str], str, str | None]]:
    by_day: dict[date, dict[str, Decimal]] = defaultdict(dict)
    for row in rows:
        if row.bucket is not None:
            name = "Others" if row.is_others else row.values[0] or f"No {contents.state.by}"
            by_day[row.bucket][name] = EXACT.add(by_day[row.bucket].get(name, Decimal(0)), row.cost)
    made: list[tuple[date, Sequence[str], str, str | None]] = []
    for day, parts in sorted(by_day.items()):
        total = Decimal(0)
        for cost in parts.values():
            total = EXACT.add(total, cost)
        link = lines_link(contents.state, Range(day, day + timedelta(days=1)))
        made.append((day, [cents(parts[name]) if name in parts else "" for name in legend], cents(total), link))
    return made


def movers(contents: Contents) -> list[tuple[str, str, str, Amount]]:
    """The services that changed most: name, link, kind, amount."""
    return [
        (
            mover.name,
            contents.state.narrowed("service", mover.row.values[0]).link,
            mover.kind,
            amount_of(mover.row.currency_code, mover.row.cost, mover.row.before),
        )
        for mover in movers_of(contents.services.rows)
    ]


def untagged(contents: Contents) -> list[Share]:
    """What lacks the tag, of each currency."""
    if contents.untagged is None:
        return []
    parts = {total.currency_code: total.cost for total in contents.untagged.totals}
    return [
        Share(
            total.currency_code or "",
            cents(parts.get(total.currency_code, Decimal(0))),
            cents(total.cost),
            percent_of(parts.get(total.currency_code, Decimal(0)), total.cost),
        )
        for total in contents.services.totals
    ]


def coverage(contents: Contents) -> list[Share]:
    """What commitments cover of usage at list prices, spot left out, of each currency that has any."""
    found = []
    for total in contents.options.totals:
        own = {row.values[0]: row.cost for row in contents.options.rows if row.currency_code == total.currency_code}
        covered = sum((own.get(option, Decimal(0)) for option in _COVERED), Decimal(0))
        whole = covered + own.get("on_demand", Decimal(0))
        if covered:
            found.append(Share(total.currency_code or "", cents(covered), cents(whole), percent_of(covered, whole)))
    return found


def utilisation(rows: Sequence[Mapping[str, Decimal]]) -> list[tuple[Share, str]]:
    """What is used of the month's commitments, of each currency, and what is not."""
    return [
        (
            Share(
                str(row["currency_code"] or ""),
                cents(row["used_cost"]),
                cents(row["used_cost"] + row["unused_cost"]),
                percent_of(row["used_cost"], row["used_cost"] + row["unused_cost"]),
            ),
            cents(row["unused_cost"]),
        )
        for row in rows
    ]


def beside_forecasts(contents: Contents, forecasts: Sequence[Mapping[str, Any]]) -> list[Beside]:
    """Of a month that is over, by how much its bills differ from its forecast, which is of the month's days on any bill."""
    if contents.is_running:
        return []
    found = []
    for row in forecasts:
        currency = row["currency_code"]
        bills, outside = Decimal(0), Decimal(0)
        for daily in contents.daily.rows:
            if daily.currency_code == currency and daily.bucket is not None:
                bills = EXACT.add(bills, daily.cost)
                if not contents.state.month <= daily.bucket < contents.state.months_on(1).month:
                    outside = EXACT.add(outside, daily.cost)
        days = row["settled_cost"] if row["forecast_cost"] is None else row["forecast_cost"]
        other = EXACT.subtract(days, EXACT.subtract(bills, outside))
        if in_cents(bills) != in_cents(days):
            found.append(Beside(currency or "", cents(bills), cents(outside), cents(other), cents(days)))
    return found


def lumps(contents: Contents) -> list[Line]:
    """Tax, credits and refunds, which say nothing of usage."""
    wholes = {total.currency_code: total.cost for total in contents.kinds.totals}
    return [
        _line(contents, "type", row, wholes[row.currency_code], str) for row in contents.kinds.rows if row.values[0] in _LUMPS
    ]


def lines_link(state: State, asked: Range, name: str | None = None, value: str | None = None) -> str | None:
    """The address of the rows behind a number; None where ``daily_costs`` alone cannot pick them."""
    conditions = [(condition.name, condition.values, condition.contains) for condition in state.conditions]
    if name is not None:
        conditions.append((name, (value or "",), False))
    names = [known for known, _, _ in conditions]
    is_simple = all(len(values) == 1 and not contains for _, values, contains in conditions)
    if (
        not is_simple
        or len({*names}) < len(names)
        or not {*names} <= {*EXPLAINED}
        or state.basis not in ("billed", "effective")
        or state.currency is not None
    ):
        return None
    begin, end = (f"{day:%Y-%m}" if asked.of_bills else f"{day}" for day in (asked.begin, asked.end))
    pairs = [("from", begin), ("to", end), *((known, values[0]) for known, values, _ in conditions)]
    return f"/lines?{urlencode([*pairs, *([('basis', state.basis)] if state.basis != 'billed' else [])])}"


def _line(contents: Contents, name: str, row: Row, whole: Decimal, name_of: Callable[[str], str]) -> Line:
    amount = amount_of(row.currency_code, row.cost, row.before)
    share = percent_of(row.cost, whole)
    if row.is_others:
        return Line(f"{row.groups} others", None, None, amount, share)
    value = row.values[0]
    return Line(
        name_of(value) if value else f"No {name.removeprefix('tag:')}",
        contents.state.narrowed(name, value).link,
        lines_link(contents.state, contents.asked, name, value) if row.line_item_count else None,
        amount,
        share,
    )
