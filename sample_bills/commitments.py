"""The Savings Plans and reservations of a bill, and what each costs over its term, worked out before any row is written."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from sample_bills.bills import Bill, midnight, next_month
from sample_bills.money import cut
from sample_bills.price_list import EC2_SIZES

_LONGEST_TERM_MONTHS = 12


class Payment(Enum):
    """When a commitment is paid. The value is the share paid upfront."""

    NO_UPFRONT = Decimal(0)
    PARTIAL_UPFRONT = Decimal("0.5")
    ALL_UPFRONT = Decimal(1)

    @property
    def label(self) -> str:
        """As AWS writes it: ``Partial Upfront``."""
        return self.name.replace("_", " ").title()


@dataclass(frozen=True)
class Commitment:
    """One Savings Plan or reservation. Its term is [start, end); ``hourly`` is its cost an hour, upfront part included."""

    arn: str
    number: str  # AWS's id of the plan or subscription
    payment: Payment
    start: datetime
    end: datetime
    hourly: Decimal
    returned: bool = False  # bought by mistake and refunded: no usage, no fees but these two

    @property
    def hours(self) -> int:
        """The length of the term."""
        return int((self.end - self.start) / timedelta(hours=1))

    @property
    def upfront_hourly(self) -> Decimal:
        """The part of an hour's cost that was paid upfront."""
        return self.hourly * self.payment.value

    @property
    def recurring_hourly(self) -> Decimal:
        """The part of an hour's cost that is paid by recurring fees."""
        return self.hourly - self.upfront_hourly

    @property
    def upfront(self) -> Decimal:
        """What is paid at the start."""
        return self.upfront_hourly * self.hours

    @property
    def paid(self) -> Decimal:
        """What is paid over the whole term: upfront and recurring fees, less the refund of a returned commitment."""
        return Decimal(0) if self.returned else self.hourly * self.hours

    def within(self, bill: Bill) -> bool:
        """Whether the whole term lies in the months of ``bill``, so that amortised and paid must be equal there."""
        return midnight(bill.months[0]) <= self.start and self.end <= midnight(next_month(bill.months[-1]))


@dataclass(frozen=True)
class SavingsPlan(Commitment):
    """A Compute Savings Plan and the instance types it covers, one for each covered row of a period."""

    covered: tuple[str, ...] = ()
    groups: int = 1  # usage types that share one negation each


@dataclass(frozen=True)
class Reservation(Commitment):
    """``instances`` reserved EC2 instances of one type; ``hourly`` is that of all of them."""

    instance_type: str = "m5.large"
    instances: int = 1


def savings_plan_rate(instance_type: str) -> Decimal:
    """The covered rate of an instance type: 60 percent of on demand."""
    return Decimal(EC2_SIZES[instance_type][0]) * Decimal("0.6")


def plan_savings_plans(bill: Bill) -> tuple[SavingsPlan, ...]:
    """A plan of each payment option within the bill's months, an older one of a year, and one that was returned."""
    # About 15 percent of the rows are the plans': covered usage, its negation, and the fee.
    rows_of_period = max(2, int(bill.rows * 0.15 / (4 * _periods_of_month(bill))) - 2)
    groups = min(4, max(1, rows_of_period // 3))
    sizes = [size for size in EC2_SIZES if size != "t3.nano"][:groups]
    covered = tuple(sizes[number % groups] for number in range(rows_of_period))
    full = sum((savings_plan_rate(size) for size in covered), Decimal(0))
    # A little less than the plans' usage at its peak: some periods use it up, in others a part stays unused.
    hourly = max(cut(full * Decimal("0.98"), 2), Decimal("0.05"))
    start, end = _term(bill)
    old_start, old_end = _year_before(bill)
    chance = random.Random(f"{bill.seed}/{bill.payer_account_id}/savings plans")
    plans = []
    for number, payment in enumerate((*Payment, Payment.PARTIAL_UPFRONT, Payment.ALL_UPFRONT)):
        is_old, returned = number == 3, number == 4
        plan_id = _uuid(chance)
        plans.append(
            SavingsPlan(
                arn=f"arn:aws:savingsplans::{bill.payer_account_id}:savingsplan/{plan_id}",
                number=plan_id,
                payment=payment,
                start=old_start if is_old else start + timedelta(days=2) if returned else start,
                end=old_end if is_old else end,
                hourly=hourly,
                returned=returned,
                covered=() if returned else covered,
                groups=groups,
            )
        )
    return tuple(plans)


def plan_reservations(bill: Bill) -> tuple[Reservation, ...]:
    """A reservation of each payment option within the bill's months, an older one of a year, and one that was returned."""
    instances = max(1, int(bill.rows * 0.08 / (4 * _periods_of_month(bill))))
    start, end = _term(bill)
    old_start, old_end = _year_before(bill)
    chance = random.Random(f"{bill.seed}/{bill.payer_account_id}/reservations")
    sizes = ("m5.large", "c6g.xlarge", "r5.4xlarge", "m5.2xlarge", "m5.large")
    reservations = []
    for number, payment in enumerate((*Payment, Payment.PARTIAL_UPFRONT, Payment.ALL_UPFRONT)):
        is_old, returned = number == 3, number == 4
        rate = cut(Decimal(EC2_SIZES[sizes[number]][0]) * Decimal("0.625"), 4)
        reservations.append(
            Reservation(
                arn=f"arn:aws:ec2:us-east-1:{bill.payer_account_id}:reserved-instances/{_uuid(chance)}",
                number=str(9_000_000_000 + chance.randrange(10**9)),
                payment=payment,
                start=old_start if is_old else start,
                end=old_end if is_old else end,
                hourly=rate * instances,
                returned=returned,
                instance_type=sizes[number],
                instances=instances,
            )
        )
    return tuple(reservations)


def _term(bill: Bill) -> tuple[datetime, datetime]:
    months = bill.months[:_LONGEST_TERM_MONTHS]
    return midnight(months[0]), midnight(next_month(months[-1]))


def _year_before(bill: Bill) -> tuple[datetime, datetime]:
    """A real year that began half a year before the bill's first month."""
    first = bill.months[0]
    start = (
        first.replace(year=first.year - 1, month=first.month + 6) if first.month <= 6 else first.replace(month=first.month - 6)
    )
    return midnight(start), midnight(start.replace(year=start.year + 1))


def _periods_of_month(bill: Bill) -> int:
    return {"hourly": 744, "daily": 31, "monthly": 1}[bill.time_unit.value]


def _uuid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
