"""On-demand, Spot, tiered and Marketplace usage: the bulk of a bill, streamed row by row from prepared templates."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sample_bills.columns import INDEX
from sample_bills.faults import Fault
from sample_bills.money import plain, units
from sample_bills.month import Cells, Month, net_of
from sample_bills.price_list import PRICES, REGIONS, TAG_VALUES, TEAMS, Amounts, Price

_FEWEST_RESOURCES, _MOST_RESOURCES = 40, 1_000  # of one template
_AMOUNT = INDEX["lineItem/UsageAmount"]
_FACTOR = INDEX["lineItem/NormalizationFactor"]
_NORMALIZED = INDEX["lineItem/NormalizedUsageAmount"]
_RESOURCE = INDEX["lineItem/ResourceId"]
_CURRENCY = INDEX["lineItem/CurrencyCode"]
_PRICING_CURRENCY = INDEX["pricing/currency"]
_PUBLIC_COST = INDEX["pricing/publicOnDemandCost"]
# Fault.FINE_FRACTIONS: a rate of 15 digits times an amount of 10 gives costs of 25 fractional digits.
_FINE_RATE = Decimal("0.000012345678917")

CHANGED_EVERY, VANISHED_EVERY, FOREIGN_EVERY, FINE_EVERY = 37, 41, 29, 101
"""Where the fault is asked for: every how many-th usage row changes, vanishes, has a second currency or fine fractions."""


@dataclass(frozen=True)
class _Template:
    price: Price
    cells: Cells
    rate: Decimal
    public_rate: Decimal
    resources: tuple[str, ...]


def usage_rows(month: Month) -> Iterator[Cells | None]:
    """Usage rows without end; None stands for a row that has vanished by a fault. Hours are in no order, as in real reports."""
    templates = _templates(month)
    chance = month.random("usage")
    faults = month.delivery.faults
    changed, vanished = Fault.CHANGED_ROWS in faults, Fault.VANISHED_ROWS in faults
    foreign, fine = Fault.TWO_CURRENCIES in faults, Fault.FINE_FRACTIONS in faults
    second_currency = "EUR" if month.bill.currency != "EUR" else "USD"
    number = 0
    while True:
        number += 1
        template = templates[int(chance.random() * len(templates))]
        hour = month.hours[int(chance.random() * len(month.hours))]
        resource = template.resources[int(chance.random() * len(template.resources))] if template.resources else ""
        amount, text = _amount(template.price.amounts, month.bill.amount_digits, chance)
        if vanished and number % VANISHED_EVERY == 0:
            yield None
            continue
        if changed and number % CHANGED_EVERY == 0:
            amount += 2
            text = plain(amount)
        cells = template.cells.copy()
        rate, discount = template.rate, template.price.discount
        if foreign and number % FOREIGN_EVERY == 0:
            cells[_CURRENCY] = cells[_PRICING_CURRENCY] = second_currency
        if fine and number % FINE_EVERY == 0:
            rate, discount = _FINE_RATE, ""
        cells[_AMOUNT] = text
        cells[_RESOURCE] = resource
        if cells[_FACTOR]:
            cells[_NORMALIZED] = plain(amount * Decimal(cells[_FACTOR]))
        cells[_PUBLIC_COST] = plain(amount * template.public_rate)
        month.place(cells, hour)
        month.charge(cells, amount * rate, discount)
        yield cells


def free_row(month: Month, number: int) -> Cells:
    """A row of free-tier usage at no cost."""
    cells = month.row(
        {
            "lineItem/LineItemType": "Usage",
            "lineItem/ProductCode": "AmazonCloudWatch",
            "product/ProductName": "AmazonCloudWatch",
            "product/productFamily": "Alarm",
            "product/servicecode": "AmazonCloudWatch",
            "lineItem/UsageType": "CW:AlarmMonitorUsage",
            "lineItem/Operation": "Unknown",
            "lineItem/UsageAmount": "1",
            "lineItem/UnblendedRate": "0.0",
            "lineItem/LineItemDescription": "$0.00 per alarm-month - first 10 alarms",
            "pricing/unit": "Alarms",
            "pricing/term": "OnDemand",
            "pricing/publicOnDemandCost": "0",
            "pricing/publicOnDemandRate": "0",
        }
    )
    month.place(cells, month.hours[number * 13 % len(month.hours)])
    month.charge(cells, Decimal(0))
    return cells


def _amount(kind: Amounts, digits: int, chance: random.Random) -> tuple[Decimal, str]:
    draw = chance.random()
    if kind is Amounts.HOURS:
        amount = Decimal(1) if draw < 0.4 else units(int(draw * 10**digits), digits)
    elif kind is Amounts.VOLUME:
        amount = units(int(draw * draw * draw * 300 * 10**digits), digits)
    elif kind is Amounts.REQUESTS:
        amount = Decimal(int(draw * draw * 5000))
    elif digits < 10:
        amount = units(1 + int(draw * 100), digits)
    else:
        amount = units(1 + int(draw * 10_000), digits)
        return amount, f"{amount:E}" if draw < 0.5 else plain(amount)
    return amount, plain(amount)


def _templates(month: Month) -> list[_Template]:
    chance = month.random("templates")
    templates = []
    resources = min(_MOST_RESOURCES, max(_FEWEST_RESOURCES, month.bill.rows // 1_000))
    for price in PRICES:
        for _ in range(price.weight * 6):
            region = chance.choice(list(REGIONS))
            account = chance.choice(month.account_ids)
            cells = month.row(usage_fields(month, price, region, account))
            _dress(cells, chance)
            ids = [f"{chance.getrandbits(64):016x}" for _ in range(resources)] if price.resource else []
            rate = price.decimal_rate
            public = Decimal(price.public_rate) if price.public_rate else rate
            names = tuple(price.resource.format(region=region, account=account, id=id_) for id_ in ids)
            templates.append(_Template(price, cells, rate, public, names))
    return templates


def usage_fields(month: Month, price: Price, region: str, account: str) -> dict[str, str]:
    """The fields that all usage of ``price`` in ``region`` by ``account`` has in common."""
    location, abbreviation = REGIONS[region]
    prefix = "" if region == "us-east-1" else f"{abbreviation}-"
    sku = f"{random.Random(f'{price.product_code}{price.usage_type}{region}').getrandbits(60):X}"
    is_marketplace = price.fields.get("bill/BillingEntity") == "AWS Marketplace"
    fields = {
        "lineItem/LineItemType": "Usage",
        "bill/InvoiceId": month.invoice_id("marketplace" if is_marketplace else "usage"),
        "lineItem/UsageAccountId": account,
        "lineItem/ProductCode": price.product_code,
        "lineItem/UsageType": prefix + price.usage_type,
        "lineItem/Operation": price.operation,
        "lineItem/AvailabilityZone": f"{region}a" if price.amounts is Amounts.HOURS else "",
        "lineItem/UnblendedRate": price.rate,
        "lineItem/BlendedRate": price.rate,
        "lineItem/NetUnblendedRate": plain(net_of(price.decimal_rate, price.discount)),
        "lineItem/LineItemDescription": price.description.replace("{location}", location).replace("{region}", region),
        "product/ProductName": price.product_name,
        "product/productFamily": price.family,
        "product/servicecode": price.product_code,
        "product/servicename": price.product_name,
        "product/sku": sku,
        "product/usagetype": prefix + price.usage_type,
        "product/operation": price.operation,
        "product/region": region,
        "product/regionCode": region,
        "product/location": location,
        "product/locationType": "AWS Region",
        "pricing/unit": price.unit,
        "pricing/term": "OnDemand",
        "pricing/RateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7",
        "pricing/RateId": str(int(sku, 16) % 10**10),
        "pricing/publicOnDemandRate": price.public_rate or price.rate,
    }
    fields.update({f"product/{name}": text for name, text in price.attributes.items()})
    return fields | dict(price.fields)


def _dress(cells: Cells, chance: random.Random) -> None:
    """Give a row its tags and cost categories."""
    for key, text in chance.choice(TAG_VALUES).items():
        cells[INDEX[f"resourceTags/{key}"]] = text
    unit, team = chance.choice(TEAMS)
    cells[INDEX["costCategory/Business Unit"]] = unit
    cells[INDEX["costCategory/Team"]] = team
    if chance.random() < 0.7:
        cells[INDEX["resourceTags/aws:createdBy"]] = f"AssumedRole:AROA{chance.getrandbits(64):016X}:terraform"
    if chance.random() < 0.3:
        cells[INDEX["resourceTags/user:Project"]] = chance.choice(("apollo", "Gemini"))
        cells[INDEX["sustainability/EmissionsHint"]] = chance.choice(("low", "0.5"))
