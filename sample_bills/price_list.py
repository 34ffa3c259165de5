"""What is sold: services with usage types, rates and product attributes, and the places and texts that bills show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

REGIONS: Mapping[str, tuple[str, str]] = {
    "us-east-1": ("US East (N. Virginia)", "USE1"),
    "eu-central-1": ("EU (Frankfurt)", "EUC1"),
    "ap-northeast-1": ("Asia Pacific (Tokyo)", "APN1"),
}
EC2_SIZES: Mapping[str, tuple[str, str, str]] = {
    # instance type: on-demand rate, normalization factor, vCPUs
    "m5.large": ("0.096", "4", "2"),
    "m5.2xlarge": ("0.384", "16", "8"),
    "c6g.xlarge": ("0.136", "8", "4"),
    "r5.4xlarge": ("1.008", "32", "16"),
    "t3.nano": ("0.0052", "0.25", "2"),
}
TAG_VALUES: tuple[Mapping[str, str], ...] = (
    {"user:CostCenter": "cc-1042", "user:Env": "prod", "user:Name": "checkout-api", "user:Owner": "payments@acme.example"},
    {"user:CostCenter": "Zürich, Büro 4", "user:env": "Prod", "user:Name": 'the "blue" cluster', "user:Owner": "Łukasz"},
    {"user:CostCenter": "0042", "user:Env": "staging", "user:Name": "web 世界 🌍"},
    {"user:Env": "dev", "user:env": "development", "user:Name": "first line\nsecond line", "user:Owner": "O'Neil, Anna"},
    {"user:CostCenter": "cc-7", "user:Name": " spaces kept "},
    {},
)
TEAMS: tuple[tuple[str, str], ...] = (("Retail", "payments"), ("Platform & Data", "Søk, ranking"), ("", "Uncategorized"))


class Amounts(Enum):
    """How the usage amounts of a price vary."""

    HOURS = "hours"  # one hour, or a part of it
    VOLUME = "volume"  # anything up to some hundreds
    REQUESTS = "requests"  # a whole number
    TINY = "tiny"  # written with an exponent


@dataclass(frozen=True)
class Price:
    """One usage type of one service at one rate (for each ``unit``, in the bill's currency)."""

    product_code: str
    product_name: str
    family: str
    usage_type: str  # without the region's abbreviation
    operation: str
    unit: str
    rate: str
    description: str
    amounts: Amounts
    resource: str  # a pattern with {region}, {account} and {id}; empty where the row names no resource
    weight: int = 1  # how often the price occurs
    discount: str = "EdpDiscount"  # the kind of discount it gets; empty: none
    public_rate: str = ""  # where it differs from the rate (Spot)
    attributes: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def decimal_rate(self) -> Decimal:
        """The rate as a number."""
        return Decimal(self.rate)


def instance_attributes(instance_type: str) -> dict[str, str]:
    """The ``product/*`` attributes of an EC2 instance type."""
    _, factor, vcpus = EC2_SIZES[instance_type]
    return {
        "instanceType": instance_type,
        "instanceTypeFamily": instance_type.split(".")[0],
        "instanceFamily": "General purpose",
        "operatingSystem": "Linux",
        "vcpu": vcpus,
        "memory": f"{int(vcpus) * 4} GiB",
        "networkPerformance": "Up to 10 Gigabit",
        "physicalProcessor": "Intel Xeon Platinum 8175 (Skylake)",
        "processorArchitecture": "64-bit",
        "clockSpeed": "3.1 GHz",
        "currentGeneration": "Yes",
        "capacitystatus": "Used",
        "enhancedNetworkingSupported": "Yes",
        "dedicatedEbsThroughput": "Up to 2120 Mbps",
        "licenseModel": "No License required",
        "marketoption": "OnDemand",
        "normalizationSizeFactor": factor,
        "preInstalledSw": "NA",
        "storage": "EBS only",
        "tenancy": "Shared",
        "availability": "99.99%",
        "ecu": "10",
    }


EC2 = ("AmazonEC2", "Amazon Elastic Compute Cloud")
S3 = ("AmazonS3", "Amazon Simple Storage Service")
_INSTANCE = "i-0{id}"
_INSTANCE_HOURS = tuple(
    Price(
        *EC2,
        "Compute Instance",
        f"BoxUsage:{size}",
        "RunInstances",
        "Hrs",
        rate,
        f"${rate} per On Demand Linux {size} Instance Hour",
        Amounts.HOURS,
        _INSTANCE,
        weight=6,
        attributes=instance_attributes(size),
        fields={"lineItem/NormalizationFactor": factor},
    )
    for size, (rate, factor, _) in EC2_SIZES.items()
)
_STORAGE = {
    "storageClass": "General Purpose",
    "volumeType": "Standard",
    "durability": "99.999999999%",
    "storageMedia": "Amazon S3",
}

PRICES: tuple[Price, ...] = (
    *_INSTANCE_HOURS,
    Price(
        *EC2,
        "Compute Instance",
        "SpotUsage:m5.large",
        "RunInstances:SV001",
        "Hrs",
        "0.0351",
        "m5.large Linux/UNIX Spot Instance-hour in {location} in VPC Zone #1",
        Amounts.HOURS,
        _INSTANCE,
        weight=4,
        public_rate="0.096",
        attributes=instance_attributes("m5.large") | {"marketoption": "Spot"},
        fields={"pricing/term": "Spot", "lineItem/NormalizationFactor": "4"},
    ),
    Price(
        *EC2,
        "Storage",
        "EBS:VolumeUsage.gp3",
        "CreateVolume-Gp3",
        "GB-Mo",
        "0.08",
        '$0.08 per GB-month of General Purpose (gp3) "provisioned storage"',
        Amounts.VOLUME,
        "vol-0{id}",
        weight=6,
        attributes={
            "volumeApiName": "gp3",
            "volumeType": "General Purpose",
            "maxIopsvolume": "16000",
            "maxThroughputvolume": "1000 MiB/s",
            "maxVolumeSize": "16 TiB",
            "storageMedia": "SSD-backed",
        },
    ),
    # Tiers: the same usage type at two rates.
    Price(
        *S3,
        "Storage",
        "TimedStorage-ByteHrs",
        "StandardStorage",
        "GB-Mo",
        "0.023",
        "$0.023 per GB - first 50 TB / month of storage used",
        Amounts.VOLUME,
        "acme-data-{id}",
        weight=4,
        attributes=_STORAGE,
    ),
    Price(
        *S3,
        "Storage",
        "TimedStorage-ByteHrs",
        "StandardStorage",
        "GB-Mo",
        "0.022",
        "$0.022 per GB - next 450 TB / month of storage used",
        Amounts.VOLUME,
        "acme-data-{id}",
        weight=2,
        public_rate="0.022",
        attributes=_STORAGE,
    ),
    Price(
        *S3,
        "API Request",
        "Requests-Tier1",
        "PutObject",
        "Requests",
        "0.000005",
        "$0.005 per 1,000 PUT, COPY, POST, or LIST requests",
        Amounts.REQUESTS,
        "acme-data-{id}",
        weight=4,
        attributes={"group": "S3-API-Tier1", "groupDescription": "PUT/COPY/POST or LIST requests"},
    ),
    Price(
        "AWSLambda",
        "AWS Lambda",
        "Serverless",
        "Lambda-GB-Second",
        "Invoke",
        "Lambda-GB-Second",
        "0.0000166667",
        "AWS Lambda - Total Compute - {location}",
        Amounts.TINY,
        "arn:aws:lambda:{region}:{account}:function:resize-{id}",
        weight=6,
        discount="",
        attributes={"group": "AWS-Lambda-Duration", "groupDescription": "Invocation duration weighted by memory"},
    ),
    Price(
        *EC2,
        "Data Transfer",
        "DataTransfer-Out-Bytes",
        "RunInstances",
        "GB",
        "0.09",
        "$0.09 per GB - first 10 TB / month data transfer out beyond the global free tier",
        Amounts.VOLUME,
        _INSTANCE,
        weight=4,
        discount="PrivateRateDiscount",
        attributes={
            "transferType": "AWS Outbound",
            "fromLocation": "US East (N. Virginia)",
            "fromLocationType": "AWS Region",
            "fromRegionCode": "us-east-1",
            "toLocation": "External",
            "toLocationType": "Other",
        },
    ),
    Price(
        "AmazonRDS",
        "Amazon Relational Database Service",
        "Database Instance",
        "InstanceUsage:db.r5.large",
        "CreateDBInstance:0014",
        "Hrs",
        "0.25",
        "$0.25 per RDS db.r5.large Single-AZ instance hour (or partial hour) running PostgreSQL",
        Amounts.HOURS,
        "arn:aws:rds:{region}:{account}:db:orders-{id}",
        weight=3,
        attributes={"databaseEngine": "PostgreSQL", "deploymentOption": "Single-AZ", "instanceType": "db.r5.large"},
    ),
    Price(
        "AmazonElastiCache",
        "Amazon ElastiCache",
        "Cache Instance",
        "NodeUsage:cache.m5.large",
        "CreateCacheCluster:0002",
        "Hrs",
        "0.156",
        "$0.156 per M5 Large Cache node-hour (or partial hour) running Redis",
        Amounts.HOURS,
        "arn:aws:elasticache:{region}:{account}:cluster:sessions-{id}",
        discount="Discount",
        attributes={"cacheEngine": "Redis", "instanceType": "cache.m5.large"},
    ),
    Price(
        "awswaf",
        "AWS WAF",
        "Web Application Firewall",
        "RequestV2-Tier1",
        "",
        "Requests",
        "0.0000006",
        "$0.60 per million requests processed",
        Amounts.REQUESTS,
        "",
        discount="BundledDiscount",
    ),
    Price(
        "3x5abcdmarketplace",
        "Red Hat Enterprise Linux",
        "",
        "SoftwareUsage:m5.large",
        "Hourly",
        "Hrs",
        "0.06",
        "AWS Marketplace hourly software usage|{region}|m5.large",
        Amounts.HOURS,
        "arn:aws:ec2:{region}:{account}:instance/i-0{id}",
        discount="",
        fields={"bill/BillingEntity": "AWS Marketplace", "lineItem/LegalEntity": "Red Hat, Inc."},
    ),
)
