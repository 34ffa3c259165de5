"""One place to build summaries with the real dbt: a lake, a scratch database, and dbt run as the orchestration runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.settings import CONFIG_VARIABLE
from cost_lakehouse.summaries.built import DuckdbScratch
from cost_lakehouse.summaries.dbt_arguments import build_arguments
from cost_lakehouse.summaries.publish import PublishedSlice, publish
from cost_lakehouse.summaries.stale import stale_slices

PROJECT = Path(__file__).parents[2] / "dbt_project"


@dataclass
class DbtRunner:
    """Runs dbt on the project. One scratch path a run of the tests, so that dbt parses the project once."""

    scratch: Path
    target: Path

    def run(self, config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run dbt against the lake of that configuration, in a scratch database that is new."""
        self.scratch.unlink(missing_ok=True)
        command = [str(Path(sys.executable).with_name("dbt")), *arguments, "--project-dir", str(PROJECT)]
        command += ["--profiles-dir", str(PROJECT), "--target-path", str(self.target), "--log-path", str(self.target)]
        environment = {**os.environ, CONFIG_VARIABLE: str(config), "COST_LAKEHOUSE_SCRATCH": str(self.scratch)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def build(self, lake: Lake, slices: Sequence[Slice]) -> None:
        """Build and test exactly those slices; the test fails where dbt does."""
        done = self.run(lake.settings.file, *build_arguments(slices))
        assert done.returncode == 0, done.stdout

    def summarize(self, lake: Lake) -> list[PublishedSlice]:
        """Build what is stale and publish it."""
        slices = [each.slice for each in stale_slices(lake)]
        self.build(lake, slices)
        return publish(lake, DuckdbScratch(self.scratch), slices)


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> DbtRunner:
    """The one dbt of the run."""
    folder = tmp_path_factory.mktemp("dbt")
    return DbtRunner(folder / "scratch.duckdb", folder / "target")


def rows(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    """What a query of the lake's tables gives."""
    with connect(lake) as connection:
        return connection.execute(sql).fetchall()
