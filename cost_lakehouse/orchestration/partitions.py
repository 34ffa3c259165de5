"""The one time slicing of all work: billing months, shared by line items and summaries so that no mapping is needed."""

from __future__ import annotations

import dagster as dg

from cost_lakehouse.config import Settings


def billing_months(settings: Settings) -> dg.MonthlyPartitionsDefinition:
    """Every billing month since ``lake.first_month``, the open one included (``end_offset=1``), in UTC."""
    return dg.MonthlyPartitionsDefinition(
        start_date=settings.lake.first_month.isoformat(),
        timezone="UTC",
        end_offset=1,
    )
