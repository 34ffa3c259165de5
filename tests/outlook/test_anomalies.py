"""Which days are found, by hand; and on many series, that planted ones are and others are not."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from benchmarks.anomalies import score
from cost_lakehouse.outlook.anomalies import Anomaly, Thresholds, anomalies, contributors
from cost_lakehouse.outlook.series import Series

BEGIN = date(2026, 8, 3)  # a Monday
WEEKLY = [Decimal(amount) for amount in (100, 102, 98, 101, 99, 40, 20)]


def series(**changes: str) -> Series:
    """Ten weeks; ``d60="900"`` is what day 60 costs."""
    amounts = WEEKLY * 10
    for name, amount in changes.items():
        amounts[int(name[1:])] = Decimal(amount)
    return Series(BEGIN, tuple(amounts))


def test_days_that_are_like_their_weekday_are_none() -> None:
    assert anomalies(series(), BEGIN, Thresholds()) == []


def test_days_in_a_row_are_one_with_their_impact() -> None:
    found = anomalies(series(d58="300", d59="301"), BEGIN, Thresholds())

    first, last = BEGIN + timedelta(days=58), BEGIN + timedelta(days=59)
    assert found == [Anomaly("rise", first, last, Decimal(601), Decimal(199), is_open=False)]
    assert found[0].impact == 402


def test_a_drop_on_the_last_settled_day_is_open() -> None:
    whole = series(d69="-85")  # a Sunday, which costs 20

    (found,) = anomalies(whole, BEGIN + timedelta(days=60), Thresholds())

    assert (found.kind, found.impact, found.is_open) == ("drop", Decimal(-105), True)


def test_what_is_too_small_by_amount_or_percent_is_none() -> None:
    bigger = series(d58="120")  # 22 above 98

    assert anomalies(bigger, BEGIN, Thresholds(amount=Decimal(25), percent=Decimal(1))) == []
    assert anomalies(bigger, BEGIN, Thresholds(amount=Decimal(1), percent=Decimal(25))) == []
    assert len(anomalies(bigger, BEGIN, Thresholds(amount=Decimal(1), percent=Decimal(1)))) == 1


def test_what_was_never_there_is_new() -> None:
    appeared = Series(BEGIN, (*[Decimal(0)] * 40, Decimal(50), Decimal(60), Decimal(0), Decimal(0)))

    (found,) = anomalies(appeared, BEGIN, Thresholds())

    assert (found.kind, found.first_day, found.last_day, found.impact) == (
        "new",
        BEGIN + timedelta(days=40),
        BEGIN + timedelta(days=41),
        Decimal(110),
    )


def test_later_days_change_no_judgement() -> None:
    whole = series(d30="400", d50="0", d58="300")
    found = anomalies(whole, BEGIN, Thresholds())

    for cut in (31, 40, 51, 59):
        earlier = Series(BEGIN, whole.amounts[:cut])
        begun = [one.first_day for one in found if one.first_day < earlier.end]
        assert [one.first_day for one in anomalies(earlier, BEGIN, Thresholds())] == begun


def test_the_parts_that_made_it_are_named() -> None:
    (found,) = anomalies(series(d58="300"), BEGIN, Thresholds())
    parts = {
        "steady": Series(BEGIN, (Decimal(50),) * 70),
        "broke out": Series(BEGIN, (*[Decimal(5)] * 58, Decimal(190), *[Decimal(5)] * 11)),
        "crept": Series(BEGIN, (*[Decimal(5)] * 58, Decimal(10), *[Decimal(5)] * 11)),
        "fell": Series(BEGIN, (*[Decimal(5)] * 58, Decimal(0), *[Decimal(5)] * 11)),
    }

    assert contributors(parts, found) == [("broke out", Decimal(185)), ("crept", Decimal(5))]


def test_planted_anomalies_are_found_and_few_others() -> None:
    ours = score("ours", seeds=range(12))

    assert ours.recall >= 0.9
    assert ours.false_a_month <= 0.5
