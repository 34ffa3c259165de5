"""Shows the lake's raw tables to dbt-duckdb: views over the files of the current snapshots, made anew at every connect."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import create_views, raw_table_names
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, load_settings

# dbt-duckdb makes plugins itself, in a thread of its own: what a build of ours has in hand waits here for it.
_shown: list[tuple[Lake, Sequence[Slice] | None]] = []


class Plugin(BasePlugin):
    """Named in ``profiles.yml``; dbt-duckdb calls it once for each database that it opens."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Create the views ``raw.*`` in the scratch database: of the slices that a build names, else of all.

        Raises ConfigurationError or LakeError where there is no lake to read.
        """
        lake, slices = _shown[-1] if _shown else (Lake(load_settings(config_file())), None)
        create_views(conn, lake, raw_table_names(), slices)


@contextmanager
def showing(lake: Lake, slices: Sequence[Slice] | None) -> Iterator[None]:
    """What dbt in this process sees: this lake, and of its bills these slices alone (None: all)."""
    _shown.append((lake, slices))
    try:
        yield
    finally:
        _shown.pop()


def config_file() -> Path | None:
    """The configuration for dbt: as everywhere, and where dbt runs inside ``dbt_project/`` also the file one folder up.

    None where nothing is named and nothing found, so that the usual message tells what to do.
    """
    if os.environ.get(CONFIG_VARIABLE):
        return None
    for folder in (Path.cwd(), Path.cwd().parent):
        if (folder / DEFAULT_CONFIG).is_file():
            return folder / DEFAULT_CONFIG
    return None
