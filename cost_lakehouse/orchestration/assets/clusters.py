"""Clusters' costs, as Dagster shows them: an asset beside the marts, with the check that each node's parts are its cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dagster as dg

from cost_lakehouse.clusters.inputs import closed_day, fetch_days
from cost_lakehouse.clusters.refresh import ClusterMonth, refresh_clusters
from cost_lakehouse.config import Settings
from cost_lakehouse.errors import CostLakehouseError, LakeError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.tables import CLUSTER_COSTS
from cost_lakehouse.orchestration.constants import TABLE_NAME
from cost_lakehouse.orchestration.decisions import partition_key
from cost_lakehouse.orchestration.failures import failure_after_publishing

CLUSTERS_KEY = dg.AssetKey(CLUSTER_COSTS.split("."))
EQUALS_THE_NODES, EVERYTHING_MATCHED = "parts_equal_the_nodes", "every_node_is_known"
FETCHED_DAYS = 30
Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def cluster_specs(settings: Settings, months: dg.MonthlyPartitionsDefinition) -> list[dg.AssetSpec]:
    """The asset, where `clusters:` names any."""
    if not settings.clusters:
        return []
    return [
        dg.AssetSpec(
            CLUSTERS_KEY,
            deps=[dg.AssetKey(["marts", "aws_daily_summary"])],
            group_name="marts",
            kinds={"python", "iceberg"},
            owners=["team:finops"],
            description="Nodes' and volumes' costs out of the bill, split among namespaces and controllers by what clusters "
            "say was used. A part of the bill told once more: never add it to the bill.",
            partitions_def=months,
            metadata={TABLE_NAME: CLUSTER_COSTS},
        )
    ]


def cluster_check_specs(settings: Settings) -> list[dg.AssetCheckSpec]:
    """The checks' specs."""
    if not settings.clusters:
        return []
    return [
        dg.AssetCheckSpec(
            EQUALS_THE_NODES,
            asset=CLUSTERS_KEY,
            blocking=True,
            description="The parts of every node's and volume's day come to what the bill says it costs, to the last digit. "
            "Where they do not, nothing is written.",
        ),
        dg.AssetCheckSpec(
            EVERYTHING_MATCHED,
            asset=CLUSTERS_KEY,
            description="Clusters speak of every node that their tag names, and of none that the bill does not have. Warns.",
        ),
    ]


def clusters_split(lake: Lake, done: Sequence[Slice]) -> Iterator[Event]:
    """Splits the months that were published. Raises a failure where it cannot; the summaries are published all the same."""
    if not lake.settings.clusters:
        return
    try:
        for cluster in lake.settings.clusters:
            fetch_days(lake.settings, cluster, closed_day(), FETCHED_DAYS)
        found = refresh_clusters(lake, done)
    except CostLakehouseError as error:
        if isinstance(error, LakeError):
            yield dg.AssetCheckEvaluation(
                asset_key=CLUSTERS_KEY, check_name=EQUALS_THE_NODES, passed=False, metadata={"problem": error.problem}
            )
        raise failure_after_publishing(error, "clusters' costs are not split") from None
    for month in sorted({slice_.billing_period for slice_ in done}):
        of_month = [one for one in found if one.slice.billing_period == month]
        yield dg.AssetMaterialization(
            asset_key=CLUSTERS_KEY, partition=partition_key(month), metadata=cluster_metadata(of_month)
        )
    missing = sum(one.without_data + one.not_billed for one in found)
    yield dg.AssetCheckEvaluation(
        asset_key=CLUSTERS_KEY, check_name=EQUALS_THE_NODES, passed=True, metadata={"months": len(found)}
    )
    yield dg.AssetCheckEvaluation(
        asset_key=CLUSTERS_KEY,
        check_name=EVERYTHING_MATCHED,
        passed=not missing,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=cluster_metadata(found),
    )


def cluster_metadata(months: Sequence[ClusterMonth]) -> dict[str, int]:
    """How many rows, and what is not matched."""
    return {
        "dagster/row_count": sum(len(one.rows) for one in months),
        "days_without_cluster_data": sum(one.without_data for one in months),
        "days_not_in_the_bill": sum(one.not_billed for one in months),
    }
