"""The rows of a reservation: usage under it, the monthly RI fee with the unused part, the upfront fee, and its refund."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sample_bills.columns import INDEX
from sample_bills.commitments import Reservation
from sample_bills.money import ZERO, plain, quotient, units
from sample_bills.month import Cells, Month, Period, net_of, term_stamp
from sample_bills.price_list import EC2_SIZES
from sample_bills.savings_plans import ON_DEMAND
from sample_bills.usage import usage_fields

_DISCOUNT = "RiVolumeDiscount"
_AMOUNT = INDEX["lineItem/UsageAmount"]
_RESOURCE = INDEX["lineItem/ResourceId"]
_NORMALIZED = INDEX["lineItem/NormalizedUsageAmount"]
_PUBLIC_COST = INDEX["pricing/publicOnDemandCost"]
_UPFRONT_PART = INDEX["reservation/AmortizedUpfrontCostForUsage"]
_RECURRING_PART = INDEX["reservation/RecurringFeeForUsage"]
_EFFECTIVE = INDEX["reservation/EffectiveCost"]
_NET_UPFRONT_PART = INDEX["reservation/NetAmortizedUpfrontCostForUsage"]
_NET_RECURRING_PART = INDEX["reservation/NetRecurringFeeForUsage"]
_NET_EFFECTIVE = INDEX["reservation/NetEffectiveCost"]


def reservation_rows(month: Month, reservation: Reservation) -> Iterator[Cells]:
    """All rows of ``reservation`` in the month; hours used and hours unused make up all hours reserved, to the last digit."""
    if month.start <= reservation.start < month.end and reservation.upfront:
        yield from _upfront_rows(month, reservation)
    periods = month.periods(reservation.start, reservation.end)
    if reservation.returned or not periods:
        return
    chance = month.random(reservation.arn)
    digits = month.bill.amount_digits
    upfront = quotient(reservation.upfront_hourly, Decimal(reservation.instances))
    recurring = quotient(reservation.recurring_hourly, Decimal(reservation.instances))
    rate, factor = (Decimal(text) for text in EC2_SIZES[reservation.instance_type][:2])
    templates = [_usage_template(month, reservation, number) for number in range(reservation.instances)]
    used = ZERO
    for period in periods:
        for number, template in enumerate(templates):
            share = chance.random()
            # The first period is never used up, so that every reservation has an unused part in every month.
            is_full = share < 0.8 and (number > 0 or period is not periods[0])
            amount = Decimal(period.hours) if is_full else units(int(share * period.hours * 10**digits), digits)
            used += amount
            cells = template.copy()
            cells[_AMOUNT] = plain(amount)
            cells[_RESOURCE] = f"i-0{reservation.number}{number:06x}"
            cells[_NORMALIZED] = plain(amount * factor)
            cells[_PUBLIC_COST] = plain(amount * rate)
            _set(cells, _UPFRONT_PART, _NET_UPFRONT_PART, amount * upfront)
            _set(cells, _RECURRING_PART, _NET_RECURRING_PART, amount * recurring)
            _set(cells, _EFFECTIVE, _NET_EFFECTIVE, amount * (upfront + recurring))
            yield _finished(month, cells, period, ZERO)
    yield _fee_row(month, reservation, periods, used, upfront, recurring)


def _fee_row(
    month: Month, reservation: Reservation, periods: list[Period], used: Decimal, upfront: Decimal, recurring: Decimal
) -> Cells:
    reserved = Decimal(sum(period.hours for period in periods) * reservation.instances)
    unused = reserved - used
    _, factor_text, _ = EC2_SIZES[reservation.instance_type]
    text = f"USD {plain(recurring)} hourly fee per Linux/UNIX (Amazon VPC), {reservation.instance_type} instance"
    cells = month.row(
        _reservation_fields(month, reservation)
        | {
            "lineItem/LineItemType": "RIFee",
            "lineItem/UsageAmount": plain(reserved),
            "lineItem/UnblendedRate": plain(recurring),
            "lineItem/BlendedRate": plain(recurring),
            "lineItem/NetUnblendedRate": plain(net_of(recurring, _DISCOUNT)),
            "lineItem/LineItemDescription": text,
            "pricing/unit": "Hrs",
            "reservation/StartTime": term_stamp(reservation.start),
            "reservation/EndTime": term_stamp(reservation.end, is_end=True),
            "reservation/ModificationStatus": "Original",
            "reservation/TotalReservedNormalizedUnits": plain(reserved * Decimal(factor_text)),
            "reservation/TotalReservedUnits": plain(reserved),
            "reservation/UnusedQuantity": plain(unused),
            "reservation/UnusedNormalizedUnitQuantity": plain(unused * Decimal(factor_text)),
        }
    )
    for name, amount in (
        ("AmortizedUpfrontFeeForBillingPeriod", reserved * upfront),
        ("UnusedAmortizedUpfrontFeeForBillingPeriod", unused * upfront),
        ("UnusedRecurringFee", unused * recurring),
        ("UpfrontValue", reservation.upfront),
    ):
        _set(cells, INDEX[f"reservation/{name}"], INDEX[f"reservation/Net{name}"], amount)
    return _finished(month, cells, Period.of(periods[0].start, periods[-1].end), reserved * recurring)


def _set(cells: Cells, plain_index: int, net_index: int, amount: Decimal) -> None:
    cells[plain_index] = plain(amount)
    cells[net_index] = plain(net_of(amount, _DISCOUNT))


def _finished(month: Month, cells: Cells, period: Period, cost: Decimal) -> Cells:
    month.place(cells, period)
    month.charge(cells, cost, _DISCOUNT)
    return cells


def _upfront_rows(month: Month, reservation: Reservation) -> Iterator[Cells]:
    bought = Period.of(reservation.start, reservation.end)
    fields = _reservation_fields(month, reservation) | {
        "lineItem/UnblendedRate": "",
        "lineItem/BlendedRate": "",
        "lineItem/NetUnblendedRate": "",
        "bill/BillType": "Purchase",
        "bill/InvoiceId": month.invoice_id("purchase"),
        "lineItem/UsageAmount": str(reservation.instances),
        "pricing/unit": "Quantity",
    }
    text = f"Sign up charge for subscription: {reservation.number}"
    fee = {"lineItem/LineItemType": "Fee", "lineItem/LineItemDescription": text}
    yield _finished(month, month.row(fields | fee), bought, reservation.upfront)
    if reservation.returned:
        text = f"Refund for sign up charge for subscription: {reservation.number}"
        refund = {"lineItem/LineItemType": "Refund", "lineItem/LineItemDescription": text}
        yield _finished(month, month.row(fields | refund), bought, -reservation.upfront)


def _reservation_fields(month: Month, reservation: Reservation) -> dict[str, str]:
    fields = usage_fields(month, ON_DEMAND[reservation.instance_type], "us-east-1", month.bill.payer_account_id)
    kept = {name: text for name, text in fields.items() if not name.startswith("pricing/public")}
    return kept | {
        "lineItem/UsageType": f"HeavyUsage:{reservation.instance_type}",
        "lineItem/AvailabilityZone": "",
        "pricing/term": "Reserved",
        "pricing/LeaseContractLength": "1yr",
        "pricing/OfferingClass": "standard",
        "pricing/PurchaseOption": reservation.payment.label,
        "reservation/ReservationARN": reservation.arn,
        "reservation/SubscriptionId": reservation.number,
        "reservation/NumberOfReservations": str(reservation.instances),
        "reservation/UnitsPerReservation": str(reservation.hours),
    }


def _usage_template(month: Month, reservation: Reservation, number: int) -> Cells:
    account = month.account_ids[number % len(month.account_ids)]
    fields = usage_fields(month, ON_DEMAND[reservation.instance_type], "us-east-1", account)
    text = f"Linux/UNIX (Amazon VPC), {reservation.instance_type} reserved instance applied"
    return month.row(
        fields
        | {
            "lineItem/LineItemType": "DiscountedUsage",
            "lineItem/LineItemDescription": text,
            "lineItem/UnblendedRate": "0",
            "lineItem/NetUnblendedRate": "0",
            "pricing/term": "Reserved",
            "pricing/LeaseContractLength": "1yr",
            "pricing/OfferingClass": "standard",
            "pricing/PurchaseOption": reservation.payment.label,
            "reservation/ReservationARN": reservation.arn,
            "reservation/SubscriptionId": reservation.number,
            "resourceTags/user:CostCenter": f"cc-{number % 9}",
        }
    )
