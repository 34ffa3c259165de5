"""How a load that failed is told in Dagster: what, where, why, what to do, and whether another try may help."""

from __future__ import annotations

import dagster as dg

from cost_lakehouse.errors import CostLakehouseError, DeliveryRefused
from cost_lakehouse.orchestration.assets.load_metadata import metadata_table
from cost_lakehouse.orchestration.failures import error_metadata

CHECK = "delivered_equals_stored"
"""The check of every asset of line items."""


class NothingDelivered(CostLakehouseError):
    """A month was asked for that has no complete delivery; a run that says so must not look like a load."""


def load_failure(error: CostLakehouseError, source: str, month: str) -> dg.Failure:
    """The error as Dagster shows it. Only what may pass by itself (a network, a file still arriving) is retried."""
    lasting = isinstance(error, DeliveryRefused | NothingDelivered)
    metadata: dict[str, dg.MetadataValue] = {
        "source": dg.MetadataValue.text(source),
        "month": dg.MetadataValue.text(month),
        **error_metadata(error),
    }
    if isinstance(error, DeliveryRefused):
        metadata |= rejected_metadata(error)
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=not lasting)


def refused_check(key: dg.AssetKey, error: DeliveryRefused, month: str) -> dg.AssetCheckEvaluation:
    """A refusal as the failed check of its asset: why, and each rejected value with its place."""
    metadata: dict[str, dg.MetadataValue] = {
        "problem": dg.MetadataValue.text(error.problem),
        "what_to_do": dg.MetadataValue.text(error.fix or "See the problem."),
        **rejected_metadata(error),
    }
    description = f"The delivery of {month} was refused; what was loaded before stays."
    return dg.AssetCheckEvaluation(
        asset_key=key, check_name=CHECK, passed=False, metadata=metadata, description=description, blocking=True
    )


def rejected_metadata(error: DeliveryRefused) -> dict[str, dg.MetadataValue]:
    """The rejected values, a row each, and how many there are; empty where a delivery was refused for something else."""
    if not error.rejected:
        return {}
    rows: list[dict[str, str | int]] = [
        {"file": value.file, "record": value.record, "column": value.column, "value": value.value, "reason": value.reason}
        for value in error.rejected
    ]
    return {
        "rejected": dg.MetadataValue.int(error.rejected_count),
        "rejected_values": metadata_table({"file": str, "record": int, "column": str, "value": str, "reason": str}, rows),
    }
