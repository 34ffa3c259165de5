"""What a load took, and how it is shared among the months that it touched."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cost_lakehouse.loading.effort import Effort, divided


@pytest.mark.parametrize(
    ("whole", "weights", "shares"),
    [
        (10, [1, 1, 1], [3, 3, 4]),
        (10, [0, 5], [0, 10]),
        (7, [0, 0], [3, 4]),
        (0, [2, 3], [0, 0]),
        (5, [3], [5]),
        (5, [], []),
    ],
    ids=["thirds", "one", "none", "nothing", "whole", "empty"],
)
def test_a_whole_is_divided_without_a_rest(whole: int, weights: list[int], shares: list[int]) -> None:
    assert divided(whole, weights) == shares


def test_the_shares_of_an_effort_add_up_to_it_to_the_last_digit() -> None:
    effort = Effort(1001, 7, 10_000_001, Decimal("0.00005000000500000001"))

    first, second = effort.shares([2, 1])

    assert first == Effort(667, 4, 6_666_667, Decimal("0.00003333333666666667"))
    assert second.columns == {
        "seconds": Decimal("0.334"),
        "requests": 3,
        "athena_bytes": 3_333_334,
        "athena_cost_usd": Decimal("0.00001666666833333334"),
    }
