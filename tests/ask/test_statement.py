"""Single questions, with answers worked out by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from cost_lakehouse.ask.request import Compare, Condition, Granularity, Range, Request, conditions_of
from cost_lakehouse.ask.statement import tables_of
from cost_lakehouse.errors import ConfigurationError
from tests.ask.marts import Line, asked, marts_of_lines

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
BILL = Range(OCTOBER, NOVEMBER, of_bills=True)


def line(day: int, service: str | None, cost: str, **more: object) -> Line:
    return Line(date(2026, 10, day), OCTOBER, "1", service, "USD", Decimal(cost), **more)  # type: ignore[arg-type]


def test_the_top_two_and_others_add_up_to_the_bill() -> None:
    bill = [line(1, "EC2", "10"), line(2, "EC2", "5"), line(1, "S3", "7"), line(3, None, "2"), line(4, "Tax", "-1")]

    with marts_of_lines(bill) as connection:
        rows, (total,) = asked(connection, Request(BILL, groups=("service",), top=2))

    assert [(row.values, row.cost, row.groups, row.is_others) for row in rows] == [
        (("EC2",), Decimal(15), 1, False),
        (("S3",), Decimal(7), 1, False),
        ((), Decimal(1), 2, True),
    ]
    assert (total.cost, total.line_item_count) == (Decimal(23), 5)


def test_days_of_the_month_before_stand_beside_the_days_they_are_compared_with() -> None:
    bill = [line(5, "EC2", "10"), Line(date(2026, 9, 5), date(2026, 9, 1), "1", "EC2", "USD", Decimal(4))]

    with marts_of_lines(bill) as connection:
        rows, _ = asked(connection, Request(BILL, granularity=Granularity.DAY, compare=Compare.PREVIOUS))

    assert [(row.bucket, row.cost, row.before, row.change) for row in rows] == [
        (date(2026, 10, 5), Decimal(10), Decimal(4), Decimal(6))
    ]


def test_a_bill_holds_what_was_used_on_days_outside_its_month_and_a_range_of_days_does_not() -> None:
    bill = [Line(date(2026, 9, 30), OCTOBER, "1", "Domain", "USD", Decimal(12)), line(1, "EC2", "1")]

    with marts_of_lines(bill) as connection:
        _, (of_bill,) = asked(connection, Request(BILL))
        _, (of_days,) = asked(connection, Request(Range(OCTOBER, NOVEMBER)))

    assert (of_bill.cost, of_days.cost) == (Decimal(13), Decimal(1))


def test_an_account_has_the_name_of_the_day() -> None:
    accounts = [
        ("1", "old name", "Unit", "Root/Unit", '{"owner": "ann"}', date(1970, 1, 1), date(2026, 10, 9)),
        ("1", "new name", "Unit", "Root/Unit", None, date(2026, 10, 10), date(9999, 12, 31)),
    ]

    with marts_of_lines([line(9, "EC2", "1"), line(10, "EC2", "2")], accounts) as connection:
        rows, _ = asked(connection, Request(BILL, groups=("account_name", "account_tag:owner")))

    assert [(row.values, row.cost) for row in rows] == [(("new name", None), Decimal(2)), (("old name", "ann"), Decimal(1))]


@pytest.mark.parametrize("key", ["team", "a/b~c"])
def test_a_tag_has_any_key(key: str) -> None:
    with marts_of_lines([line(1, "EC2", "1", team="odd"), line(2, "EC2", "2")]) as connection:
        rows, _ = asked(connection, Request(BILL, groups=(f"tag:{key}",)))

    assert [(row.values, row.cost) for row in rows] == [((None,), Decimal(2)), (("odd",), Decimal(1))]


def test_hostile_values_are_values() -> None:
    evil = "x') or 1=1; drop table marts.daily_costs; --"

    with marts_of_lines([line(1, "EC2", "1")]) as connection:
        none, _ = asked(connection, Request(BILL, groups=("service",), filters=(Condition("service", (evil,)),)))
        tagged, _ = asked(connection, Request(BILL, groups=(f"tag:{evil}",)))

    assert none == ()
    assert [(row.values, row.cost) for row in tagged] == [((None,), Decimal(1))]


def test_the_small_mart_is_asked_where_it_has_everything() -> None:
    assert tables_of(Request(BILL, groups=("service", "account"))) == ("daily_costs",)
    assert tables_of(Request(BILL, groups=("tag:team",))) == (
        "aws_daily_summary",
        "oci_daily_summary",
        "focus_daily_summary",
        "lakehouse_daily_summary",
    )
    assert tables_of(Request(BILL, groups=("unit",)))[-1] == "aws_accounts"
    assert len(tables_of(Request(BILL, basis="list"))) == 4


def test_conditions_are_read_as_people_write_them() -> None:
    assert conditions_of(["service=AmazonEC2,AmazonS3", "tag:team~re=d"]) == (
        Condition("service", ("AmazonEC2", "AmazonS3")),
        Condition("tag:team", ("re=d",), contains=True),
    )


def test_a_value_with_a_comma_stands_in_quotes() -> None:
    assert conditions_of(['account_name="Acme, Inc.",Globex', "region=", 'tag:note~say "x"', "region=,eu-west-1"]) == (
        Condition("account_name", ("Acme, Inc.", "Globex")),
        Condition("region", ("",)),
        Condition("tag:note", ('say "x"',), contains=True),
        Condition("region", ("", "eu-west-1")),
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: conditions_of(["service"]), "is no condition"),
        (lambda: conditions_of(['service="Amazon']), "does not end where its quotes do"),
        (lambda: conditions_of(["colour=red"]), "no dimension 'colour'"),
        (lambda: Request(BILL, groups=("tag:",)), "no dimension 'tag:'"),
        (lambda: Request(BILL, basis="gross"), "no basis 'gross'"),
        (lambda: Request(BILL, top=3), "groups of nothing"),
        (lambda: Request(BILL, groups=("service", "service")), "stands twice"),
        (lambda: Request(BILL, groups=("service", "account", "region", "type", "payer")), "5 groups are too many"),
        (lambda: Range(NOVEMBER, OCTOBER), "Nothing lies between"),
        (lambda: Range(OCTOBER, date(2026, 10, 9), of_bills=True), "whole months"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(wrong: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        wrong()  # type: ignore[operator]

    assert said in raised.value.problem
    assert raised.value.fix


def test_a_condition_may_hold_by_another_dimension_instead() -> None:
    bill = [line(1, "AmazonEC2", "10"), line(2, "AmazonS3", "7", team="red"), line(3, "AWSLambda", "2"), line(4, None, "1")]
    either = Condition(
        "service", ("AmazonEC2",), either=(Condition("service", ("LAMBDA",), True), Condition("tag:team", ("red",)))
    )

    with marts_of_lines(bill) as connection:
        _, (kept,) = asked(connection, Request(BILL, filters=(either,)))
        _, (left,) = asked(connection, Request(BILL, excludes=(either,)))

    assert (kept.cost, left.cost) == (Decimal(19), Decimal(1))
