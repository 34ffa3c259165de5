"""What OpenCost calls the properties of a cost, and the dimensions that they are here. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from cost_lakehouse.errors import ConfigurationError, shortened

UNALLOCATED = "__unallocated__"
"""Stands for a value that is missing."""

DIMENSIONS: Mapping[str, str | None] = {
    "invoiceEntityID": "payer",
    "invoiceEntityName": "payer",
    "accountID": "account",
    "accountName": "account_name",
    "regionID": "region",
    "availabilityZone": "zone",
    "provider": "provider",
    "providerID": None,  # a resource: the daily summaries have none
    "category": "category",
    "service": "service",
}
ITEM = ("invoiceEntityID", "accountID", "provider", "providerID", "category", "service")
"""The properties that costs are told apart by where nothing is asked for."""

PROVIDERS: Mapping[str, str] = {"aws": "AWS", "oci": "Oracle", "azure": "Azure", "gcp": "GCP"}
"""Our names of clouds, and OpenCost's."""

KUBERNETES_SERVICES = ("AmazonEKS", "CONTAINER_ENGINE", "CONTAINER_ENGINE_FOR_KUBERNETES")
KUBERNETES_TAGS = (
    "aws_eks_cluster_name", "eks_cluster_name", "user_eks_cluster_name", "alpha_eksctl_io_cluster_name",
    "user_alpha_eksctl_io_cluster_name", "kubernetes_io_service_name", "user_kubernetes_io_service_name",
    "kubernetes_io_created_for_pvc_name", "user_kubernetes_io_created_for_pvc_name",
    "kubernetes_io_created_for_pv_name", "user_kubernetes_io_created_for_pv_name",
)  # fmt: skip
"""What marks a cost as a cluster's: OpenCost's keys in the form that marts keep AWS's tags in, with its prefix and without."""


def property_of(text: str) -> str:
    """A property as OpenCost writes it, whatever its case; ``label:team`` stays. Raises ConfigurationError."""
    name = text.strip()
    if name.startswith("label:") and name.removeprefix("label:").strip():
        return f"label:{name.removeprefix('label:').strip()}"
    for known in DIMENSIONS:
        if known.lower() == name.lower():
            return known
    raise ConfigurationError(
        f"{shortened(name)!r} is no property of a cloud cost.", f"Use some of {', '.join(DIMENSIONS)}, label:KEY."
    )


def dimension_of(name: str) -> str | None:
    """The dimension that a property is; None where there is none, and it is always missing."""
    return f"tag:{name.removeprefix('label:')}" if name.startswith("label:") else DIMENSIONS[name]


def shown_value(name: str, value: str | None) -> str:
    """A property's value as OpenCost writes it; "" where it is missing."""
    return PROVIDERS.get(value or "", value or "") if name == "provider" else value or ""
