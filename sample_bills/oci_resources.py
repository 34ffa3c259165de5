"""The resources a sample tenancy pays for: what they are, where they run, what they cost and how they are tagged."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from sample_bills.oci_bills import OciBill


class Product(NamedTuple):
    """A SKU; ``price`` in units of 10 to the power of minus 10, 0 for what is always free."""

    service: str
    kind: str  # the second part of the resource's OCID, '' where the service gives other ids
    sku: str
    description: str
    price: int
    unit: str
    billing_unit: str
    consumed_unit: str
    measure: str
    meter: str
    zonal: bool


PRODUCTS = (
    Product(
        "COMPUTE",
        "instance",
        "B93113",
        "Compute - Standard - E4 - OCPU",
        250_000_000,
        "OCPU Per Hour",
        "1 OCPU HOURS",
        "MS",
        "OCPU",
        "PIC_COMPUTE_STANDARD_E4",
        True,
    ),
    Product(
        "COMPUTE",
        "instance",
        "B93114",
        "Compute - Standard - E4 - Memory",
        15_000_000,
        "Gigabyte Per Hour",
        "1 GB HOURS",
        "MS",
        "GB",
        "PIC_COMPUTE_STANDARD_E4_MEMORY",
        True,
    ),
    Product(
        "BLOCK_STORAGE",
        "volume",
        "B91961",
        "Storage - Block Volume - Storage",
        342_740,
        "Gigabyte Storage Capacity Per Month",
        "1 GB MONTH",
        "BYTE_MS",
        "BYTES",
        "PIC_BLOCK_STORAGE",
        True,
    ),
    Product(
        "DATABASE",
        "autonomousdatabase",
        "B95702",
        "Oracle Autonomous Transaction Processing - ECPU",
        3_360_000_000,
        "ECPU Per Hour",
        "1 ECPU HOURS",
        "MS",
        "ECPU",
        "PIC_ATP_ECPU",
        False,
    ),
    Product(
        "OBJECTSTORE",
        "",
        "B91628",
        "Oracle Storage Cloud - Object Storage - Standard",
        349_315,
        "Gigabyte Storage Capacity Per Month",
        "1 GB MONTH",
        "BYTE_MS",
        "BYTES",
        "PIC_OBJECT_STORAGE",
        False,
    ),
    Product(
        "NETWORK",
        "vcn",
        "B88327",
        "Outbound Data Transfer - Originating in North America, Europe, and UK",
        85_000_000,
        "Gigabyte Outbound Data Transfer Per Month",
        "1 GB",
        "BYTES",
        "BYTES",
        "PIC_NETWORK_EGRESS",
        False,
    ),
    Product(
        "LOAD_BALANCER",
        "loadbalancer",
        "B93030",
        "Load Balancer Base",
        113_000_000,
        "Load Balancer Hour",
        "1 LB HOURS",
        "MS",
        "LB",
        "PIC_LB_BASE",
        False,
    ),
    Product(
        "TELEMETRY",
        "",
        "B90925",
        "Monitoring - Ingestion - Free",
        0,
        "Million Datapoints",
        "1 MILLION DATAPOINTS",
        "DATAPOINTS",
        "DATAPOINTS",
        "PIC_MONITORING_INGESTION",
        False,
    ),
)
FREE = [number for number, product in enumerate(PRODUCTS) if product.price == 0]

REGIONS = ("eu-frankfurt-1", "us-ashburn-1", "")  # some services name none

TAG_KEYS = (
    "Oracle-Tags.CreatedBy",
    "Oracle-Tags.CreatedOn",
    "Operations.CostCenter",
    "orcl-cloud.free-tier-retained",
    "team",
    "Cost Center",
    r"k8s:io\cluster name",
)
"""Keys as Oracle gives them: a namespace before the first dot, none for free-form tags."""

LATE_TAG = "Operations.Environment"
"""A tag key that comes up with the second half of the bill's first month."""

_COMPARTMENTS = ("acme", "production", "staging", "data platform", "Zürich, lab")


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that is used hour by hour. ``tags`` in the order of ``TAG_KEYS``, then ``LATE_TAG``; '' is none."""

    product: Product
    tenant_id: str
    subscription_id: str
    currency: str
    compartment_id: str
    compartment_name: str
    region: str
    availability_domain: str
    resource_id: str
    overage: bool
    flag: str
    tags: tuple[str, ...]


def resources_of(bill: OciBill) -> list[Resource]:
    """Enough resources for every row of an increment to be of another resource or hour."""
    chance = random.Random(f"{bill.seed}:resources")
    count = max(3 * len(PRODUCTS), -(-bill.rows // bill.hours))
    return [_resource(bill, number, chance) for number in range(count)]


def _resource(bill: OciBill, number: int, chance: random.Random) -> Resource:
    product = PRODUCTS[number % len(PRODUCTS)]
    child = chance.random() < 0.2
    region = chance.choice(REGIONS[:2]) if product.kind else chance.choice(REGIONS)
    letters = f"{chance.getrandbits(60):015x}"
    compartment = chance.randrange(len(_COMPARTMENTS))
    owner = "childroot" if child else "compartment"
    overage = product.price > 0 and chance.random() < 0.15
    return Resource(
        product=product,
        tenant_id=bill.child_tenant_id if child else bill.tenant_id,
        subscription_id=bill.child_subscription_id if child else bill.subscription_id,
        currency=bill.child_currency if child else bill.currency,
        compartment_id=f"ocid1.compartment.oc1..aaaaaaaa{owner}{compartment}",
        compartment_name=_COMPARTMENTS[compartment],
        region=region,
        availability_domain=f"aBCd:{region.upper()}-AD-{1 + number % 3}" if product.zonal else "",
        resource_id=f"ocid1.{product.kind}.oc1.{region}.{letters}" if product.kind else f"acme-bucket-{letters}",
        overage=overage,
        flag="Y" if overage else chance.choice(("N", "N", "false", "")),
        tags=_tags(number, chance),
    )


def _tags(number: int, chance: random.Random) -> tuple[str, ...]:
    teams = ("search", "billing", 'say "hi", team', "")
    return (
        chance.choice(("oracleidentitycloudservice/ada@acme.example", "default/grace@acme.example", "")),
        "2026-01-15T08:30:00.000Z" if number % 2 else "",
        chance.choice(("4711", "0815", "")),
        "true" if number % 11 == 0 else "",
        chance.choice(teams),
        "R&D; naïve" if number % 5 == 0 else "",
        f"oke-{number % 3}" if number % 7 == 0 else "",
        chance.choice(("prod", "test")),
    )
