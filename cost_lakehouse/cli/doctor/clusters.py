"""What ``cost-lakehouse doctor`` tries of clusters: that files can be listed, and that their API knows the last day."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from cost_lakehouse.cli.doctor.findings import Finding
from cost_lakehouse.clusters.inputs import ask_day, closed_day, files_of
from cost_lakehouse.config import Settings
from cost_lakehouse.config.clusters import ClusterSettings

_LOOKED_AT = 1000


def cluster_check(settings: Settings, cluster: ClusterSettings) -> Finding:
    """Whether something says what ran on a cluster's nodes; nothing is kept. Raises SourceError where it cannot be asked."""
    name = f"cluster {cluster.name}"
    if not cluster.location:
        return Finding(name, "ok", f"split by the split rows of {cluster.source}'s bill alone")
    if cluster.url is not None or cluster.prometheus is not None:
        day = closed_day() - timedelta(days=1)
        answer = ask_day(cluster, day)
        where = cluster.url if cluster.prometheus is None else cluster.prometheus.url
        if answer is None:
            return Finding(name, "failed", f"{where} has no kube_node_info of {day}.", "Correct `match`, or what it scrapes.")
        return Finding(name, "ok", f"{where} says what ran on {day}")
    count = len(list(islice(files_of(settings, cluster), _LOOKED_AT)))
    if not count:
        endings = "CSV, Parquet or JSON of OpenCost, or .gz of Container Insights"
        return Finding(
            name, "warning", f"{cluster.location} has no file that says what ran", f"Let exports go there: {endings}."
        )
    more = " or more" if count == _LOOKED_AT else ""
    return Finding(name, "ok", f"{cluster.location} has {count:,}{more} files that say what ran")
