"""How long days keep growing, measured on ledgers that are reckoned by hand."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from cost_lakehouse.lake.tables import COST_CHANGE_COLUMNS, COST_CHANGES
from cost_lakehouse.proof.settling import DayChange, refresh_settling, settling_days, settling_of
from tests.builders import Workshop

FIRST = date(2026, 10, 1)


def changes(days: int, *steps: tuple[int, str], source: str = "acme", currency: str = "USD") -> list[DayChange]:
    """Every one of so many days is changed so many days after it, by so much."""
    return [
        DayChange(source, currency, day, datetime.combine(day + timedelta(days=lag), time(18)), Decimal(amount))
        for number in range(days)
        for day in [FIRST + timedelta(days=number)]
        for lag, amount in steps
    ]


def alive(source: str = "acme") -> DayChange:
    """A delivery long after, so that every day is old enough; its own day is not."""
    return DayChange(source, "USD", date(2026, 12, 1), datetime(2026, 12, 1, 12), Decimal(1))


def test_what_was_known_of_a_day_is_measured_day_by_day() -> None:
    # 10 of the final 100 came on the day itself, 85 a day later, 4.5 after two, 0.5 after three; day 12's refund is no growth.
    steps = [(0, "10"), (1, "85"), (2, "4.5"), (3, "0.5"), (12, "-50")]
    rows = settling_of([*changes(8, *steps), alive()])

    assert [(row.days_after, row.known_cost, row.usual_growth, row.is_settled) for row in rows[:5]] == [
        (0, Decimal(80), Decimal("0.900000"), False),
        (1, Decimal(760), Decimal("0.050000"), False),
        (2, Decimal(796), Decimal("0.005000"), True),
        (3, Decimal(800), Decimal(0), True),
        (4, Decimal(800), Decimal(0), True),
    ]
    assert {(row.days, row.final_cost) for row in rows} == {(8, Decimal(800))}
    assert settling_days(rows, "acme") == 2
    assert settling_days(rows, "globex") == 2  # nothing is known of it: the default


def test_one_slow_day_in_ten_is_not_the_rule_and_two_are() -> None:
    quick = changes(9, (0, "1"))
    slow = [DayChange("acme", "USD", FIRST + timedelta(days=9), datetime(2026, 10, 15), Decimal(1))]
    once = [DayChange("acme", "USD", FIRST + timedelta(days=9), datetime(2026, 10, 10, 18), Decimal(1)), *slow]
    assert settling_days(settling_of([*quick, *once, alive()]), "acme") == 0
    twice = [DayChange("acme", "USD", FIRST, datetime(2026, 10, 6), Decimal(1))]
    assert settling_days(settling_of([*quick, *once, *twice, alive()]), "acme") == 5


def test_backfills_young_days_and_days_that_cost_nothing_say_nothing() -> None:
    assert settling_of([*changes(30, (4, "1")), alive()]) == []  # first seen after four days
    assert settling_of([*changes(30, (0, "1"), (1, "-1")), alive()]) == []
    assert settling_of([*changes(6, (0, "1")), alive()]) == []  # not a week
    # Nothing came after the 30th: its last ten days may still grow.
    assert {row.days for row in settling_of(changes(30, (0, "1")))} == {20}


def test_sources_and_currencies_are_measured_apart_and_the_slowest_currency_counts() -> None:
    rows = settling_of(
        [
            *changes(7, (0, "1")),
            *changes(7, (0, "1"), (3, "1"), currency="EUR"),
            *changes(7, (0, "1"), (1, "1"), source="globex"),
            alive(),
            alive("globex"),
        ]
    )
    assert (settling_days(rows, "acme"), settling_days(rows, "globex")) == (3, 1)
    assert {(row.source, row.currency_code, row.final_cost) for row in rows} == {
        ("acme", "USD", Decimal(7)),
        ("acme", "EUR", Decimal(14)),
        ("globex", "USD", Decimal(14)),
    }


def test_what_is_measured_of_usage_is_a_mart_which_is_written_only_when_it_differs(tmp_path: Path) -> None:
    lake = Workshop(tmp_path).lake
    today = date(2026, 12, 1)
    assert not refresh_settling(lake, today)  # the ledger is empty yet
    slice_ = Slice("acme", FIRST)
    ledger = [
        {
            **dict.fromkeys(COST_CHANGE_COLUMNS.names),
            **{name: getattr(change, name) for name in ("source", "usage_date", "changed_at", "currency_code")},
            "billing_period": FIRST,
            "line_item_type": kind,
            "billed_cost": change.billed_cost_change,
        }
        for change in [*changes(8, (0, "1"), (1, "1")), alive()]
        for kind in ("Usage", "Tax")
    ]
    replace_rows(lake, COST_CHANGES, COST_CHANGE_COLUMNS, {slice_: ledger})

    assert refresh_settling(lake, today)
    before = lake.table("marts.settling").metadata.current_snapshot_id
    assert not refresh_settling(lake, today)
    assert lake.table("marts.settling").metadata.current_snapshot_id == before
    with connect(lake, ["marts.settling"]) as connection:
        rows = connection.execute(
            "select days_after, known_cost, final_cost, usual_growth, is_settled from marts.settling"
        ).fetchall()
    # Tax would make it 32.
    assert sorted(rows)[:2] == [(0, 8, 16, Decimal("0.5"), False), (1, 16, 16, 0, True)]
    # A year later all of it is too old to tell.
    assert refresh_settling(lake, date(2027, 12, 1))
    with connect(lake, ["marts.settling"]) as connection:
        assert connection.execute("select count(*) from marts.settling").fetchall() == [(0,)]
