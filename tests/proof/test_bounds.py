"""Which two deliveries a comparison is of, worked out by hand."""

from __future__ import annotations

from datetime import datetime

import pytest

from cost_lakehouse.errors import ConfigurationError, CostLakehouseError
from cost_lakehouse.proof.changes import Loaded, dimensions_of
from cost_lakehouse.proof.diff import Bounds, bounds_of, moment_of

FIRST, SECOND, THIRD = (Loaded(datetime(2026, 11, day, 12), name) for day, name in ((1, "a"), (2, "b"), (3, "c")))
LOADS = [FIRST, SECOND, THIRD]


def test_without_a_word_the_last_delivery_is_compared_with_the_one_before() -> None:
    assert bounds_of(LOADS) == Bounds(SECOND, THIRD)
    assert bounds_of([FIRST]) == Bounds(None, FIRST)
    assert bounds_of(LOADS, last="b") == Bounds(FIRST, SECOND)
    assert bounds_of(LOADS, last="a") == Bounds(None, FIRST)
    assert bounds_of(LOADS, first="a") == Bounds(FIRST, THIRD)


def test_a_day_means_what_was_known_when_it_began() -> None:
    assert bounds_of(LOADS, since=moment_of("2026-11-03")) == Bounds(SECOND, THIRD)
    assert bounds_of(LOADS, since=moment_of("2026-11-03T13:00+01:00")) == Bounds(THIRD, THIRD)
    assert bounds_of(LOADS, since=moment_of("2026-10-01")) == Bounds(None, THIRD)


def test_a_delivery_that_came_twice_means_the_last_time() -> None:
    again = Loaded(datetime(2026, 11, 4), "a")
    assert bounds_of([*LOADS, again], first="c", last="a") == Bounds(THIRD, again)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [("c", "a", "c was loaded after a"), ("x", None, "know no delivery x"), (None, "y", "know no delivery y")],
    ids=["backwards", "from", "to"],
)
def test_what_cannot_be_compared_is_refused(first: str | None, last: str | None, said: str) -> None:
    with pytest.raises(CostLakehouseError, match=said):
        bounds_of(LOADS, first=first, last=last)


def test_wrong_words_are_told_with_those_that_are_right() -> None:
    assert dimensions_of("type, day,type") == ("line_item_type", "usage_date")
    with pytest.raises(ConfigurationError, match=r"'colour'.*day, account, service, type"):
        dimensions_of("service,colour")
    with pytest.raises(ConfigurationError, match="'yesterday' is no moment"):
        moment_of("yesterday")
    with pytest.raises(ConfigurationError, match="--since and --from"):
        bounds_of(LOADS, since=datetime(2026, 11, 1), first="a")
