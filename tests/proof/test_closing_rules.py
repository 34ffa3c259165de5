"""When a month may be closed, what is stale of a closed one, and what is held back: decided without any lake."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cost_lakehouse.invoices.comparison import ComparedInvoice
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.proof.closing import Wish, refusal
from cost_lakehouse.proof.late_corrections import corrections_of
from cost_lakehouse.summaries.closings import ACCEPTED, CLOSED, REOPENED, Closing, closed_months, with_closing
from cost_lakehouse.summaries.correction_log import Costs, changes_between, was_final
from cost_lakehouse.summaries.stale import Published, is_stale

OCTOBER = Slice("acme", date(2026, 10, 1))
T1, T2, T3 = (datetime(2026, 11, day) for day in (3, 9, 20))
CLOSING = Closing("acme", OCTOBER.billing_period, "d1", T1, CLOSED, T2, "ada", None, "invoiced", None, "{}")
AGREES = ComparedInvoice(
    "acme", OCTOBER.billing_period, "I1", "USD", Decimal(3), Decimal(3), Decimal(0), Decimal(0), "agrees", None
)


def status(**changes: Any) -> dict[str, Any]:
    return {
        "bill_status_id": "usd",
        "currency_code": "USD",
        "delivery_id": "d1",
        "loaded_at": T1,
        "state": "invoiced",
        "bill_state": "invoiced",
        "billed_cost": Decimal(3),
        "invoice_ids": "I1",
        "line_item_count": 2,
        "closed_at": None,
        "pending_delivery_id": None,
        "pending_loaded_at": None,
        **changes,
    }


@pytest.mark.parametrize(
    ("wish", "rows", "closing", "invoices", "stale", "said"),
    [
        pytest.param(Wish(), [status()], None, [AGREES], False, None, id="agrees"),
        pytest.param(Wish(), [], None, [AGREES], False, "no published bill", id="unknown"),
        pytest.param(Wish(), [status()], None, [AGREES], True, "summaries are older", id="stale"),
        pytest.param(Wish(), [status(state="open")], None, [AGREES], False, "is not over", id="open"),
        pytest.param(Wish(), [status()], None, [], False, "no invoice is on record", id="no-invoices"),
        pytest.param(Wish(without_invoice=True), [status(state="estimated")], None, [], False, None, id="without-invoice"),
        pytest.param(
            Wish(),
            [status()],
            None,
            [AGREES, replace(AGREES, state="no invoice", invoice_id="I2")],
            False,
            "I2 is not on record",
            id="one-is-missing",
        ),
        pytest.param(
            Wish(without_invoice=True),
            [status()],
            None,
            [replace(AGREES, state="no rows")],
            False,
            "no line of the bill names",
            id="no-rows",
        ),
        pytest.param(
            Wish(despite_difference=True, note="why"),
            [status()],
            None,
            [replace(AGREES, state="differs")],
            False,
            None,
            id="despite-difference",
        ),
        pytest.param(
            Wish(despite_difference=True),
            [status()],
            None,
            [replace(AGREES, state="differs")],
            False,
            "differs by",
            id="no-note",
        ),
        pytest.param(Wish(ACCEPTED), [status()], None, [], False, "is not closed", id="accept-open"),
        pytest.param(Wish(ACCEPTED), [status()], CLOSING, [], False, "nothing is pending", id="accept-nothing"),
        pytest.param(
            Wish(ACCEPTED), [status(pending_delivery_id="d2", pending_loaded_at=T3)], CLOSING, [], False, None, id="accept"
        ),
        pytest.param(Wish(REOPENED), [status()], None, [], False, "is not closed", id="reopen-open"),
        pytest.param(Wish(REOPENED), [status()], CLOSING, [], False, None, id="reopen"),
        pytest.param(Wish(), [status()], CLOSING, [], True, None, id="close-again"),
    ],
)
def test_a_month_is_closed_only_where_it_is_proven(
    wish: Wish,
    rows: list[dict[str, Any]],
    closing: Closing | None,
    invoices: list[ComparedInvoice],
    stale: bool,
    said: str | None,
) -> None:
    refused = refusal(OCTOBER, wish, rows, closing, invoices, stale)
    assert (refused is None) == (said is None)
    assert said is None or (refused is not None and said in refused[0])


@pytest.mark.parametrize(
    ("load", "published", "closing", "invoiced", "expected"),
    [
        pytest.param("d1", Published(("d1", T1), None, "invoiced", None), None, None, False, id="up-to-date"),
        pytest.param("d2", Published(("d1", T1), None, "invoiced", None), None, None, True, id="new-delivery"),
        pytest.param("d1", Published(("d1", T1), None, "invoiced", None), None, T2, True, id="new-invoice"),
        pytest.param("d1", Published(("d1", T1), None, "invoiced", T2), None, T2, False, id="known-invoice"),
        pytest.param("d1", Published(("d1", T1), None, "invoiced", None), CLOSING, None, True, id="closed-since"),
        pytest.param("d1", Published(("d1", T1), None, "locked", None), None, None, True, id="reopened-since"),
        pytest.param("d1", Published(("d1", T1), None, "locked", None), CLOSING, None, False, id="closed"),
        pytest.param("d2", Published(("d1", T1), None, "locked", None), CLOSING, None, True, id="late"),
        pytest.param("d2", Published(("d1", T1), ("d2", T1), "locked", None), CLOSING, T2, False, id="held-back"),
        pytest.param("d3", Published(("d1", T1), ("d2", T1), "locked", None), CLOSING, None, True, id="another-late"),
        pytest.param("d1", Published(("d1", T1), ("d2", T1), "locked", None), CLOSING, None, True, id="taken-back"),
        pytest.param(
            "d2",
            Published(("d1", T1), ("d2", T1), "locked", None),
            replace(CLOSING, delivery_id="d2"),
            None,
            True,
            id="accepted",
        ),
    ],
)
def test_a_closed_month_is_built_once_for_what_is_held_back(
    load: str, published: Published, closing: Closing | None, invoiced: datetime | None, expected: bool
) -> None:
    assert is_stale((load, T1), published, closing, invoiced) is expected


def test_what_is_held_back_is_said_in_every_currency() -> None:
    built = [
        status(delivery_id="d2", loaded_at=T3, billed_cost=Decimal(5)),
        status(bill_status_id="eur", currency_code="EUR", delivery_id="d2", loaded_at=T3, billed_cost=Decimal(7)),
    ]
    gone = status(bill_status_id="jpy", currency_code="JPY", billed_cost=Decimal(100))

    rows = with_closing(CLOSING, built, [status(), gone])

    told = [
        (row["currency_code"], row["delivery_id"], row["billed_cost"], row["pending_billed_cost"], row["pending_change"])
        for row in rows
    ]
    assert told == [("USD", "d1", 3, 5, 2), ("JPY", "d1", 100, 0, -100), ("EUR", "d1", 0, 7, 7)]
    assert {(row["state"], row["closed_at"], row["pending_delivery_id"]) for row in rows} == {("locked", T2, "d2")}
    assert rows[2]["bill_status_id"] == "eur"


def test_the_log_says_which_months_are_closed_and_with_what() -> None:
    accepted = replace(CLOSING, action=ACCEPTED, delivery_id="d2", done_at=T3)
    assert closed_months([CLOSING]) == {OCTOBER: CLOSING}
    assert closed_months([CLOSING, accepted]) == {OCTOBER: accepted}
    assert closed_months([CLOSING, replace(CLOSING, action=REOPENED, done_at=T3)]) == {}


def test_changes_are_by_account_and_currency_and_never_added() -> None:
    before: Costs = {("1", "USD"): (Decimal(1), Decimal(1)), ("2", "USD"): (Decimal(2), Decimal(2))}
    after: Costs = {
        ("1", "USD"): (Decimal(1), Decimal(1)),
        ("2", "USD"): (Decimal(2), Decimal("1.5")),
        ("2", "EUR"): (Decimal(4), Decimal(4)),
    }
    assert changes_between(before, after) == {
        ("2", "EUR"): (Decimal(4), Decimal(4)),
        ("2", "USD"): (Decimal(0), Decimal("-0.5")),
    }


@pytest.mark.parametrize(
    ("row", "final"),
    [
        pytest.param(status(), True, id="invoiced"),
        pytest.param(status(bill_state="corrected"), True, id="corrected"),
        pytest.param(status(bill_state="corrected", invoice_ids=None), False, id="oracle-corrects-itself"),
        pytest.param(status(bill_state="estimated", invoice_ids="I1"), False, id="estimated"),
        pytest.param(status(bill_state="estimated", closed_at=T2), True, id="closed"),
    ],
)
def test_only_a_month_that_was_invoiced_or_closed_is_corrected_late(row: dict[str, Any], final: bool) -> None:
    assert was_final([row]) is final


def test_a_correction_of_an_invoiced_month_is_news_for_a_month_or_until_it_is_closed() -> None:
    row = {
        "source": "acme",
        "billing_period": OCTOBER.billing_period,
        "delivery_id": "d2",
        "loaded_at": T3,
        "state_before": "invoiced",
        "closed_at": T1,
        "invoice_ids": "I1",
        "account_id": "1",
        "currency_code": "USD",
        "billed_cost_change": Decimal(1),
        "found_at": T3,
    }
    later = T3 + timedelta(days=29)
    assert [entry.totals for entry in corrections_of([row], {}, {}, later)] == [{"USD": Decimal(1)}]
    assert corrections_of([row], {}, {}, T3 + timedelta(days=30)) == []
    assert corrections_of([row], {}, {OCTOBER: CLOSING}, later) == []
    locked = {**row, "state_before": "locked"}
    assert corrections_of([locked], {OCTOBER: ("d3", T3)}, {OCTOBER: CLOSING}, later) == []
    assert corrections_of([locked], {OCTOBER: ("d2", T3)}, {OCTOBER: CLOSING}, T3 + timedelta(days=99))[0].is_pending
