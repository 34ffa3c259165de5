"""Where dbt builds: on DuckDB a scratch database, on Trino a schema of its own; and what dbt has to be told to get there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.settings import CONFIG_VARIABLE, Settings
from cost_lakehouse.summaries.built import BuiltSummaries, DuckdbScratch
from cost_lakehouse.summaries.dbt_profile import trino_environment, trino_secret, write_trino_profile
from cost_lakehouse.summaries.trino_build import TrinoBuild, build_schema

SCRATCH_VARIABLE = "COST_LAKEHOUSE_SCRATCH"
_PARSED_SCHEMA = "build"  # parsing needs some name; every build gets another one


@dataclass(frozen=True)
class DbtTarget:
    """One place to build in: its tables, the arguments that lead dbt there, and the environment that dbt reads."""

    built: BuiltSummaries
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@contextmanager
def build_target(lake: Lake, project: Path, folder: Path) -> Iterator[DbtTarget]:
    """A new, empty place for one build of the project; on Trino it is gone after the context.

    ``folder`` is the build's own. Raises LakeError or ConfigurationError where the engine cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if lake.settings.lake.engine == "duckdb":
        scratch = DuckdbScratch(folder / "scratch.duckdb")
        yield DbtTarget(scratch, *duckdb_way(lake.settings, project, scratch.file))
        return
    with build_schema(lake) as schema:
        yield DbtTarget(TrinoBuild(lake, schema), *_trino_way(lake.settings, folder, schema, trino_secret(lake.settings)))


def parse_way(settings: Settings, project: Path, folder: Path) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Arguments and environment for parsing alone: no engine is asked, and no secret used. Raises ConfigurationError."""
    if settings.lake.engine == "duckdb":
        return duckdb_way(settings, project, folder / "parse.duckdb")
    return _trino_way(settings, folder, _PARSED_SCHEMA, "unused")


def duckdb_way(settings: Settings, project: Path, scratch: Path) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Arguments and environment for building in that scratch database."""
    environment = {CONFIG_VARIABLE: str(settings.file), SCRATCH_VARIABLE: str(scratch)}
    return ("--profiles-dir", str(project), "--target", "duckdb"), environment


def _trino_way(settings: Settings, folder: Path, schema: str, secret: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
    write_trino_profile(settings, folder, schema)
    environment = {CONFIG_VARIABLE: str(settings.file), **trino_environment(settings, secret)}
    return ("--profiles-dir", str(folder), "--target", "trino"), environment


@contextmanager
def variables(wanted: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """These environment variables set in this process for as long as the context lasts: dagster-dbt hands its own on."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield {**os.environ}
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
