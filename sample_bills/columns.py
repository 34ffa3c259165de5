"""The columns of a legacy Cost and Usage Report: their names, order, types and snake_case spelling.

Every generated row is a list of texts in the order of ``ALL_COLUMNS``; a delivery writes a part of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum


class Kind(Enum):
    """What a column holds. Rates are text, as in AWS's own Parquet files."""

    TEXT = "String"
    DECIMAL = "BigDecimal"
    TIMESTAMP = "DateTime"
    INTERVAL = "Interval"


def _named(category: str, names: str) -> list[str]:
    return [f"{category}/{name}" for name in names.split()]


IDENTITY = _named("identity", "LineItemId TimeInterval")
BILL = _named(
    "bill",
    "InvoiceId InvoicingEntity BillingEntity BillType PayerAccountId BillingPeriodStartDate BillingPeriodEndDate",
)
LINE_ITEM = _named(
    "lineItem",
    "UsageAccountId LineItemType UsageStartDate UsageEndDate ProductCode UsageType Operation AvailabilityZone ResourceId"
    " UsageAmount NormalizationFactor NormalizedUsageAmount CurrencyCode UnblendedRate UnblendedCost BlendedRate BlendedCost"
    " LineItemDescription TaxType LegalEntity",
)
PRODUCT = _named(
    "product",
    "ProductName availability cacheEngine capacitystatus clockSpeed currentGeneration databaseEngine dedicatedEbsThroughput"
    " deploymentOption durability ecu enhancedNetworkingSupported fromLocation fromLocationType fromRegionCode group"
    " groupDescription instanceFamily instanceType instanceTypeFamily licenseModel location locationType marketoption"
    " maxIopsvolume maxThroughputvolume maxVolumeSize memory networkPerformance normalizationSizeFactor operatingSystem"
    " operation physicalProcessor preInstalledSw processorArchitecture productFamily region regionCode servicecode servicename"
    " sku storage storageClass storageMedia tenancy toLocation toLocationType toRegionCode transferType usagetype vcpu"
    " volumeApiName volumeType",
)
PRICING = _named(
    "pricing",
    "LeaseContractLength OfferingClass PurchaseOption RateCode RateId currency publicOnDemandCost publicOnDemandRate term unit",
)
RESERVATION = _named(
    "reservation",
    "AmortizedUpfrontCostForUsage AmortizedUpfrontFeeForBillingPeriod AvailabilityZone EffectiveCost EndTime"
    " ModificationStatus NormalizedUnitsPerReservation NumberOfReservations RecurringFeeForUsage ReservationARN StartTime"
    " SubscriptionId TotalReservedNormalizedUnits TotalReservedUnits UnitsPerReservation"
    " UnusedAmortizedUpfrontFeeForBillingPeriod UnusedNormalizedUnitQuantity UnusedQuantity UnusedRecurringFee UpfrontValue",
)
SAVINGS_PLAN = _named(
    "savingsPlan",
    "AmortizedUpfrontCommitmentForBillingPeriod EndTime OfferingType PaymentOption PurchaseTerm"
    " RecurringCommitmentForBillingPeriod Region SavingsPlanARN SavingsPlanEffectiveCost SavingsPlanRate StartTime"
    " TotalCommitmentToDate UsedCommitment",
)
COST_CATEGORY = ["costCategory/Business Unit", "costCategory/Team"]
# Two keys that differ by case only are two columns in a CSV file and one column in snake_case.
RESOURCE_TAGS = _named("resourceTags", "aws:createdBy user:CostCenter user:Env user:Name user:Owner user:env")

# Only where the payer has discounts.
NET_LINE_ITEM = _named("lineItem", "NetUnblendedRate NetUnblendedCost")
NET_RESERVATION = _named(
    "reservation",
    "NetAmortizedUpfrontCostForUsage NetAmortizedUpfrontFeeForBillingPeriod NetEffectiveCost NetRecurringFeeForUsage"
    " NetUnusedAmortizedUpfrontFeeForBillingPeriod NetUnusedRecurringFee NetUpfrontValue",
)
NET_SAVINGS_PLAN = _named(
    "savingsPlan",
    "NetAmortizedUpfrontCommitmentForBillingPeriod NetRecurringCommitmentForBillingPeriod NetSavingsPlanEffectiveCost",
)
DISCOUNT = _named("discount", "BundledDiscount Discount EdpDiscount PrivateRateDiscount RiVolumeDiscount TotalDiscount")
# Only where the report is set to split the costs of containers.
SPLIT_LINE_ITEM = _named(
    "splitLineItem",
    "ActualUsage NetSplitCost NetUnusedCost ParentResourceId PublicOnDemandSplitCost PublicOnDemandUnusedCost ReservedUsage"
    " SplitCost SplitUsage SplitUsageRatio UnusedCost",
)
# Columns that a delivery starts to have one day: a newly activated tag, and a category that nobody knew before.
APPEARING = ["resourceTags/user:Project", "sustainability/EmissionsHint"]
# Columns that a delivery ceases to have one day: a tag that was deactivated, a product attribute that no product has any more.
VANISHING = ["product/clockSpeed", "resourceTags/user:Owner"]

ALL_COLUMNS: tuple[str, ...] = tuple(
    IDENTITY
    + BILL
    + LINE_ITEM
    + NET_LINE_ITEM
    + PRODUCT
    + PRICING
    + RESERVATION
    + NET_RESERVATION
    + SAVINGS_PLAN
    + NET_SAVINGS_PLAN
    + DISCOUNT
    + COST_CATEGORY
    + RESOURCE_TAGS
    + SPLIT_LINE_ITEM
    + APPEARING
)
INDEX: dict[str, int] = {name: position for position, name in enumerate(ALL_COLUMNS)}

_TIMESTAMPS = {
    "bill/BillingPeriodStartDate",
    "bill/BillingPeriodEndDate",
    "lineItem/UsageStartDate",
    "lineItem/UsageEndDate",
}
_TEXTS = set(
    _named(
        "reservation",
        "AvailabilityZone EndTime ModificationStatus NormalizedUnitsPerReservation NumberOfReservations ReservationARN"
        " StartTime SubscriptionId TotalReservedNormalizedUnits TotalReservedUnits UnitsPerReservation",
    )
    + _named("savingsPlan", "EndTime OfferingType PaymentOption PurchaseTerm Region SavingsPlanARN SavingsPlanRate StartTime")
    + ["splitLineItem/ParentResourceId"]
)
_DECIMALS = (
    set(_named("lineItem", "UsageAmount NormalizationFactor NormalizedUsageAmount UnblendedCost BlendedCost NetUnblendedCost"))
    | (set(RESERVATION + NET_RESERVATION + SAVINGS_PLAN + NET_SAVINGS_PLAN + SPLIT_LINE_ITEM) - _TEXTS)
    | {"pricing/publicOnDemandCost", "discount/BundledDiscount", "discount/TotalDiscount"}
)


def kind_of(column: str) -> Kind:
    """What ``column`` (slash spelling) holds."""
    if column in _DECIMALS:
        return Kind.DECIMAL
    if column in _TIMESTAMPS:
        return Kind.TIMESTAMP
    return Kind.INTERVAL if column == "identity/TimeInterval" else Kind.TEXT


def snake_case(column: str) -> str:
    """The spelling AWS gives a column in Parquet files: ``reservation/ReservationARN`` is ``reservation_reservation_a_r_n``.

    Rule (AWS, "Querying Cost and Usage Reports manually"): ``_`` before each upper-case letter, lower case, everything that is
    not a letter or digit becomes ``_``, repeated ``_`` collapse, none at the ends.
    """
    spaced = re.sub(r"([A-Z])", r"_\1", column).lower()
    return re.sub(r"_+", "_", re.sub(r"[^a-z0-9]", "_", spaced)).strip("_")


def merged_by_snake_case(columns: Iterable[str]) -> dict[str, list[str]]:
    """Snake_case name -> the columns that are merged into it, in order (more than one where they differ by case only)."""
    merged: dict[str, list[str]] = {}
    for column in columns:
        merged.setdefault(snake_case(column), []).append(column)
    return merged


def delivered_columns(
    *, discounts: bool, split_costs: bool, appearing: bool = False, without: Sequence[str] = ()
) -> tuple[str, ...]:
    """The columns of one delivery in AWS's order: 133 without discounts and split costs, up to 164 with everything."""
    left_out = set(without)
    if not discounts:
        left_out.update(NET_LINE_ITEM, NET_RESERVATION, NET_SAVINGS_PLAN, DISCOUNT)
        left_out.update(_named("splitLineItem", "NetSplitCost NetUnusedCost"))
    if not split_costs:
        left_out.update(SPLIT_LINE_ITEM)
    if not appearing:
        left_out.update(APPEARING)
    return tuple(column for column in ALL_COLUMNS if column not in left_out)
