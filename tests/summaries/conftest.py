"""One place to build summaries with the real dbt: a lake, a scratch database, and dbt run as the orchestration runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.bill_kinds import arguments_for_slices
from cost_lakehouse.summaries.built import DuckdbScratch
from cost_lakehouse.summaries.dbt_project import parse_if_stale
from cost_lakehouse.summaries.dbt_run import DbtRun, run_dbt
from cost_lakehouse.summaries.dbt_target import build_target
from cost_lakehouse.summaries.publish import PublishedSlice, publish
from cost_lakehouse.summaries.stale import stale_slices
from tests.dbt.building import marts_of


@dataclass
class DbtRunner:
    """Runs dbt on the project, always in the same scratch database, which is new each time."""

    folder: Path

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch.duckdb"

    def run(self, lake: Lake, arguments: Sequence[str], slices: Sequence[Slice] | None = None) -> DbtRun:
        """Run dbt against that lake."""
        self.scratch.unlink(missing_ok=True)
        project = parse_if_stale(lake.settings)
        with build_target(lake, project.folder, self.folder) as target:
            return run_dbt(lake, project, target, arguments, slices)

    def build(self, lake: Lake, slices: Sequence[Slice]) -> None:
        """Build and test exactly those slices; the test fails where dbt does."""
        manifest = parse_if_stale(lake.settings).document
        done = self.run(lake, arguments_for_slices(lake, manifest, slices), slices)
        assert done.ok, done.failures

    def publish(self, lake: Lake, slices: Sequence[Slice], scratch: Path | None = None) -> list[PublishedSlice]:
        """Publish what was built, or what another scratch database holds."""
        return publish(lake, DuckdbScratch(scratch or self.scratch), slices, marts_of(lake))

    def summarize(self, lake: Lake) -> list[PublishedSlice]:
        """Build what is stale and publish it."""
        slices = [stale.slice for stale in stale_slices(lake)]
        self.build(lake, slices)
        return self.publish(lake, slices)


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> DbtRunner:
    """The one dbt of the run."""
    return DbtRunner(tmp_path_factory.mktemp("dbt"))


def rows(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    """What a query of the lake's tables gives."""
    with connect(lake) as connection:
        return connection.execute(sql).fetchall()
