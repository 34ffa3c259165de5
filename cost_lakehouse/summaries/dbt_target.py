"""Where dbt builds: on DuckDB a scratch database, on Trino a schema of its own; and what dbt has to be told to get there."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cost_lakehouse.config import CONFIG_VARIABLE, Settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.trino_client import trino_settings
from cost_lakehouse.summaries.built import BuiltSummaries, DuckdbScratch
from cost_lakehouse.summaries.dbt_profile import trino_environment, trino_secret, write_trino_profile
from cost_lakehouse.summaries.trino_build import TrinoBuild, build_schema

SCRATCH_VARIABLE = "COST_LAKEHOUSE_SCRATCH"
PARSED_SCHEMA = "build"
PARSED_CATALOG = "parsed"
"""The schema of models, and the catalog of all tables, in a manifest on Trino: parsing needs some name, and every build gets
another schema, every lake another catalog."""

# dbt names the database after the file, and a manifest holds that name: it is the same wherever the file lies.
_SCRATCH_FILE = "scratch.duckdb"


@dataclass(frozen=True)
class DbtTarget:
    """One place to build in: its tables, its schema where it is one, the arguments and the environment for dbt."""

    built: BuiltSummaries
    schema: str | None
    catalog: str | None
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@contextmanager
def build_target(lake: Lake, project: Path, folder: Path) -> Iterator[DbtTarget]:
    """A new, empty place for one build of the project; on Trino it is gone after the context.

    ``folder`` is the build's own. Raises LakeError or ConfigurationError where the engine cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = lake.settings
    if settings.lake.engine == "duckdb":
        yield _duckdb_target(settings, project, folder)
        return
    with build_schema(lake) as schema:
        yield _trino_target(settings, TrinoBuild(lake, schema), folder, schema, trino_secret(settings))


def parse_target(settings: Settings, project: Path, folder: Path) -> DbtTarget:
    """What parsing alone needs: no engine is asked, and no secret used. Raises ConfigurationError."""
    if settings.lake.engine == "duckdb":
        return _duckdb_target(settings, project, folder)
    nowhere = DuckdbScratch(folder / _SCRATCH_FILE)
    return _trino_target(settings, nowhere, folder, PARSED_SCHEMA, "unused", PARSED_CATALOG)


def _duckdb_target(settings: Settings, project: Path, folder: Path) -> DbtTarget:
    scratch = DuckdbScratch(folder / _SCRATCH_FILE)
    environment = {CONFIG_VARIABLE: str(settings.file), SCRATCH_VARIABLE: str(scratch.file)}
    return DbtTarget(scratch, None, None, _arguments(project, "duckdb", folder), environment)


def _trino_target(
    settings: Settings, built: BuiltSummaries, folder: Path, schema: str, secret: str, catalog: str | None = None
) -> DbtTarget:
    catalog = catalog or trino_settings(settings).catalog
    write_trino_profile(settings, folder, schema, catalog)
    environment = {CONFIG_VARIABLE: str(settings.file), **trino_environment(settings, secret)}
    return DbtTarget(built, schema, catalog, _arguments(folder, "trino", folder), environment)


def _arguments(profiles: Path, target: str, folder: Path) -> tuple[str, ...]:
    written = str(folder / "target")
    return ("--profiles-dir", str(profiles), "--target", target, "--target-path", written, "--log-path", written)


@contextmanager
def variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """These environment variables for dbt in this process, as long as the context lasts; its own macros do not warn."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        with warnings.catch_warnings():
            # A macro of dbt-trino's has one; Python shows it to every user from 3.12 on.
            warnings.filterwarnings("ignore", ".*invalid escape sequence")
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
