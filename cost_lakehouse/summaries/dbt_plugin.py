"""Shows the lake's raw tables to dbt-duckdb: views over the files of the current snapshots, made anew at every connect."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from cost_lakehouse.config import CONFIG_VARIABLE, DEFAULT_CONFIG, load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import create_published_views, create_views, raw_table_names
from cost_lakehouse.summaries.raw_views import shown


class Plugin(BasePlugin):
    """Named in ``profiles.yml``; dbt-duckdb calls it once for each database that it opens."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Create the views ``raw.*`` in the scratch database: of the slices that a build names, else of all.

        Raises ConfigurationError or LakeError where there is no lake to read.
        """
        lake, slices = shown() or (Lake(load_settings(config_file())), None)
        create_views(conn, lake, raw_table_names(), slices)
        create_published_views(conn, lake, slices)


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
