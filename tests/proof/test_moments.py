"""What ``--as-of`` means of a delivery, worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from cost_lakehouse.audit.receipts import Receipt
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.proof.moments import moment_of_delivery

NOW = datetime(2026, 11, 20)
OCTOBER = date(2026, 10, 1)


def receipt(source: str, delivery_id: str, day: int, state: str = "accepted") -> Receipt:
    """A load of October at noon of a day of November."""
    moment = datetime(2026, 11, day, 12, tzinfo=UTC)
    return Receipt(source, OCTOBER, delivery_id, f"load-{day}", state, "", 1, 1, 1, 0, "[]", 0, moment, moment, "", "")


RECEIPTS = [receipt("acme", "a", 3), receipt("globex", "a", 4), receipt("acme", "b", 5), receipt("acme", "c", 6, "refused")]


def test_a_delivery_means_the_last_moment_before_the_next_one_of_its_month() -> None:
    of_acme = [known for known in RECEIPTS if known.source == "acme"]
    assert moment_of_delivery(of_acme, "a", NOW) == datetime(2026, 11, 5, 12) - timedelta(microseconds=1)
    assert moment_of_delivery(of_acme, "b", NOW) == NOW  # a refused one takes nothing's place


def test_an_id_that_two_sources_have_is_asked_for_with_its_source() -> None:
    with pytest.raises(ConfigurationError) as told:
        moment_of_delivery(RECEIPTS, "a", NOW)
    assert (told.value.problem, told.value.fix) == (
        "a is a delivery of acme, globex.",
        "Say whose is meant: `--as-of acme/a`.",
    )


@pytest.mark.parametrize("delivery_id", ["x", "c"], ids=["unknown", "refused"])
def test_what_was_never_accepted_is_no_moment(delivery_id: str) -> None:
    with pytest.raises(ConfigurationError, match="neither a moment nor a delivery that was loaded"):
        moment_of_delivery(RECEIPTS, delivery_id, NOW)
