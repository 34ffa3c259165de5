"""A late correction as Dagster shows it: an observation of ``marts/bill_status`` in the month that a delivery changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC

import dagster as dg

from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assets.load_metadata import plain
from cost_lakehouse.orchestration.decisions import partition_key
from cost_lakehouse.proof.late_corrections import LateCorrection, problem_of


def corrections_observed(
    key: dg.AssetKey, slices: Sequence[Slice], corrections: Sequence[LateCorrection]
) -> Iterator[dg.AssetObservation]:
    """An event for each of ``slices`` that was invoiced or closed and is changed: invoice, amount, accounts, since when."""
    for correction in corrections:
        if correction.slice not in slices:
            continue
        problem, fix, lines = problem_of(correction)
        yield dg.AssetObservation(
            asset_key=key,
            partition=partition_key(correction.billing_period),
            description=f"Late correction: {problem}",
            metadata={
                "source": correction.source,
                "delivery_id": correction.delivery_id,
                "invoice_ids": correction.invoice_ids or "none",
                "closed_since": dg.MetadataValue.timestamp(correction.closed_at.replace(tzinfo=UTC).timestamp()),
                "pending": correction.is_pending,
                "change": ", ".join(f"{plain(change)} {currency}" for currency, change in sorted(correction.totals.items())),
                "accounts": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines)),
                "what_to_do": fix,
            },
        )
