"""The line items of one increment: who used what when, in whole numbers so that nothing is ever rounded unseen."""

from __future__ import annotations

import hashlib
import random
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice

from sample_bills.bills import midnight
from sample_bills.oci_bills import LATE_HOURS, Increment, OciBill
from sample_bills.oci_faults import OciFault
from sample_bills.oci_resources import FREE, PRODUCTS, Resource

DIGITS = 18
ONE = 10**DIGITS
_PRICE_ONE = 10**10
_HOUR = timedelta(hours=1)
# A correction refers to a row of the increment that came this many before its own, or to one of its own.
_CORRECTED_BEFORE = 3
# The rows of an increment that a later one may correct: they never change with a fault.
_CORRECTABLE = 2


@dataclass(slots=True)
class Line:
    """One row of a cost report. Quantities and costs count units of 10 to the power of minus 18."""

    resource: Resource
    reference: str
    start: datetime
    quantity: int
    cost: int
    currency: str
    attributed: int
    is_correction: bool = False
    corrects: Line | None = None

    @property
    def quantity_overage(self) -> int | None:
        """The part of the quantity beyond what was committed to; None where the report leaves it empty."""
        return self.quantity // 2 if self.resource.overage else None

    @property
    def cost_overage(self) -> int:
        """The part of the cost that is billed as overage: contained in it, never to be added."""
        return self.cost // 2 if self.resource.overage else 0

    @property
    def end(self) -> datetime:
        """The end of its hour."""
        return self.start + _HOUR

    @property
    def day(self) -> date:
        """The UTC day its usage began on."""
        return self.start.date()


def fixed(number: int) -> str:
    """A count of units of 10 to the power of minus 18 as plain text."""
    whole, fraction = divmod(abs(number), ONE)
    sign = "-" if number < 0 else ""
    return f"{sign}{whole}.{fraction:018d}".rstrip("0") if fraction else f"{sign}{whole}"


def lines_of(bill: OciBill, resources: list[Resource], increment: Increment, faults: frozenset[OciFault]) -> Iterator[Line]:
    """Every line of the increment's cost report, in order.

    There are late ones among them (of usage a day before), zero ones without a currency, and two corrections: of a row of
    an earlier file and of one of the same file.
    """
    if OciFault.HEADER_ONLY in faults:
        return
    late = max(2, bill.rows // 12)
    regular = 0 if increment.late_only else bill.rows - late - 2
    first: Line | None = None
    for number, line in enumerate(_used(bill, resources, increment, regular)):
        if number == 0:
            first = line
        if number >= _CORRECTABLE:
            if OciFault.VANISHED_ROWS in faults and number % 9 == 4:
                continue
            if OciFault.CHANGED_ROWS in faults and number % 5 == 3:
                line.quantity += ONE // 4
                line.cost = _cost(line.resource, line.quantity)
        yield line
    yield from _late(bill, resources, increment, late)
    if increment.late_only:
        return
    if first is not None:
        yield _correction(bill, increment, first, 0)
    if increment.index >= _CORRECTED_BEFORE:
        earlier = bill.increments[increment.index - _CORRECTED_BEFORE]
        yield _correction(bill, increment, next(islice(_used(bill, resources, earlier, _CORRECTABLE), 1, None)), 1)
    else:
        yield from _extra(bill, resources, increment)


def usage_only(bill: OciBill, resources: list[Resource], increment: Increment) -> Iterator[Line]:
    """What is in the usage report alone: usage that costs nothing and has no row in the cost report."""
    chance = random.Random(f"{bill.seed}:{increment.index}:usage only")
    start = increment.start if not increment.late_only else increment.start - timedelta(hours=LATE_HOURS)
    yield _line(bill, increment, resources[FREE[0]], start, "n0", chance)


def _used(bill: OciBill, resources: list[Resource], increment: Increment, count: int) -> Iterator[Line]:
    chance = random.Random(f"{bill.seed}:{increment.index}:used")
    for number in range(count):
        resource = resources[number % len(resources)]
        hour = (number // len(resources)) % bill.hours
        yield _line(bill, increment, resource, increment.start + hour * _HOUR, f"u{number}", chance)


def _late(bill: OciBill, resources: list[Resource], increment: Increment, count: int) -> Iterator[Line]:
    """Usage of the day before, reported only now; at the start of a month, of the month before."""
    chance = random.Random(f"{bill.seed}:{increment.index}:late")
    earliest = midnight(bill.months[0])
    for number in range(count):
        resource = resources[(number * 5 + increment.index) % len(resources)]
        start = increment.start - timedelta(hours=LATE_HOURS) + (number % bill.hours) * _HOUR
        yield _line(bill, increment, resource, start if start >= earliest else increment.start, f"l{number}", chance)


def _extra(bill: OciBill, resources: list[Resource], increment: Increment) -> Iterator[Line]:
    """One more free row, where there is nothing yet to correct: every increment has the same number of rows."""
    chance = random.Random(f"{bill.seed}:{increment.index}:extra")
    yield _line(bill, increment, resources[FREE[0]], increment.start, "x0", chance)


def _line(bill: OciBill, increment: Increment, resource: Resource, start: datetime, place: str, chance: random.Random) -> Line:
    quantity = chance.randrange(1, 40 * ONE)
    # Most quantities have fewer digits than the finest ones.
    quantity -= quantity % 10 ** chance.choice((0, 0, 6, 12, 15))
    cost = _cost(resource, quantity)
    return Line(
        resource=resource,
        reference=_reference(bill, increment, place),
        start=start,
        quantity=quantity,
        cost=cost,
        currency=resource.currency if cost or chance.random() < 0.5 else "",
        attributed=cost // 3 if resource.product is PRODUCTS[3] else 0,
    )


def _cost(resource: Resource, quantity: int) -> int:
    return quantity * resource.product.price // _PRICE_ONE


def _correction(bill: OciBill, increment: Increment, corrected: Line, number: int) -> Line:
    """A row more that takes a quarter of the corrected row's cost back."""
    quantity = -(corrected.quantity // 4)
    return replace(
        corrected,
        reference=_reference(bill, increment, f"c{number}"),
        quantity=quantity,
        cost=-_cost(corrected.resource, -quantity),
        attributed=0,
        is_correction=True,
        corrects=corrected,
    )


def _reference(bill: OciBill, increment: Increment, place: str) -> str:
    digest = hashlib.blake2b(f"{bill.seed}:{bill.tenant_id}:{increment.index}:{place}".encode(), digest_size=16).digest()
    return f"V2.{b64encode(digest).decode()}"
