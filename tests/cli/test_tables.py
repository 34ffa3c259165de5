"""Tables fit their terminal: nothing is folded inside a cell, ids are shortened, what matters least goes first."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cost_lakehouse.cli.tables import Column, lay_out, rounded, shortened, vertical

COLUMNS = (
    Column("source"),
    Column("month"),
    Column("delivery", "id", 2),
    Column("rows", "number", 1),
    Column("cost", "number"),
    Column("why", "note"),
)
ROW = ("acme-payer", "2026-10", "20261103T040211Z-6b622448-daaa", "1,234,567", "123456789.12 USD", "")


def test_without_a_terminal_everything_is_there_whole() -> None:
    layout = lay_out(COLUMNS, [(*ROW[:5], "a long reason " * 20)], None)
    assert layout.lines[2].startswith(
        "acme-payer  2026-10  20261103T040211Z-6b622448-daaa  1,234,567  123456789.12 USD  a long"
    )
    assert (layout.left_out, layout.notes) == ([], [])


@pytest.mark.parametrize(
    ("width", "line", "left_out"),
    [
        (120, "acme-payer  2026-10  20261103T040211Z-6b622448-daaa  1,234,567  123456789.12 USD", []),
        (70, "acme-payer  2026-10  2026110…-daaa  1,234,567  123456789.12 USD", []),
        (60, "acme-payer  2026-10  1,234,567  123456789.12 USD", ["delivery"]),
        (40, "acme-payer  2026-10  123456789.12 USD", ["delivery", "rows"]),
        (20, "acme-payer  2026-10  123456789.12 USD", ["delivery", "rows"]),
    ],
    ids=["wide", "ids", "one", "two", "never-less"],
)
def test_the_least_important_columns_are_left_out_first(width: int, line: str, left_out: list[str]) -> None:
    layout = lay_out(COLUMNS, [ROW], width)
    assert layout.lines[2].rstrip() == line
    assert layout.left_out == left_out


def test_a_sentence_that_does_not_fit_stands_below() -> None:
    layout = lay_out(COLUMNS, [ROW, (*ROW[:5], "the second row's reason")], 90)
    assert layout.notes == [(1, "the second row's reason")]
    assert "why" not in layout.lines[0]
    assert lay_out(COLUMNS, [(*ROW[:5], "short")], 120).lines[2].endswith("USD  short")


def test_wide_characters_count_two_cells_and_lines_stay_lines() -> None:
    layout = lay_out((Column("a"), Column("b", "number")), [("世界", 1), ("x\ny", 22)], 80)
    assert layout.lines == ["a      b", "────────", "世界   1", "x⏎y   22"]


def test_an_id_keeps_both_ends() -> None:
    assert shortened("0123456789abcdef") == "0123456…bcdef"
    assert shortened("0123456789abc") == "0123456789abc"


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1.005", "1.00"), ("1.015", "1.02"), ("-0.004", "0.00"), ("-0.006", "-0.01"), ("12", "12.00"), ("1E+3", "1000.00")],
    ids=range(6),
)
def test_amounts_are_rounded_to_cents_half_even(amount: str, text: str) -> None:
    assert rounded(Decimal(amount)) == text


def test_a_record_is_shown_a_value_a_line() -> None:
    assert vertical(["a", "long name"], [("1", None), ("2", "x")]) == [
        "── 1 ─────────",
        "a          1",
        "long name",
        "── 2 ─────────",
        "a          2",
        "long name  x",
    ]
