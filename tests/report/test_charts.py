"""Bars of days: as high as what they cost, stacked, and below zero where something was credited."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from cost_lakehouse.ask.answer import Row
from cost_lakehouse.report.charts import HEIGHT, daily_chart
from cost_lakehouse.report.contents import movers_of, share

FIRST, SECOND = date(2026, 10, 1), date(2026, 10, 2)


def row(
    day: date | None, name: str | None, cost: str, before: str | None = None, lines: int = 1, *, others: bool = False
) -> Row:
    compared = None if before is None else Decimal(before)
    return Row(day, () if others else (name,), "USD", Decimal(cost), compared, lines, others, 3 if others else 1)


def test_bars_are_stacked_in_the_order_of_their_groups_and_credits_hang_below_zero() -> None:
    chart = daily_chart(
        [
            row(FIRST, "EC2", "60"),
            row(FIRST, "S3", "30"),
            row(SECOND, None, "-10"),
            row(FIRST, None, "0"),
            row(SECOND, "", "5", others=True),
        ],
        "service",
    )

    assert chart.legend == ("EC2", "S3", "No service", "Others")
    ec2, s3, credit, others = chart.pieces
    assert round(ec2.height / s3.height, 6) == 2
    assert round(s3.y + s3.height, 6) == round(ec2.y, 6)
    assert round(ec2.y + ec2.height, 6) == round(credit.y, 6) == round(others.y + others.height, 6) == round(chart.zero, 6)
    assert ec2.x == s3.x < credit.x == others.x
    assert ec2.title == "2026-10-01, EC2: 60.00"
    assert all(piece.y >= 0 and piece.y + piece.height <= HEIGHT for piece in chart.pieces)


def test_a_month_that_cost_nothing_is_drawn_too() -> None:
    chart = daily_chart([row(FIRST, "EC2", "0")], "service")

    assert chart.pieces == ()
    assert [label.text for label in chart.days] == ["1.10."]


def test_what_moved_most_comes_first_either_way() -> None:
    rows = [
        row(None, "EC2", "10", "9"),
        row(None, "New", "4", "0"),
        row(None, "Gone", "0", "7", lines=0),
        row(None, "Same", "3", "3"),
    ]

    assert [(mover.name, mover.kind, mover.row.change) for mover in movers_of(rows)] == [
        ("Gone", "gone", Decimal(-7)),
        ("New", "new", Decimal(4)),
        ("EC2", "up", Decimal(1)),
    ]


def test_a_share_of_a_negative_whole_keeps_its_sign() -> None:
    assert share(Decimal(1), Decimal(-4)) == Decimal(25)
    assert share(Decimal(1), Decimal(0)) is None
