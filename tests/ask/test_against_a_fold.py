"""Whatever is asked of whatever lines: the SQL answers what adding the lines up one by one does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cost_lakehouse.ask.clauses import All, Clause, Compared, Either, Match, Not
from cost_lakehouse.ask.ranges import before, shift_of
from cost_lakehouse.ask.request import Compare, Condition, Granularity, Order, Range, Request
from cost_lakehouse.errors import ConfigurationError
from tests.ask.marts import Line, asked, marts_of_lines

SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
DAYS = [date(2026, 8, 31), SEPTEMBER, date(2026, 9, 30), OCTOBER, date(2026, 10, 2), date(2026, 10, 31), NOVEMBER]
VALUES: dict[str, Callable[[Line], str | None]] = {
    "account": lambda line: line.account,
    "service": lambda line: line.service,
    "type": lambda line: line.type,
    "tag:team": lambda line: line.team,
}

lines = st.builds(
    Line,
    day=st.sampled_from(DAYS),
    month=st.sampled_from([SEPTEMBER, OCTOBER]),
    account=st.sampled_from(["1", "2", None]),
    service=st.sampled_from(["AmazonEC2", "AmazonS3", "", None]),
    currency=st.sampled_from(["USD", "EUR"]),
    cost=st.decimals(min_value=-1000, max_value=1000, places=10, allow_nan=False),
    type=st.sampled_from(["Usage", "Tax"]),
    team=st.sampled_from(["red", "Green", None]),
    lines=st.integers(min_value=1, max_value=9),
    unit=st.sampled_from(["Hrs", "GB-Mo", "", None]),
    usage=st.none() | st.decimals(min_value=-9, max_value=1000, places=10, allow_nan=False),
)
conditions = st.builds(
    Condition,
    name=st.sampled_from(list(VALUES)),
    values=st.lists(st.sampled_from(["1", "AmazonEC2", "amazon", "RED", "red", "Usage", ""]), min_size=1, max_size=2).map(
        tuple
    ),
    contains=st.booleans(),
)

compared = st.builds(
    Compared,
    name=st.sampled_from(list(VALUES)),
    text=st.sampled_from(["1", "AmazonEC2", "Amazon", "2", "EC2", "red", "Usage", "x" * 40, "'", ""]),
    match=st.sampled_from(Match),
)
clauses: st.SearchStrategy[Clause] = st.recursive(
    compared,
    lambda inner: st.one_of(
        inner.map(Not), st.lists(inner, max_size=3).map(tuple).map(All), st.lists(inner, max_size=3).map(tuple).map(Either)
    ),
    max_leaves=5,
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Any question about these days."""
    of_bills = draw(st.booleans())
    begin = draw(st.sampled_from([SEPTEMBER, OCTOBER] if of_bills else [SEPTEMBER, date(2026, 9, 30), OCTOBER]))
    end = draw(st.sampled_from([OCTOBER, NOVEMBER] if of_bills else [date(2026, 10, 2), date(2026, 10, 3), NOVEMBER]))
    groups = tuple(draw(st.lists(st.sampled_from(list(VALUES)), unique=True, max_size=3)))
    compare = draw(st.sampled_from([None, *Compare]))
    orders = [order for order in Order if compare or order not in (Order.GREW, Order.SHRANK)]
    return Request(
        Range(begin, end if end > begin else NOVEMBER, of_bills),
        granularity=draw(st.sampled_from([Granularity.NONE, Granularity.MONTH, Granularity.QUARTER])),
        groups=groups,
        filters=tuple(draw(st.lists(conditions, max_size=2))),
        excludes=tuple(draw(st.lists(conditions, max_size=1))),
        top=draw(st.sampled_from([None, 1, 2])) if groups else None,
        order=draw(st.sampled_from(orders)),
        compare=compare,
        currency=draw(st.sampled_from([None, "USD"])),
        where=draw(clauses),
    )


def holds(line: Line, condition: Condition) -> bool:
    value = VALUES[condition.name](line) or ""
    if condition.contains:
        return any(part.lower() in value.lower() for part in condition.values)
    return value in condition.values


def clause_holds(line: Line, clause: Clause) -> bool:
    if isinstance(clause, Not):
        return not clause_holds(line, clause.clause)
    if isinstance(clause, Compared):
        return clause.match.holds(VALUES[clause.name](line) or "", clause.text)
    found = [clause_holds(line, inner) for inner in clause.clauses]
    return all(found) if isinstance(clause, All) else any(found)


def in_range(line: Line, asked_range: Range) -> bool:
    day = line.month if asked_range.of_bills else line.day
    return asked_range.begin <= day < asked_range.end


def chosen(found: Iterable[Line], request: Request, asked_range: Range) -> list[Line]:
    return [
        line
        for line in found
        if in_range(line, asked_range)
        and all(holds(line, condition) for condition in request.filters)
        and not any(holds(line, condition) for condition in request.excludes)
        and clause_holds(line, request.where)
        and request.currency in (None, line.currency)
    ]


def group_of(line: Line, request: Request) -> tuple[str | None, ...]:
    return tuple(VALUES[name](line) or None for name in request.groups)


@settings(max_examples=60, deadline=None)
@given(found=st.lists(lines, max_size=12), request=requests())
def test_every_answer_is_what_a_fold_over_the_lines_comes_to(found: list[Line], request: Request) -> None:
    with marts_of_lines(found) as connection:
        rows, totals = asked(connection, request)

    now = chosen(found, request, request.range)
    earlier = chosen(found, request, before(request.range, request.compare)) if request.compare else []
    expected: dict[tuple[str, tuple[str | None, ...]], list[Decimal]] = defaultdict(
        lambda: [Decimal(0), Decimal(0), Decimal(0)]
    )
    for number, part in enumerate((now, earlier)):
        for line in part:
            expected[line.currency, group_of(line, request)][number] += line.cost
            if not number:
                expected[line.currency, group_of(line, request)][2] += line.lines

    # Totals: of each currency, all that was chosen.
    assert {total.currency_code: total.cost for total in totals} == {
        currency: sum((values[0] for key, values in expected.items() if key[0] == currency), Decimal(0))
        for currency in {key[0] for key in expected}
    }
    # Groups: those that are shown have their own amounts, and Others all that is left.
    shown: dict[tuple[str | None, tuple[str | None, ...]], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for row in rows:
        if not row.is_others:
            old = shown[row.currency_code, row.values]
            shown[row.currency_code, row.values] = [
                old[0] + row.cost,
                old[1] + (row.before or Decimal(0)),
                old[2] + row.line_item_count,
            ]
    assert all(expected[key] == amounts for key, amounts in shown.items())  # type: ignore[index]
    for currency in {key[0] for key in expected}:
        groups = [key for key in expected if key[0] == currency]
        if request.top is None:
            assert len([key for key in shown if key[0] == currency]) == len(groups)
        else:
            assert len([key for key in shown if key[0] == currency]) == min(request.top, len(groups))
            if request.order is Order.MOST:
                least = min((expected[key][0] for key in groups if key in shown), default=Decimal(0))
                assert all(expected[key][0] <= least for key in groups if key not in shown)
    others = [row for row in rows if row.is_others]
    for other_currency in {row.currency_code for row in others}:
        left_out = [key for key in expected if key[0] == other_currency and key not in shown]
        assert sum(row.cost for row in others if row.currency_code == other_currency) == sum(
            expected[key][0] for key in left_out
        )


@settings(max_examples=30, deadline=None)
@given(
    found=st.lists(lines, max_size=12),
    groups=st.lists(st.sampled_from(list(VALUES)), unique=True, max_size=2).map(tuple),
    currency=st.sampled_from([None, "USD"]),
)
def test_usage_is_added_up_in_each_unit_alone(found: list[Line], groups: tuple[str, ...], currency: str | None) -> None:
    request = Request(Range(OCTOBER, NOVEMBER), groups=groups, basis="usage", compare=Compare.PREVIOUS, currency=currency)
    expected: dict[tuple[str | None, tuple[str | None, ...]], Decimal] = defaultdict(Decimal)
    for line in found:
        if in_range(line, request.range) and currency in (None, line.currency):
            expected[line.unit or None, group_of(line, request)] += line.usage or Decimal(0)

    with marts_of_lines(found) as connection:
        rows, totals = asked(connection, request)

    assert {(row.currency_code, row.values): row.cost for row in rows if row.line_item_count} == expected
    assert sum(total.cost for total in totals) == sum(expected.values())
    assert len({total.currency_code for total in totals}) == len(totals)


def test_usage_is_not_grouped_by_its_unit_once_more() -> None:
    with pytest.raises(ConfigurationError, match="apart by its units already"):
        Request(Range(OCTOBER, NOVEMBER), basis="usage", groups=("usage_unit",))


def test_a_compared_range_lies_where_people_look_for_it() -> None:
    october = Range(OCTOBER, NOVEMBER, of_bills=True)
    first_days = Range(NOVEMBER, date(2026, 11, 15))

    assert before(october, Compare.PREVIOUS) == Range(SEPTEMBER, OCTOBER, of_bills=True)
    assert before(october, Compare.YEAR) == Range(date(2025, 10, 1), date(2025, 11, 1), of_bills=True)
    assert before(Range(date(2026, 7, 1), OCTOBER), Compare.PREVIOUS) == Range(date(2026, 4, 1), date(2026, 7, 1))
    assert before(first_days, Compare.PREVIOUS) == Range(date(2026, 10, 18), NOVEMBER)
    assert before(first_days, Compare.MONTH) == Range(OCTOBER, date(2026, 10, 15))
    assert before(Range(date(2026, 3, 30), date(2026, 4, 1)), Compare.MONTH) == Range(date(2026, 2, 28), date(2026, 3, 1))
    assert shift_of(first_days, Compare.PREVIOUS).days == (date(2026, 11, 15) - NOVEMBER) // timedelta(days=1)
