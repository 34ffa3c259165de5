"""Costs in one currency are what a fold over the lines comes to, each line at the rate of its bill's month."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cost_lakehouse.ask.answer import Row, Total
from cost_lakehouse.ask.converted import by_month, converted
from cost_lakehouse.ask.ranges import bill_of
from cost_lakehouse.ask.rates import NoRate, Rate, Rates, rates_of
from cost_lakehouse.ask.request import Compare, Order, Range, Request, in_currency
from cost_lakehouse.errors import ConfigurationError
from tests.ask.marts import Line, asked, marts_of_lines
from tests.ask.test_against_a_fold import NOVEMBER, OCTOBER, SEPTEMBER, chosen, group_of, lines, requests

HEADER = "month,from,to,rate,source\n"
TABLE = f"""{HEADER}2026-09,EUR,USD,1.1,ECB
2026-10,EUR,USD,1.25,"ECB, 30 October"
2026-10,USD,EUR,0.8,ECB
"""
RATES = rates_of(TABLE, "rates.csv")

amounts = st.decimals(min_value="0.000000000001", max_value=200, places=12, allow_nan=False)
tables = st.builds(
    lambda september, october: Rates(
        "rates.csv",
        "",
        {
            (month, "EUR", "USD"): Rate(month, "EUR", "USD", rate, "ECB")
            for month, rate in ((SEPTEMBER, september), (OCTOBER, october))
        },
    ),
    amounts,
    amounts,
)


def told(found: list[Line], request: Request, rates: Rates) -> tuple[tuple[Row, ...], tuple[Total, ...], tuple[Rate, ...]]:
    with marts_of_lines(found) as connection:
        rows, _ = asked(connection, by_month(request))
    return converted(request, rows, rates)


@settings(max_examples=50, deadline=None)
@given(found=st.lists(lines, max_size=12), question=requests(), rates=tables)
def test_converted_costs_are_what_a_fold_comes_to(found: list[Line], question: Request, rates: Rates) -> None:
    request = replace(question, currency=None, into="USD", rates=rates)

    rows, totals, used = told(found, request, rates)

    expected: dict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    for line in chosen(found, replace(request, currency=None), request.range):
        rate = Decimal(1) if line.currency == "USD" else rates.known[line.month, "EUR", "USD"].rate
        expected[group_of(line, request)] += line.cost * rate
    shown: dict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    for row in rows:
        if not row.is_others:
            shown[row.values] += row.cost
    assert all(expected[group] == cost for group, cost in shown.items())
    assert sum((row.cost for row in rows), Decimal(0)) == sum(expected.values(), Decimal(0))
    assert sum((total.cost for total in totals), Decimal(0)) == sum(expected.values(), Decimal(0))
    assert {row.currency_code for row in rows} <= {"USD"}
    assert all(rate == rates.known[rate.month, rate.base, rate.into] for rate in used)


@settings(max_examples=40, deadline=None)
@given(found=st.lists(lines.map(lambda line: replace(line, currency="USD")), max_size=12), question=requests())
def test_where_nothing_needs_converting_the_answer_is_the_core_s_own(found: list[Line], question: Request) -> None:
    request = replace(question, currency=None, into="USD", rates=RATES)
    with marts_of_lines(found) as connection:
        alone = asked(connection, replace(question, currency=None))

    rows, totals, used = told(found, request, RATES)

    assert (rows, totals, used) == (*alone, ())


def line(month: date, currency: str, cost: str, service: str = "AmazonEC2") -> Line:
    return Line(month, month, "1", service, currency, Decimal(cost))


def test_each_bill_is_converted_at_its_own_month_s_rate_and_they_are_ranked_together() -> None:
    found = [
        line(SEPTEMBER, "EUR", "10"),
        line(OCTOBER, "EUR", "4", "AmazonS3"),
        line(OCTOBER, "USD", "3"),
        line(OCTOBER, "USD", "1", "AmazonRDS"),
    ]
    request = Request(
        bill_of(OCTOBER), groups=("service",), compare=Compare.PREVIOUS, top=1, order=Order.MOST, into="USD", rates=RATES
    )

    rows, (total,), used = told(found, request, RATES)

    assert [(row.values, row.cost, row.before, row.groups) for row in rows] == [
        (("AmazonS3",), Decimal(5), Decimal(0), 1),
        ((), Decimal(4), Decimal(11), 2),
    ]
    assert (total.cost, total.before, total.line_item_count) == (Decimal(9), Decimal(11), 3)
    assert [(rate.month, rate.rate, rate.source) for rate in used] == [
        (SEPTEMBER, Decimal("1.1"), "ECB"),
        (OCTOBER, Decimal("1.25"), "ECB, 30 October"),
    ]


def test_a_missing_rate_is_an_error_that_says_what_to_add() -> None:
    request = Request(Range(SEPTEMBER, NOVEMBER), into="EUR", rates=RATES)
    nothing = told([line(SEPTEMBER, "USD", "0")], request, RATES)

    with pytest.raises(NoRate) as caught:
        told([line(SEPTEMBER, "USD", "2"), line(OCTOBER, "USD", "2")], request, RATES)

    assert caught.value.problem == "There is no rate of 2026-09 from USD to EUR."
    assert caught.value.fix == "Add a line to rates.csv: 2026-09,USD,EUR,RATE,SOURCE."
    assert [total.cost for total in nothing[1]] == [Decimal(0)]


def test_a_currency_is_converted_into_only_where_rates_are() -> None:
    question = Request(bill_of(OCTOBER))

    assert in_currency(question, "EUR", None) == replace(question, currency="EUR")
    assert in_currency(question, "EUR", RATES) == replace(question, into="EUR", rates=RATES)
    assert in_currency(question, None, RATES) == question
    usage = Request(bill_of(OCTOBER), basis="usage")
    assert in_currency(usage, "EUR", RATES) == replace(usage, currency="EUR")
    with pytest.raises(ConfigurationError, match="is no currency"):
        in_currency(question, "euro", RATES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("month,from,to,rate\n", "line 1: the header is 'month,from,to,rate'"),
        (f"{HEADER}2026-10,USD,EUR,0.9\n", "line 2: it has 4 values"),
        (f"{HEADER}2026-13,USD,EUR,0.9,ECB\n", "line 2: month '2026-13' is not YYYY-MM"),
        (f"{HEADER}2026-10,USD,USD,1,ECB\n", "are not two codes"),
        (f"{HEADER}2026-10,USD,EUR,9e-1,ECB\n", "rate '9e-1' is no positive decimal"),
        (f"{HEADER}2026-10,USD,EUR,0.0,ECB\n", "rate '0.0' is no positive decimal"),
        (f"{HEADER}2026-10,USD,EUR,0.9,\n", "nothing says where the rate is from"),
        (f"{HEADER}2026-10,USD,EUR,0.9,ECB\n\n2026-10,USD,EUR,0.8,ECB\n", "line 4: 2026-10 has a rate from USD to EUR already"),
        (f'{HEADER}2026-10,USD,EUR,0.9,"ECB\n', "rates.csv, line"),
    ],
)
def test_a_wrong_line_of_the_table_is_named(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        rates_of(text, "rates.csv")

    assert says in caught.value.problem
