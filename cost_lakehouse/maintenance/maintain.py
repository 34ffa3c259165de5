"""Maintains the lake with its own engine, table by table; one table's trouble does not hold back the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from cost_lakehouse.errors import ConfigurationError, CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.maintenance import embedded
from cost_lakehouse.maintenance.kept_moments import Moments, moments_to_keep
from cost_lakehouse.maintenance.report import Report, TableReport
from cost_lakehouse.maintenance.rules import Rules, rules_of


def maintain(
    lake: Lake,
    tables: Sequence[str] = (),
    *,
    dry_run: bool = False,
    rules: Rules | None = None,
    now: datetime | None = None,
    on_report: Callable[[TableReport], None] = lambda report: None,
) -> Report:
    """Expire snapshots, merge small files, remove what nothing refers to; of all tables, or of those named.

    A dry run decides the same and changes nothing. ``on_report`` hears each table's report at once. Raises ConfigurationError
    where a table is not there, LakeError where another process maintains the lake, WrongLake where the warehouse has become
    another lake's meanwhile.
    """
    known = lake.table_names()
    unknown = [table for table in tables if table not in known]
    if unknown:
        raise ConfigurationError(f"There is no table {', '.join(unknown)}.", f"Known tables: {', '.join(known)}.")
    chosen = [candidate for candidate in known if not tables or candidate in tables]
    given = rules or rules_of(lake.settings.lake.maintenance)
    moment = now or datetime.now(UTC)
    reports = []
    with lake.lock("maintenance", "Lake maintenance"):
        lake.identity.ensure()
        if not dry_run:
            lake.identity.note_maintenance()
        moments = moments_to_keep(lake, given, moment)  # of all tables, and found in one, before anything of it expires
        for name in chosen:
            reports.append(_one(lake, name, given, moment, moments, dry_run))
            on_report(reports[-1])
    return Report(dry_run, lake.settings.lake.engine, reports)


def _one(lake: Lake, name: str, rules: Rules, now: datetime, moments: Moments, dry_run: bool) -> TableReport:
    try:
        lake.identity.ensure()  # a process that lives for weeks opened the lake long ago
        if lake.settings.lake.engine == "trino" and not dry_run:
            from cost_lakehouse.maintenance import on_trino  # its client takes a while, which others need not wait for

            return on_trino.maintain_table(lake, name, rules, now, moments=moments)
        return embedded.maintain_table(lake, name, rules, now, moments=moments, dry_run=dry_run)
    except (CostLakehouseError, OSError, ValueError) as error:
        problem = error.problem if isinstance(error, CostLakehouseError) else f"{type(error).__name__}: {error}"
        fix = error.fix if isinstance(error, CostLakehouseError) else "Nothing that is needed was removed. Run it again."
        return TableReport(name, failed=problem, fix=fix)
