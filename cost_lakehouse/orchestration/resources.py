"""What assets and jobs are given by Dagster: the lake of one configuration."""

from __future__ import annotations

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.lake.catalog import Lake

LAKE = "lake"  # the parameter of an asset: ``lake: dg.ResourceParam[Lake]``


def lake_resources(settings: Settings) -> dict[str, dg.ResourceDefinition]:
    """The resources of a code location or a job, by key; nothing is opened before an asset asks for it."""
    return {LAKE: dg.ResourceDefinition.hardcoded_resource(Lake(settings))}
