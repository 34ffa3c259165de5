"""Which months ``--as-of invoiced`` can tell of, worked out by hand."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from cost_lakehouse.ask.bills import may_be_of, months_of
from cost_lakehouse.ask.ranges import bill_of
from cost_lakehouse.ask.request import Compare, Request, conditions_of
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.invoiced import AsInvoiced
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.table_by_month import VersionByMonth, relation_at
from cost_lakehouse.proof.invoiced import as_invoiced_of
from cost_lakehouse.summaries.first_invoiced import KnownLoad, is_newly_invoiced

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
ACME, ORACLE = Slice("acme", OCTOBER), Slice("oracle", OCTOBER)
EARLIER = Slice("acme", SEPTEMBER)
NOON = datetime(2026, 11, 3, 12)
MOMENTS = {ACME: NOON, EARLIER: datetime(2026, 10, 3)}
PUBLISHED = {
    ACME: [{"bill_state": "corrected"}],
    ORACLE: [{"bill_state": "estimated"}],
    EARLIER: [{"bill_state": "invoiced"}],
    Slice("globex", SEPTEMBER): [{"bill_state": "invoiced"}],
}
BILLS = bill_of(OCTOBER)


def asked_of(asked: Request) -> AsInvoiced:
    return as_invoiced_of(months_of(asked), lambda source: may_be_of(asked, source), MOMENTS, PUBLISHED)


@pytest.mark.parametrize(
    "asked",
    [
        Request(BILLS, filters=conditions_of(["source=acme"])),
        Request(BILLS, filters=conditions_of(["source~ACM", "service=AmazonEC2"])),
        Request(BILLS, excludes=conditions_of(["source=oracle"])),
    ],
    ids=["named", "in-part", "left-out"],
)
def test_the_bills_that_a_question_is_about_are_shown_as_they_were_first_invoiced(asked: Request) -> None:
    assert asked_of(asked).moments == {ACME: NOON}


def test_what_is_compared_is_shown_as_it_was_first_invoiced_too() -> None:
    asked = Request(BILLS, filters=conditions_of(["source=acme"]), compare=Compare.PREVIOUS)
    assert asked_of(asked).moments == MOMENTS


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Request(BILLS), r"oracle 2026-10 was never invoiced: it is estimated\..*Leave it out"),
        (Request(bill_of(SEPTEMBER)), r"globex 2026-09 is invoiced, and how it was first invoiced is not kept any more"),
        (Request(bill_of(date(2026, 8, 1))), r"No bill of 2026-08 is published"),
    ],
    ids=["never", "expired", "unknown"],
)
def test_a_month_without_such_a_state_is_told_and_nothing_is_answered(asked: Request, said: str) -> None:
    with pytest.raises(LakeError, match=said):
        asked_of(asked)


def load(day: int, invoiced: bool = False, current: bool = False) -> KnownLoad:
    return KnownLoad(datetime(2026, 11, day), invoiced, current)


@pytest.mark.parametrize(
    ("state", "loads", "published", "is_new"),
    [
        ("invoiced", [load(1, True, True)], [], True),
        ("invoiced", [load(1), load(2, True, True)], [("open", 1)], True),
        ("invoiced", [load(1, True), load(2, True, True)], [("invoiced", 1)], False),
        # Loaded twice before it was built: the first was never published.
        ("corrected", [load(1), load(2, True), load(3, True, True)], [("open", 1)], True),
        # A refund in the middle of the month is no invoice, and nor is what comes back to open.
        ("corrected", [load(1, False, True)], [], False),
        ("corrected", [load(1), load(2, True, True)], [("corrected", 1)], True),
        ("corrected", [load(1, True), load(2), load(3, True, True)], [("open", 2)], False),
        ("open", [load(1, False, True)], [], False),
    ],
    ids=["at-once", "then", "again", "unseen", "refund", "refund-then", "back", "open"],
)
def test_a_month_is_invoiced_for_the_first_time_once(
    state: str, loads: list[KnownLoad], published: list[tuple[str, int]], is_new: bool
) -> None:
    rows = [{"bill_state": name, "loaded_at": datetime(2026, 11, day)} for name, day in published]
    assert is_newly_invoiced(state, loads, rows) is is_new


def test_trino_reads_each_month_at_its_snapshot_with_the_columns_of_all() -> None:
    columns = (("source", "varchar"), ("tags", "map(varchar, varchar)"))
    version = VersionByMonth(
        columns, ((7, frozenset({"source", "tags"}), "a"), (8, frozenset({"source"}), "b"), (None, frozenset(), "c"))
    )
    assert relation_at("marts.x", version) == (
        '(select "source", "tags" from marts.x for version as of 7 where a union all '
        'select "source", cast(null as map(varchar, varchar)) as "tags" from marts.x for version as of 8 where b union all '
        'select cast(null as varchar) as "source", cast(null as map(varchar, varchar)) as "tags" from marts.x where false)'
    )
