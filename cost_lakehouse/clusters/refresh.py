"""Works ``marts.cluster_costs`` out of a month's bill and what its clusters say, and proves it before it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from cost_lakehouse.clusters.bill import NodeBill, node_bill
from cost_lakehouse.clusters.inputs import usage_of
from cost_lakehouse.clusters.split import ClusterCost, ResourceDay, split
from cost_lakehouse.clusters.usage import NO_DATA, NOT_IN_THE_BILL
from cost_lakehouse.config.clusters import ClusterSettings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.small_tables import replace_rows
from cost_lakehouse.lake.tables import CLUSTER_COST_COLUMNS, CLUSTER_COSTS

BASIS = "effective"
_LOCK_WAIT_SECONDS = 600.0


@dataclass(frozen=True)
class ClusterMonth:
    """A month's nodes and volumes, split."""

    slice: Slice
    delivery_id: str
    rows: tuple[ClusterCost, ...]

    def nodes_of(self, namespace: str) -> int:
        """How many days of nodes and volumes are wholly of that namespace, such as ``NO_DATA``."""
        return len({(row.place.day, row.place.resource) for row in self.rows if row.workload.namespace == namespace})

    @property
    def without_data(self) -> int:
        """Tagged nodes' days of which no cluster says anything."""
        return self.nodes_of(NO_DATA)

    @property
    def not_billed(self) -> int:
        """Nodes' and volumes' days that clusters speak of and the bill does not have."""
        return self.nodes_of(NOT_IN_THE_BILL)


def refresh_clusters(lake: Lake, slices: Sequence[Slice]) -> list[ClusterMonth]:
    """Work these months out anew, where their source has clusters, and write them; what was written.

    Raises LakeError where parts and bill differ: nothing is written then; SourceError where a cluster's files cannot be read.
    """
    by_source: dict[str, list[ClusterSettings]] = {}
    for cluster in lake.settings.clusters:
        by_source.setdefault(cluster.source, []).append(cluster)
    wanted = [slice_ for slice_ in sorted(set(slices)) if slice_.source in by_source]
    if not wanted:
        return []
    with lake.lock("publish", "Splitting clusters' costs", _LOCK_WAIT_SECONDS):
        found = [one for slice_ in wanted if (one := _month(lake, slice_, by_source[slice_.source])) is not None]
        rows: dict[Slice, list[dict[str, Any]]] = {slice_: [] for slice_ in wanted}
        rows |= {one.slice: rows_of(one) for one in found}
        replace_rows(lake, CLUSTER_COSTS, CLUSTER_COST_COLUMNS, rows)
    return found


def _month(lake: Lake, slice_: Slice, clusters: Sequence[ClusterSettings]) -> ClusterMonth | None:
    bill = node_bill(lake, slice_)
    if bill.delivery_id is None:
        return None
    usages = [*bill.shares]
    for cluster in clusters:
        usages += usage_of(lake.settings, cluster, slice_.billing_period)
    days = {place.day for place in bill.costs}
    told = [usage for usage in usages if usage.day in days or usage.day.replace(day=1) == slice_.billing_period]
    rows = split(bill.costs, told, _members(bill, clusters), {cluster.name: cluster.pods for cluster in clusters})
    prove(slice_, rows, bill)
    return ClusterMonth(slice_, bill.delivery_id, tuple(rows))


def prove(slice_: Slice, rows: Sequence[ClusterCost], bill: NodeBill) -> None:
    """Raises LakeError where the parts of a node's or volume's day do not come to what the bill says it costs."""
    sums: dict[ResourceDay, tuple[Decimal, int]] = {}
    for row in rows:
        if row.workload.namespace != NOT_IN_THE_BILL:
            cost, count = sums.get(row.place, (Decimal(0), 0))
            sums[row.place] = (EXACT.add(cost, row.cost), count + row.line_item_count)
    for place, (cost, count) in sums.items():
        known = bill.costs.get(place)
        if known is None or known.cost != cost or known.line_item_count != count:
            raise LakeError(
                f"{slice_}, {place.resource} on {place.day}: its parts come to {cost} {place.currency_code or ''}, "
                f"the bill says {known.cost if known else 'nothing'}.",
                "Nothing was written; please report this.",
            )


def rows_of(month: ClusterMonth) -> list[dict[str, Any]]:
    """The rows of ``marts.cluster_costs``. Pure."""
    found = []
    for row in month.rows:
        grain = {
            "source": month.slice.source,
            "billing_period": month.slice.billing_period,
            "usage_date": row.place.day,
            "account_id": row.place.account_id,
            "cluster": row.workload.cluster,
            "namespace": row.workload.namespace,
            "controller_kind": row.workload.controller_kind,
            "controller": row.workload.controller,
            "pod": row.workload.pod,
            "labels": row.workload.labels,
            "resource_id": row.place.resource,
            "currency_code": row.place.currency_code,
            "basis": BASIS,
        }
        text = "\x1f".join("" if value is None else str(value) for value in grain.values())
        found.append(
            {
                "cluster_costs_id": hashlib.sha256(text.encode()).hexdigest()[:32],
                **grain,
                "delivery_id": month.delivery_id,
                "cost": row.cost,
                "weight_source": row.weight_source,
                "line_item_count": row.line_item_count,
            }
        )
    return found


def _members(bill: NodeBill, clusters: Sequence[ClusterSettings]) -> Mapping[tuple[date, str], str]:
    """Which cluster each node's tag names; the first that fits."""
    found: dict[tuple[date, str], str] = {}
    for cluster in clusters:
        if cluster.tag is not None:
            key, value = cluster.tag
            for place, tags in bill.tags.items():
                if tags.get(key) == value:
                    found.setdefault(place, cluster.name)
    return found
