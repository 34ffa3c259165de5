"""``dbt`` on the configured lake, with your own models too: builds go to a scratch place, nothing is published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cost_lakehouse.cli.choices import settings_of
from cost_lakehouse.cli.output import EXIT_FAILED
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.orchestration.plain_paths import scratch_root
from cost_lakehouse.summaries.dbt_project import parse_if_stale
from cost_lakehouse.summaries.dbt_run import invoke_dbt
from cost_lakehouse.summaries.dbt_target import build_target


def run_dbt_command(config: Path | None, arguments: Sequence[str]) -> int:
    """Run dbt with these arguments; the exit code. On DuckDB what was built stays for the next command, on Trino it does not.

    Raises ConfigurationError where a model cannot be parsed, LakeError where the engine cannot be used.
    """
    settings = settings_of(config)
    lake = Lake(settings)
    project = parse_if_stale(settings)
    with build_target(lake, project.folder, scratch_root(settings.dagster_home, "dbt")) as target:
        return 0 if invoke_dbt(lake, project, target, arguments) else EXIT_FAILED
