"""What a delivery is to the lake, decided by receipts and objects alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from cost_lakehouse.audit.receipts import ACCEPTED, REFUSED, Receipt
from cost_lakehouse.lake.loads import HeldObject, Loads
from cost_lakehouse.loading.holdings import compared
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.storage.object_store import StoredObject

NOON = datetime(2026, 10, 6, 12, tzinfo=UTC)
OCTOBER = date(2026, 10, 1)


def stored(key: str, etag: str = "e1") -> StoredObject:
    return StoredObject(key, etag, 10, NOON)


def whole(delivery_id: str = "A2", table: str = "raw.aws_cur", delivered_at: datetime = NOON) -> Delivery:
    return Delivery("acme", table, (stored("a"), stored("b")), delivery_id, delivered_at, "hourly", OCTOBER, stored("m"))


def receipt(delivery: Delivery, load_id: str = "load-1", state: str = ACCEPTED, rejected: int = 0) -> Receipt:
    return Receipt(
        source="acme",
        billing_period=OCTOBER,
        delivery_id=delivery.delivery_id,
        load_id=load_id,
        state=state,
        reason="" if state == ACCEPTED else "a number is none",
        files=2,
        rows=3,
        bytes=20,
        rejected=rejected,
        rejected_values="",
        rounding_values=0,
        loaded_at=NOON,
        delivered_at=delivery.delivered_at,
        fingerprint=delivery.fingerprint,
        digest="d",
        raw_table=delivery.table,
    )


@pytest.mark.parametrize("table", ["raw.aws_cur", "raw.focus"])
def test_a_month_is_current_where_its_last_load_brought_exactly_its_files(table: str) -> None:
    delivery = whole(table=table)
    loads = Loads(committed=(receipt(whole("A1", table), "load-0"), receipt(delivery)))

    assert compared(delivery, loads).status is Status.CURRENT
    assert compared(whole("A3", table), loads).status is Status.NEW
    replaced_in_place = replace(delivery, objects=(stored("a", "e2"), stored("b")))
    assert compared(replaced_in_place, loads).objects == replaced_in_place.objects
    assert compared(whole("A0", table, NOON - timedelta(days=1)), loads).status is Status.OLDER


def test_a_month_whose_repetition_was_killed_is_loaded_again() -> None:
    delivery = whole()
    loads = Loads(committed=(receipt(delivery),), killed=(receipt(delivery, "load-2"),))

    assert compared(delivery, loads).status is Status.NEW
    assert loads.proven == {}
    # A killed load of another delivery took nothing from the one that is there.
    beside = Loads(committed=(receipt(delivery),), killed=(receipt(whole("A3"), "load-2"),))
    assert compared(delivery, beside).status is Status.CURRENT


@pytest.mark.parametrize(("rejected", "may_pass"), [(1, False), (0, True)])
def test_a_refused_month_says_why_and_whether_another_try_may_help(rejected: int, may_pass: bool) -> None:
    delivery = whole()
    loads = Loads(committed=(receipt(whole("A1")),), refused=(receipt(delivery, "load-2", REFUSED, rejected),))

    comparison = compared(delivery, loads)

    assert (comparison.status, comparison.reason, comparison.may_pass) == (Status.REFUSED, "a number is none", may_pass)


def test_of_files_that_add_up_those_are_loaded_that_the_lake_does_not_hold_as_they_are() -> None:
    held = {"a": HeldObject("e1", 10, {OCTOBER: 3}), "b": HeldObject("e0", 10, {OCTOBER: 3})}
    loads = Loads(objects=held, refused_objects=frozenset({("c", "e1")}))
    a, b, c, d = (stored(key) for key in "abcd")

    def status_and_objects(*objects: StoredObject) -> tuple[Status, tuple[StoredObject, ...]]:
        found = compared(Delivery.of_files("acme", "raw.oci_cost", objects), loads)
        return found.status, found.objects

    assert status_and_objects(a) == (Status.CURRENT, ())
    assert status_and_objects(a, b, d) == (Status.NEW, (b, d))
    assert status_and_objects(a, c) == (Status.REFUSED, (c,))
    assert status_and_objects(c, d) == (Status.NEW, (c, d))


def test_a_copy_of_what_is_gone_is_loaded_with_what_takes_its_place() -> None:
    held = {"gone": HeldObject("e1", 10, {OCTOBER: 3}), "copy": HeldObject("e1", 10, {}, "digest", "gone")}
    objects = (stored("copy"), stored("new"))
    delivery = Delivery.of_files("acme", "raw.focus", objects, frozenset({"gone"}))

    assert compared(delivery, Loads(objects=held)).objects == objects
