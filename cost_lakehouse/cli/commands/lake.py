"""``cost-lakehouse lake``: which lake catalog and warehouse belong to; taking a warehouse over, and moving one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import print_json, print_lines, say
from cost_lakehouse.config import Settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.repair import Repaired, adopt, move


def show_lake(config: Path | None, as_json: bool) -> int:
    """Print the lake's identity; the exit code. Raises WrongLake where catalog and warehouse do not belong together."""
    lake = Lake(settings_of(config))
    record, place = lake.identity.record(), lake.identity.place
    shown = {
        "id": record.id if record else None,
        "format_version": record.format_version if record else None,
        "warehouse": place.location,
        "catalog": place.catalog,
        "maintained": record.generation - 1 if record else None,
        "tables": len(lake.table_names()),
    }
    if as_json:
        print_json([shown])
    else:
        print_lines(f"{name.replace('_', ' ')}: {value}" for name, value in shown.items())
    return 0


def adopt_warehouse(config: Path | None) -> int:
    """Make the catalog the warehouse's, and say what was done with each table; the exit code."""
    return _repair(config, adopt)


def move_lake(config: Path | None) -> int:
    """Make a copied or moved lake one of its own, and say what was done with each table; the exit code."""
    return _repair(config, move)


def _repair(config: Path | None, repair: Callable[[Settings], Repaired]) -> int:
    settings = settings_of(config)
    done = repair(settings)
    Lake(settings)  # as everybody opens it from now on
    print_lines(f"{name}: {what}" for name, what in done.tables.items())
    say(f"Catalog {done.catalog} and warehouse {done.location} are the lake {done.lake_id} now.")
    if done.was_at is not None:
        say(f"Nothing of it refers to {done.was_at} any more; what lies there was not touched.")
    return 0
