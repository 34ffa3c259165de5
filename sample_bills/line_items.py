"""All rows of one month of a bill, streamed: commitments and charges mixed among usage, then discounts and taxes at the end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from sample_bills.charges import discount_rows, fee_rows, tax_rows
from sample_bills.commitments import plan_reservations, plan_savings_plans
from sample_bills.containers import container_rows
from sample_bills.faults import Fault
from sample_bills.month import Cells, Month
from sample_bills.reservations import reservation_rows
from sample_bills.savings_plans import savings_plan_rows
from sample_bills.usage import free_row, usage_rows


def planned_rows(month: Month) -> int:
    """How many rows the month has before any vanish."""
    return month.bill.rows + (1 if Fault.LATE_REFUND in month.delivery.faults else 0)


def line_items(month: Month) -> Iterator[Cells]:
    """The month's rows: ``bill.rows`` of them, one more with a late refund, less what vanishes. Run it in ``money.EXACT``."""
    if Fault.HEADER_ONLY in month.delivery.faults:
        return
    wanted = planned_rows(month)
    taxes = list(tax_rows(month))
    special = _special_rows(month)
    usage = usage_rows(month)
    # Real reports are in no order: rows of all kinds come mixed.
    usage_beside = 2 if wanted >= 100_000 else 1 if wanted >= 2_000 else 0
    count = len(taxes)
    for row in special:
        yield row
        count += 1
        for _ in range(usage_beside):
            beside = next(usage)
            count += 1
            if beside is not None:
                yield beside
    # Each row may need one row more, that settles a new kind of discount.
    while count + len(month.discounts) + 1 < wanted:
        row_or_gone = next(usage)
        count += 1
        if row_or_gone is not None:
            yield row_or_gone
    yield from taxes
    for row in discount_rows(month):
        yield row
        count += 1
    for number in range(wanted - count):
        yield free_row(month, number)


def _special_rows(month: Month) -> Iterator[Cells]:
    plans = [savings_plan_rows(month, plan) for plan in plan_savings_plans(month.bill)]
    reservations = [reservation_rows(month, reservation) for reservation in plan_reservations(month.bill)]
    return chain(fee_rows(month), *plans, container_rows(month), *reservations)
