"""What a month comes to, by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from cost_lakehouse.outlook.budgets import budget_status, period_of
from cost_lakehouse.outlook.forecast import backtest, crossing, forecast, lumps_of, quantile
from cost_lakehouse.outlook.series import Series, lumps_among, series_of, settled_end

WEEKLY = tuple(Decimal(amount) for amount in (10, 10, 10, 10, 10, 4, 2))  # 56 a week
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
STEADY = Series(OCTOBER - timedelta(days=70), WEEKLY * 12)  # to 14 October


def test_a_steady_month_comes_to_its_settled_days_and_the_weekdays_that_are_left() -> None:
    said = forecast(STEADY, Decimal("7.5"), OCTOBER, NOVEMBER)

    assert said is not None
    assert (said.settled, len(said.days)) == (Decimal(112), 17)
    # Two weeks and three days: 112 + 30.
    assert said.total == Decimal(112) + Decimal("7.5") + Decimal(142)
    assert (said.low, said.high) == (said.total, said.total)
    assert (said.backtest.mean_percent, said.backtest.coverage) == (Decimal(0), Decimal(1))


def test_the_range_is_as_wide_as_such_forecasts_were_off() -> None:
    grown = Series(STEADY.begin, tuple(amount + number for number, amount in enumerate(STEADY.amounts)))

    said = forecast(grown, Decimal(0), OCTOBER, NOVEMBER)

    assert said is not None
    assert said.low is not None
    assert said.high is not None
    assert len(said.backtest.residuals) == 7
    assert said.low <= said.total < said.high
    assert said.backtest.mean_percent is not None
    assert said.backtest.mean_percent > 0


def test_under_two_weeks_nothing_is_said() -> None:
    assert forecast(Series(OCTOBER, (Decimal(1),) * 13), Decimal(0), OCTOBER, NOVEMBER) is None


def test_a_month_that_is_settled_is_known() -> None:
    said = forecast(STEADY, Decimal(3), date(2026, 9, 1), OCTOBER)

    assert said is not None
    assert said.total == said.low == said.high == STEADY.between(date(2026, 9, 1), OCTOBER) + 3
    assert said.backtest.residuals == ()


def test_a_month_that_did_not_begin_yet_begins_after_the_days_before_it() -> None:
    said = forecast(STEADY, Decimal(0), NOVEMBER, date(2026, 12, 1))

    # 15 October is the weekday of the first amount; 1 November comes 17 days after it: the fourth amount.
    assert said is not None
    assert list(map(int, said.days[:5])) == [10, 10, 4, 2, 10]
    assert said.settled == 0


def test_no_window_is_tried_with_less_than_three_weeks_before_it() -> None:
    assert len(backtest(Series(OCTOBER, WEEKLY * 5), 10).residuals) == 1
    assert backtest(Series(OCTOBER, WEEKLY * 4), 10).residuals == ()


def test_what_comes_once_a_month_is_as_this_month_has_it_else_as_the_last_had_it() -> None:
    last = {("Tax", "AmazonEC2"): Decimal(20), ("RIFee", "AmazonEC2"): Decimal(50), ("Refund", "AmazonS3"): Decimal(-99)}
    this = {("Tax", "AmazonEC2"): Decimal(25), ("Fee", "AmazonRDS"): Decimal(300)}

    assert lumps_of(this, last) == Decimal(25) + Decimal(300) + Decimal(50)


def test_discounts_are_lumps_where_they_come_on_few_days() -> None:
    daily = [OCTOBER + timedelta(days=number) for number in range(20)]

    found = lumps_among({"EdpDiscount": daily, "RiVolumeDiscount": [OCTOBER, NOVEMBER], "Usage": [OCTOBER]})

    assert "RiVolumeDiscount" in found
    assert "Tax" in found
    assert "EdpDiscount" not in found
    assert "Usage" not in found


def test_a_quantile_lies_between_two_values_by_proportion() -> None:
    assert quantile([Decimal(30), Decimal(10), Decimal(20)], Decimal("0.1")) == 12
    assert quantile([Decimal(5)], Decimal("0.9")) == 5


SETTLING = {"acme": 2, "globex": 2}


def test_the_last_days_are_not_settled_and_a_late_source_holds_all_back() -> None:
    today = date(2026, 10, 20)
    fresh = {"acme": date(2026, 10, 20), "globex": date(2026, 10, 19)}

    # Two days old: 18 October is settled, the 19th is not.
    assert settled_end(fresh, today, SETTLING) == (date(2026, 10, 19), "acme")
    assert settled_end({**fresh, "globex": date(2026, 10, 12)}, today, SETTLING) == (date(2026, 10, 12), "globex")
    assert settled_end({"acme": date(2026, 9, 30)}, today, SETTLING) == (OCTOBER, "acme")
    # A source whose days were measured to grow for four days decides.
    assert settled_end(fresh, today, {**SETTLING, "globex": 4}) == (date(2026, 10, 17), "globex")


def test_a_day_without_costs_is_zero() -> None:
    assert series_of({OCTOBER: Decimal(3)}, OCTOBER - timedelta(days=1), date(2026, 10, 3)).amounts == (
        Decimal(0),
        Decimal(3),
        Decimal(0),
    )


def test_a_budget_is_under_or_will_be_exceeded_on_a_day_or_is_over() -> None:
    said = forecast(STEADY, Decimal(0), OCTOBER, NOVEMBER)  # 112, then 10 a day from the 15th on: 254 in all
    assert said is not None

    assert budget_status(Decimal(300), Decimal(112), said).state == "under"
    ahead = budget_status(Decimal(130), Decimal(112), said)
    assert (ahead.state, ahead.exceeded_on, ahead.forecast) == ("will exceed", date(2026, 10, 16), Decimal(254))
    assert budget_status(Decimal(100), Decimal(112), said).state == "over"
    assert budget_status(Decimal(200), Decimal(112), None).state == "not known"
    assert budget_status(Decimal(224), Decimal(112), said).used_percent == 50
    assert crossing(said, Decimal(254)) is None


def test_a_period_is_a_calendar_month_quarter_or_year() -> None:
    assert period_of(date(2026, 11, 27), "month") == (NOVEMBER, date(2026, 12, 1))
    assert period_of(date(2026, 11, 27), "quarter") == (OCTOBER, date(2027, 1, 1))
    assert period_of(date(2026, 11, 27), "year") == (date(2026, 1, 1), date(2027, 1, 1))
