"""The rows of a Savings Plan: covered usage at on-demand cost, its negation, the recurring and the upfront fee, a refund."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sample_bills.columns import INDEX
from sample_bills.commitments import SavingsPlan, savings_plan_rate
from sample_bills.money import ZERO, plain, quotient_down, units
from sample_bills.month import Cells, Month, Period, net_of, term_stamp
from sample_bills.price_list import EC2_SIZES, PRICES, TAG_VALUES, Price
from sample_bills.usage import usage_fields

_DISCOUNT = "EdpDiscount"
_AMOUNT = INDEX["lineItem/UsageAmount"]
_PUBLIC_COST = INDEX["pricing/publicOnDemandCost"]
_EFFECTIVE = INDEX["savingsPlan/SavingsPlanEffectiveCost"]
_NET_EFFECTIVE = INDEX["savingsPlan/NetSavingsPlanEffectiveCost"]
_TOTAL = INDEX["savingsPlan/TotalCommitmentToDate"]
_USED = INDEX["savingsPlan/UsedCommitment"]
_AMORTIZED_UPFRONT = INDEX["savingsPlan/AmortizedUpfrontCommitmentForBillingPeriod"]
_RECURRING = INDEX["savingsPlan/RecurringCommitmentForBillingPeriod"]
_NET_AMORTIZED_UPFRONT = INDEX["savingsPlan/NetAmortizedUpfrontCommitmentForBillingPeriod"]
_NET_RECURRING = INDEX["savingsPlan/NetRecurringCommitmentForBillingPeriod"]

ON_DEMAND: dict[str, Price] = {
    price.usage_type.removeprefix("BoxUsage:"): price for price in PRICES if price.usage_type.startswith("BoxUsage:")
}


def savings_plan_rows(month: Month, plan: SavingsPlan) -> Iterator[Cells]:
    """All rows of ``plan`` in the month.

    In each period the covered rows' effective costs are UsedCommitment, never more than TotalCommitmentToDate; the rest is
    unused. So the covered and the unused parts of a whole term add up to exactly upfront and recurring fees.
    """
    if month.start <= plan.start < month.end and plan.upfront:
        yield from _upfront_rows(month, plan)
    if plan.returned:
        return
    chance = month.random(plan.arn)
    covered = [_covered_template(month, plan, slot) for slot in range(len(plan.covered))]
    negations = [_negation_template(month, plan, group) for group in range(plan.groups)]
    fee = _fee_template(month, plan)
    digits = month.bill.amount_digits
    for period in month.periods(plan.start, plan.end):
        total = plan.hourly * period.hours
        used = ZERO
        on_demand = [ZERO] * plan.groups
        for slot, size in enumerate(plan.covered):
            share = chance.random()
            amount = Decimal(period.hours) if share < 0.7 else units(int(share * period.hours * 10**digits), digits)
            rate = savings_plan_rate(size)
            # The last row that finds commitment left is covered in part.
            amount = min(amount, quotient_down(total - used, rate, digits))
            effective = amount * rate
            used += effective
            cost = amount * Decimal(EC2_SIZES[size][0])
            on_demand[slot % plan.groups] += cost
            cells = covered[slot].copy()
            cells[_AMOUNT] = plain(amount)
            cells[_PUBLIC_COST] = plain(cost)
            cells[_EFFECTIVE] = plain(effective)
            cells[_NET_EFFECTIVE] = plain(net_of(effective, _DISCOUNT))
            yield _finished(month, cells, period, cost)
        for group, template in enumerate(negations):
            cells = template.copy()
            cells[_AMOUNT] = str(period.hours)
            yield _finished(month, cells, period, -on_demand[group])
        yield _fee_row(month, plan, fee, period, total, used)


def _fee_row(month: Month, plan: SavingsPlan, template: Cells, period: Period, total: Decimal, used: Decimal) -> Cells:
    recurring, amortized = plan.recurring_hourly * period.hours, plan.upfront_hourly * period.hours
    cells = template.copy()
    cells[_AMOUNT] = str(period.hours)
    cells[_TOTAL] = plain(total)
    cells[_USED] = plain(used)
    cells[_AMORTIZED_UPFRONT] = plain(amortized)
    cells[_RECURRING] = plain(recurring)
    cells[_NET_AMORTIZED_UPFRONT] = plain(net_of(amortized, _DISCOUNT))
    cells[_NET_RECURRING] = plain(net_of(recurring, _DISCOUNT))
    return _finished(month, cells, period, recurring)


def _finished(month: Month, cells: Cells, period: Period, cost: Decimal) -> Cells:
    month.place(cells, period)
    month.charge(cells, cost, _DISCOUNT)
    return cells


def _upfront_rows(month: Month, plan: SavingsPlan) -> Iterator[Cells]:
    bought = Period.of(plan.start, plan.end)
    fields = _plan_fields(plan) | _fee_fields(plan) | {"lineItem/UsageAmount": "1", "pricing/unit": "Quantity"}
    purchase = {"bill/BillType": "Purchase", "bill/InvoiceId": month.invoice_id("purchase")}
    text = f"1 year {plan.payment.label} Compute Savings Plan upfront fee"
    fee = fields | purchase | {"lineItem/LineItemType": "SavingsPlanUpfrontFee", "lineItem/LineItemDescription": text}
    yield _finished(month, month.row(fee), bought, plan.upfront)
    if plan.returned:
        # AWS's own words: cost reports tell a refunded commitment from other refunds by them.
        text = f"Refund for one-time fee for Savings Plan ID : {plan.number}"
        refund = fields | purchase | {"lineItem/LineItemType": "Refund", "lineItem/LineItemDescription": text}
        yield _finished(month, month.row(refund), bought, -plan.upfront)


def _plan_fields(plan: SavingsPlan) -> dict[str, str]:
    return {
        "savingsPlan/SavingsPlanARN": plan.arn,
        "savingsPlan/OfferingType": "ComputeSavingsPlans",
        "savingsPlan/PaymentOption": plan.payment.label,
        "savingsPlan/PurchaseTerm": "1yr",
        "savingsPlan/Region": "Any",
        "savingsPlan/StartTime": term_stamp(plan.start),
        "savingsPlan/EndTime": term_stamp(plan.end, is_end=True),
    }


def _fee_fields(plan: SavingsPlan) -> dict[str, str]:
    return {
        "lineItem/ProductCode": "ComputeSavingsPlans",
        "product/ProductName": "Savings Plans for AWS Compute usage",
        "product/servicecode": "ComputeSavingsPlans",
        "lineItem/UsageType": f"ComputeSP:1yr{plan.payment.label.replace(' ', '')}",
        "lineItem/LineItemDescription": f"1 year {plan.payment.label} Compute Savings Plan",
        "product/sku": "SKUSPCOMPUTE1YR",
        "lineItem/ResourceId": plan.arn,
    }


def _fee_template(month: Month, plan: SavingsPlan) -> Cells:
    kind = {"lineItem/LineItemType": "SavingsPlanRecurringFee", "pricing/unit": "Hrs"}
    return month.row(_plan_fields(plan) | _fee_fields(plan) | kind)


def _covered_template(month: Month, plan: SavingsPlan, slot: int) -> Cells:
    size = plan.covered[slot]
    account = month.account_ids[slot % plan.groups % len(month.account_ids)]
    fields = usage_fields(month, ON_DEMAND[size], "us-east-1", account) | _plan_fields(plan)
    tags = {f"resourceTags/{key}": text for key, text in TAG_VALUES[slot % len(TAG_VALUES)].items()}
    return month.row(
        fields
        | tags
        | {
            "lineItem/LineItemType": "SavingsPlanCoveredUsage",
            "lineItem/ResourceId": f"i-0{plan.number[:8]}{slot:08x}",
            "savingsPlan/SavingsPlanRate": plain(savings_plan_rate(size)),
            "costCategory/Team": "payments",
        }
    )


def _negation_template(month: Month, plan: SavingsPlan, group: int) -> Cells:
    size = plan.covered[group]
    account = month.account_ids[group % len(month.account_ids)]
    fields = usage_fields(month, ON_DEMAND[size], "us-east-1", account) | _plan_fields(plan)
    text = f"SavingsPlanNegation used by AccountId : {account} and UsageSku : {fields['product/sku']}"
    kept = {name: fields[name] for name in fields if not name.startswith("pricing/public")}
    return month.row(kept | {"lineItem/LineItemType": "SavingsPlanNegation", "lineItem/LineItemDescription": text})
