"""``cost-lakehouse maintain``: maintenance of the lake as a Dagster run of its own, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import EXIT_FAILED, print_json, print_problem, print_table, say, size
from cost_lakehouse.cli.tables import Column
from cost_lakehouse.config import Settings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake

_NUMBERS = {  # name -> how early it is left out of a narrow table
    "snapshots": 4,
    "expired": 0,
    "files merged": 0,
    "files removed": 1,
    "removed": 2,
    "files before": 5,
    "files after": 6,
    "size after": 3,
}


def maintain_lake(config: Path | None, tables: Sequence[str], dry_run: bool, as_json: bool) -> int:
    """Maintain, print what was done; the exit code. What another process was at is left for next time, and no failure."""
    settings = settings_of(config)
    known = Lake(settings).table_names()
    unknown = [table for table in tables if table not in known]
    if unknown:
        raise ConfigurationError(f"There is no table {', '.join(unknown)}.", f"Known tables: {', '.join(known)}.")
    found, problem, fix = _run(settings, tables, dry_run)
    if as_json:
        print_json(found)
    elif found:
        numbers = (Column(name, "number", rank) for name, rank in _NUMBERS.items())
        print_table((Column("table"), *numbers), [_row(entry) for entry in found], elsewhere="`--json` has them.")
        for entry in found:
            for skipped in entry["skipped"]:
                say(f"{entry['table']}: {skipped}")
        if dry_run:
            say("Nothing was changed: this was a dry run.")
    if problem:
        print_problem(problem, fix)
        return EXIT_FAILED
    return 0


def _run(settings: Settings, tables: Sequence[str], dry_run: bool) -> tuple[list[dict[str, Any]], str, str]:
    """Each table's report, and what failed and what to do about it."""
    from cost_lakehouse.orchestration.instance import command_instance, end_dead_runs
    from cost_lakehouse.orchestration.runner import run_maintenance

    with command_instance(settings) as instance:
        end_dead_runs(instance)
        return run_maintenance(settings, instance, tables, dry_run)


def _row(found: dict[str, Any]) -> tuple[Any, ...]:
    return (
        found["table"],
        found["snapshots"],
        found["expired"],
        found["merged_files"],
        found["removed_expired_files"] + found["removed_orphans_files"],
        size(found["removed_expired_bytes"] + found["removed_orphans_bytes"]),
        found["before_files"],
        found["after_files"],
        size(found["after_bytes"]),
    )
