"""How a load that failed is told in Dagster: what, where, why, what to do, and whether another try may help."""

from __future__ import annotations

import dagster as dg

from cost_lakehouse.errors import CostLakehouseError, DeliveryRefused


class NothingDelivered(CostLakehouseError):
    """A month was asked for that has no complete delivery; a run that says so must not look like a load."""


def load_failure(error: CostLakehouseError, source: str, month: str) -> dg.Failure:
    """The error as Dagster shows it. Only what may pass by itself (a network, a file still arriving) is retried."""
    lasting = isinstance(error, DeliveryRefused | NothingDelivered)
    metadata: dict[str, dg.MetadataValue] = {
        "source": dg.MetadataValue.text(source),
        "month": dg.MetadataValue.text(month),
        "problem": dg.MetadataValue.text(error.problem),
        "what_to_do": dg.MetadataValue.text(error.fix or "See the problem."),
        "error_kind": dg.MetadataValue.text(type(error).__name__),
    }
    if isinstance(error, DeliveryRefused) and error.rejected:
        lines = ["| file | record | column | value | reason |", "|---|---:|---|---|---|"]
        lines += [
            f"| {each.file} | {each.record} | {each.column} | `{each.value}` | {each.reason} |" for each in error.rejected
        ]
        metadata["rejected_values"] = dg.MetadataValue.md("\n".join(lines))
        metadata["rejected"] = dg.MetadataValue.int(error.rejected_count)
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=not lasting)
