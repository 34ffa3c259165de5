"""What is read: no longer than allowed and no more rows, and tables that are there, or would have no rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from time import monotonic

import pytest

from cost_lakehouse.ask.asking import answer, newest_month
from cost_lakehouse.ask.ranges import bill_of
from cost_lakehouse.ask.reading import Limits, TooMuchAsked, reading
from cost_lakehouse.ask.request import Request
from cost_lakehouse.ask.statement import Statement
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from tests.builders import Workshop
from tests.serve.conftest import small_lake

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


@pytest.fixture(scope="module")
def older_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake whose marts were last built when there were no costs of other lakehouses."""
    lake = small_lake(tmp_path_factory.mktemp("older"))
    lake.catalog.drop_table("marts.lakehouse_daily_summary")
    return lake


def test_a_summary_that_was_never_needed_has_no_rows(older_lake: Lake) -> None:
    found = answer(older_lake, Request(bill_of(date(2026, 10, 1)), groups=("type",), currency="USD"))

    assert [(row.values, row.cost) for row in found.rows] == [(("Usage",), Decimal("24.5")), (("Tax",), Decimal(1))]
    assert "marts.lakehouse_daily_summary" not in found.snapshots


def test_a_summary_that_bills_were_loaded_for_must_be_published(tmp_path: Path) -> None:
    lake = small_lake(tmp_path)
    lake.catalog.drop_table("marts.aws_daily_summary")

    with pytest.raises(LakeError, match=r"There is no table marts\.aws_daily_summary yet\. Run `cost-lakehouse run`"):
        answer(lake, Request(bill_of(date(2026, 10, 1)), groups=("type",)))


def test_before_anything_is_summarised_nothing_is_answered(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="There is no table"):
        answer(Workshop(tmp_path).lake, Request(bill_of(date(2026, 10, 1)), groups=("type",)))


def test_the_newest_month_is_that_of_the_newest_bill(older_lake: Lake) -> None:
    assert newest_month(older_lake) == date(2026, 10, 1)
