"""What an agent gets of rows and texts, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.mcp.capped import capped
from cost_lakehouse.mcp.text import as_data, shown
from cost_lakehouse.proof.cells import cell_where

COLUMNS = {"usage_date": "date", "service": "string", "is_correction": "boolean", "billed_cost": "decimal(38, 20)"}


def test_what_is_left_out_is_added_up_by_currency() -> None:
    rows = [
        {"service": "a", "currency": "USD", "cost": "5.10", "lines": 2},
        {"service": "b", "currency": "USD", "cost": "0.00000000000000000001", "lines": 1},
        {"service": "c", "currency": "EUR", "cost": "7", "lines": 1},
        {"service": "d", "currency": "USD", "cost": "-1", "lines": 4},
    ]

    assert capped(rows, ("cost", "lines"), "currency", most=1) == [
        {"service": "a", "currency": "USD", "cost": "5.10", "lines": 2, "others": 0},
        {"currency": "USD", "cost": "-0.99999999999999999999", "lines": 5, "others": 2},
        {"currency": "EUR", "cost": "7", "lines": 1, "others": 1},
    ]


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    rows: list[dict[str, object]] = [{"cost": "1"}, {"cost": "2"}, {"cost": None}]

    assert capped(rows, ("cost",), most=1)[-1] == {"cost": None, "others": 2}


def test_few_rows_stay_as_they_are() -> None:
    assert capped([{"cost": "1"}], ("cost",), most=1) == [{"cost": "1", "others": 0}]


@given(st.text())
def test_no_character_of_a_text_is_invisible(text: str) -> None:
    assert all(character.isprintable() or character == "\u3000" or character.isspace() for character in shown(text))
    assert not {"\n", "\r", "\u202e", "\u200b", "\x1b"} & set(shown(text))


def test_hidden_characters_are_written_out_and_long_texts_cut() -> None:
    assert shown("a\u202eb\n\U000e0041é") == "a\\u202eb\\u000a\\U000e0041é"
    assert shown("x" * 300) == "x" * 256 + "… (300 characters)"
    assert as_data({"t\u200bag": ["\x1b[2J", 1, None]}) == {"t\\u200bag": ["\\u001b[2J", 1, None]}


def test_a_cell_is_asked_by_values_that_cannot_leave_their_quotes() -> None:
    cell = cell_where("daily_costs", COLUMNS, {"usage_date": "2026-10-01", "service": "x' or '1'='1"}, "billed_cost")

    assert cell.condition == "usage_date = date '2026-10-01' and coalesce(service, '') = 'x'' or ''1''=''1'"


@pytest.mark.parametrize(
    ("equal", "says"),
    [
        ({"1=1 --": "x"}, "has no column '1=1 --'"),
        ({"usage_date": "today"}, "is no day"),
        ({"billed_cost": "1"}, "cannot be asked for"),
        ({"is_correction": "1 or true"}, "cannot be asked for"),
    ],
)
def test_what_is_no_value_of_a_column_is_refused(equal: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        cell_where("daily_costs", COLUMNS, equal, "billed_cost")
