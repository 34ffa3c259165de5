"""An answer takes no longer than allowed, and has no more rows: else there is none."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from cost_lakehouse.ask.reading import Limits, TooMuchAsked, reading
from cost_lakehouse.ask.statement import Statement
from tests.builders import Workshop

ENDLESS = Statement("select count(*) from range(10000000) a, range(10000000) b where (a.range * b.range) % 7 = 3")


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    lake = Workshop(tmp_path).lake
    began = monotonic()

    with (
        pytest.raises(TooMuchAsked, match=r"The answer took longer than 0\.3 seconds"),
        reading(lake, {}, Limits(seconds=0.3)) as (fetch, _),
    ):
        fetch(ENDLESS)

    assert monotonic() - began < 30


def test_no_part_of_too_many_rows_is_given(tmp_path: Path) -> None:
    lake = Workshop(tmp_path).lake

    with reading(lake, {}, Limits(rows=3)) as (fetch, _):
        assert len(fetch(Statement("from range(3)"))) == 3
        with pytest.raises(TooMuchAsked, match="more than 3 rows"):
            fetch(Statement("from range(4)"))
