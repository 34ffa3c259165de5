"""``cost-lakehouse clusters``: what OpenCost says is fetched, and months are split anew by what clusters say now."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cost_lakehouse.cli.choices import month_of, settings_of, sources_of
from cost_lakehouse.cli.output import amount_shown, print_json, print_table, print_wrapped
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.clusters.inputs import closed_day, fetch_days
from cost_lakehouse.clusters.refresh import refresh_clusters
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.formats.decimals import EXACT
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.summaries.stale import proven_receipts


def split_clusters(config: Path | None, source: str | None, month: str | None, days: int, as_json: bool) -> int:
    """Fetch, split, and print what each namespace costs; the exit code. Raises ConfigurationError, SourceError, LakeError."""
    settings = settings_of(config)
    if not settings.clusters:
        raise ConfigurationError(f"{settings.file} names no clusters.", "Write `clusters:`, as docs/clusters.md says.")
    names = {one.name for one in sources_of(settings, source, None)}
    wanted = month_of(month, settings)
    came = {cluster.name: len(fetch_days(settings, cluster, closed_day(), days)) for cluster in settings.clusters}
    lake = Lake(settings)
    held = [one for one in proven_receipts(lake) if one.source in names and wanted in (None, one.billing_period)]
    found = refresh_clusters(lake, held)
    sums: dict[tuple[str, str, str], Decimal] = {}
    for row in (row for one in found for row in one.rows):
        key = (row.workload.cluster, row.workload.namespace, row.place.currency_code or "")
        sums[key] = EXACT.add(sums.get(key, Decimal(0)), row.cost)
    ordered = sorted(sums.items(), key=lambda item: (item[0][2], -item[1], item[0]))
    if as_json:
        print_json(
            [
                {"cluster": cluster, "namespace": namespace, "currency_code": code, "cost": cost}
                for (cluster, namespace, code), cost in ordered
            ]
        )
        return 0
    print_table(
        [Column("cluster"), Column("namespace"), Column("effective", "number"), Column("currency")],
        [(cluster, namespace, amount_shown(cost), code) for (cluster, namespace, code), cost in ordered],
    )
    fetched = ", ".join(f"{count} days of {name}" for name, count in came.items() if count)
    begins = f"Fetched {fetched}. " if fetched else ""
    print_wrapped(
        f"{begins}{len(found)} months are split: the parts of each node and volume come to what the bill says. "
        f"{sum(one.without_data for one in found)} days of nodes have no cluster data, "
        f"{sum(one.not_billed for one in found)} are not in the bill."
    )
    return 0
