"""Split cost allocation: EC2 instances and the EKS pods and ECS tasks on them, whose rows cost nothing of their own."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sample_bills.money import plain
from sample_bills.month import Cells, Month, Period, net_of
from sample_bills.price_list import EC2_SIZES
from sample_bills.savings_plans import ON_DEMAND
from sample_bills.usage import usage_fields

_SIZE = "m5.2xlarge"
_DISCOUNT = "EdpDiscount"
# Share of the instance's cost that is used by, and left unused but given to, each row: together exactly the instance.
_SHARES = (
    ("AmazonEKS", "EKSPod-EC2", "EKS-EC2-vCPU-Hours", "0.30", "0.05"),
    ("AmazonEKS", "EKSPod-EC2", "EKS-EC2-GB-Hours", "0.20", "0.04"),
    ("AmazonECS", "ECSTask-EC2", "ECS-EC2-vCPU-Hours", "0.25", "0.03"),
    ("AmazonECS", "ECSTask-EC2", "ECS-EC2-GB-Hours", "0.10", "0.03"),
)


def container_rows(month: Month) -> Iterator[Cells]:
    """Groups of an instance's own row and four rows that split its cost; about 3 percent of the bill's rows."""
    if not month.bill.split_costs:
        return
    for group in range(max(1, month.bill.rows * 3 // 500)):
        period = month.hours[group * 17 % len(month.hours)]
        account = month.account_ids[group % len(month.account_ids)]
        instance = f"i-0{month.bill.seed % 256:02x}{group:014x}"
        cost = Decimal(EC2_SIZES[_SIZE][0])
        yield _instance_row(month, period, account, instance, cost)
        for share in _SHARES:
            yield _split_row(month, period, account, instance, cost, share)


def _instance_row(month: Month, period: Period, account: str, instance: str, cost: Decimal) -> Cells:
    fields = usage_fields(month, ON_DEMAND[_SIZE], "us-east-1", account)
    own = {
        "lineItem/ResourceId": instance,
        "lineItem/UsageAmount": "1",
        "pricing/publicOnDemandCost": plain(cost),
        "resourceTags/user:Name": "eks-node",
    }
    cells = month.row(fields | own)
    month.place(cells, period)
    month.charge(cells, cost, _DISCOUNT)
    return cells


def _split_row(
    month: Month, period: Period, account: str, instance: str, cost: Decimal, share: tuple[str, str, str, str, str]
) -> Cells:
    code, operation, usage_type, used, unused = share
    is_pod = operation == "EKSPod-EC2"
    name = "pod/prod/shop/cart-7d9f/3c1e" if is_pod else f"task/prod/{instance[3:]}"
    split, left = cost * Decimal(used), cost * Decimal(unused)
    cells = month.row(
        {
            "lineItem/LineItemType": "Usage",
            "lineItem/UsageAccountId": account,
            "lineItem/ProductCode": code,
            "product/ProductName": "Amazon Elastic Container Service" + (" for Kubernetes" if is_pod else ""),
            "product/servicecode": code,
            "lineItem/UsageType": f"USE1-{usage_type}",
            "lineItem/Operation": operation,
            "lineItem/ResourceId": f"arn:aws:{code[6:].lower()}:us-east-1:{account}:{name}",
            "lineItem/UsageAmount": "0.75",
            "lineItem/UnblendedRate": "0",
            "lineItem/LineItemDescription": f"{operation} split of {instance}",
            "product/region": "us-east-1",
            "product/regionCode": "us-east-1",
            "resourceTags/user:Name": "cart" if is_pod else "",
            "splitLineItem/ParentResourceId": instance,
            "splitLineItem/ActualUsage": "0.5",
            "splitLineItem/ReservedUsage": "0.75",
            "splitLineItem/SplitUsage": "0.75",
            "splitLineItem/SplitUsageRatio": used,
            "splitLineItem/SplitCost": plain(split),
            "splitLineItem/UnusedCost": plain(left),
            "splitLineItem/PublicOnDemandSplitCost": plain(split),
            "splitLineItem/PublicOnDemandUnusedCost": plain(left),
            "splitLineItem/NetSplitCost": plain(net_of(split, _DISCOUNT)),
            "splitLineItem/NetUnusedCost": plain(net_of(left, _DISCOUNT)),
        }
    )
    month.place(cells, period)
    month.charge(cells, Decimal(0))
    return cells
