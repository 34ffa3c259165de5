"""The columns of OCI's reports, spelled and ordered as Oracle does, and what a line writes into them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime

from sample_bills.bills import midnight, next_month
from sample_bills.oci_bills import Increment, OciBill, OciReport
from sample_bills.oci_lines import ONE, Line, fixed
from sample_bills.oci_resources import LATE_TAG, TAG_KEYS

COST_COLUMNS = (
    "lineItem/referenceNo",
    "lineItem/tenantId",
    "lineItem/intervalUsageStart",
    "lineItem/intervalUsageEnd",
    "product/service",
    "product/compartmentId",
    "product/compartmentName",
    "product/region",
    "product/availabilityDomain",
    "product/resourceId",
    "usage/billedQuantity",
    "usage/billedQuantityOverage",
    "cost/subscriptionId",
    "cost/productSku",
    "product/Description",
    "cost/unitPrice",
    "cost/unitPriceOverage",
    "cost/myCost",
    "cost/myCostOverage",
    "cost/currencyCode",
    "cost/billingUnitReadable",
    "cost/skuUnitDescription",
    "cost/overageFlag",
    "lineItem/isCorrection",
    "lineItem/backreferenceNo",
)
ATTRIBUTED_COLUMNS = ("cost/attributedCost", "usage/attributedUsage")
"""In newer files only; a share of a shared resource, never to be added to the cost."""

USAGE_COLUMNS = (
    "lineItem/referenceNo",
    "lineItem/tenantId",
    "lineItem/intervalUsageStart",
    "lineItem/intervalUsageEnd",
    "product/service",
    "product/resource",
    "product/compartmentId",
    "product/compartmentName",
    "product/region",
    "product/availabilityDomain",
    "product/resourceId",
    "usage/consumedQuantity",
    "usage/billedQuantity",
    "usage/consumedQuantityUnits",
    "usage/consumedQuantityMeasure",
    "lineItem/isCorrection",
    "lineItem/backreferenceNo",
)

FOCUS_COLUMNS = (
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ChargeSubcategory",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountType",
    "EffectiveCost",
    "InvoiceIssuer",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "Provider",
    "Publisher",
    "Region",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "UsageQuantity",
    "UsageUnit",
    "oci_ReferenceNumber",
    "oci_CompartmentId",
    "oci_CompartmentName",
    "oci_OverageFlag",
    "oci_UnitPriceOverage",
    "oci_BilledQuantityOverage",
    "oci_CostOverage",
    "oci_AttributedUsage",
    "oci_AttributedCost",
    "oci_BackReferenceNumber",
)
"""Names and order of FOCUS 1.0-preview, as Oracle's own reports have them."""

_CATEGORIES = {
    "COMPUTE": "Compute",
    "BLOCK_STORAGE": "Storage",
    "OBJECTSTORE": "Storage",
    "DATABASE": "Databases",
    "NETWORK": "Networking",
    "LOAD_BALANCER": "Networking",
}


def newer(bill: OciBill, increment: Increment) -> bool:
    """Whether the increment's files have the newer columns and the tag that came up later: after its first fortnight."""
    return (increment.start.date() - bill.months[0]).days >= 14


def columns_of(bill: OciBill, report: OciReport, increment: Increment) -> tuple[str, ...]:
    """The header of the increment's file of a report; cost and usage files have a column a tag key that occurs."""
    if report is OciReport.FOCUS:
        return FOCUS_COLUMNS
    late = newer(bill, increment)
    keys = (*TAG_KEYS, LATE_TAG) if late else TAG_KEYS
    tags = tuple(f"tags/{key}" for key in keys)
    if report is OciReport.USAGE:
        return USAGE_COLUMNS + tags
    return COST_COLUMNS + (ATTRIBUTED_COLUMNS if late else ()) + tags


def cells_of(bill: OciBill, report: OciReport, increment: Increment) -> Callable[[Line], list[str]]:
    """What turns a line into the cells of the increment's file of a report."""
    late = newer(bill, increment)
    times = _Times(increment.index)
    if report is OciReport.FOCUS:
        return lambda line: _focus_cells(line, times, late)
    tags = len(TAG_KEYS) + 1 if late else len(TAG_KEYS)
    if report is OciReport.USAGE:
        return lambda line: [*_usage_cells(line, times), *line.resource.tags[:tags]]
    return lambda line: [*_cost_cells(line, times), *(_attributed(line) if late else ()), *line.resource.tags[:tags]]


class _Times:
    """Both spellings that occur: with and without seconds, in some files even within a row."""

    def __init__(self, index: int) -> None:
        self._start = "%Y-%m-%dT%H:%M:%SZ" if index % 3 == 1 else "%Y-%m-%dT%H:%MZ"
        self._end = "%Y-%m-%dT%H:%MZ" if index % 3 == 2 else "%Y-%m-%dT%H:%M:%SZ"
        self._known: dict[datetime, tuple[str, str]] = {}

    def of(self, line: Line) -> tuple[str, str]:
        """Start and end of the line's hour as text."""
        found = self._known.get(line.start)
        if found is None:
            found = self._known[line.start] = (line.start.strftime(self._start), line.end.strftime(self._end))
        return found


def _price(line: Line) -> str:
    return fixed(line.resource.product.price * (ONE // 10**10))


def _cost_cells(line: Line, times: _Times) -> list[str]:
    resource, product = line.resource, line.resource.product
    start, end = times.of(line)
    overage = line.quantity_overage
    price = _price(line)
    return [
        line.reference,
        resource.tenant_id,
        start,
        end,
        product.service,
        resource.compartment_id,
        resource.compartment_name,
        resource.region,
        resource.availability_domain,
        resource.resource_id,
        fixed(line.quantity),
        "" if overage is None else fixed(overage),
        resource.subscription_id,
        product.sku,
        product.description,
        price,
        price if resource.overage else "",
        fixed(line.cost),
        fixed(line.cost_overage),
        line.currency,
        product.billing_unit,
        product.unit,
        resource.flag,
        "true" if line.is_correction else "false",
        line.corrects.reference if line.corrects else "",
    ]


def _attributed(line: Line) -> tuple[str, str]:
    return (fixed(line.attributed), fixed(line.quantity // 3)) if line.attributed else ("", "")


def _usage_cells(line: Line, times: _Times) -> list[str]:
    resource, product = line.resource, line.resource.product
    start, end = times.of(line)
    return [
        line.reference,
        resource.tenant_id,
        start,
        end,
        product.service,
        product.meter,
        resource.compartment_id,
        resource.compartment_name,
        resource.region,
        resource.availability_domain,
        resource.resource_id,
        str(consumed(line)),
        fixed(line.quantity - line.quantity % 10**12),
        product.consumed_unit,
        product.measure,
        "true" if line.is_correction else "false",
        line.corrects.reference if line.corrects else "",
    ]


def consumed(line: Line) -> int:
    """The quantity in the small unit of usage reports: bytes times milliseconds make large numbers."""
    return line.quantity // 10**9 * (3_600_000 if line.resource.product.consumed_unit == "BYTE_MS" else 1)


def _focus_cells(line: Line, times: _Times, late: bool) -> list[str]:
    resource, product = line.resource, line.resource.product
    start, end = times.of(line)
    month = line.day.replace(day=1)
    cost, quantity, price = fixed(line.cost), fixed(line.quantity), _price(line)
    attributed_cost, attributed_usage = _attributed(line) if late else ("", "")
    overage = line.quantity_overage
    return [
        resource.availability_domain,
        cost,
        resource.subscription_id,
        "",
        line.currency,
        midnight(next_month(month)).strftime("%Y-%m-%dT%H:%MZ"),
        midnight(month).strftime("%Y-%m-%dT%H:%MZ"),
        "Usage",
        product.description,
        "Usage-based",
        end,
        start,
        "On-Demand",
        *[""] * 4,
        cost,
        "",
        cost,
        price,
        "",
        quantity,
        product.unit,
        "Oracle",
        "Oracle",
        resource.region,
        resource.resource_id,
        "",
        product.kind,
        _CATEGORIES.get(product.service, "Other"),
        product.service,
        product.sku,
        "",
        resource.tenant_id,
        "",
        _tags_text(resource.tags, late),
        quantity,
        product.unit,
        line.reference,
        resource.compartment_id,
        resource.compartment_name,
        resource.flag,
        price if resource.overage else "",
        "" if overage is None else fixed(overage),
        fixed(line.cost_overage),
        attributed_usage,
        attributed_cost,
        line.corrects.reference if line.corrects else "",
    ]


def _tags_text(tags: Sequence[str], late: bool) -> str:
    keys = (*TAG_KEYS, LATE_TAG) if late else TAG_KEYS
    return json.dumps({key: tag for key, tag in zip(keys, tags, strict=False) if tag}, ensure_ascii=False)
