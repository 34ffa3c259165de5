"""Runs the real dbt in a place of its own, as the orchestration does, and says how each model and test ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.summaries.built import BuiltSummaries
from cost_lakehouse.summaries.dbt_target import build_target

PROJECT = Path(__file__).parents[2] / "dbt_project"
DBT = str(Path(sys.executable).with_name("dbt"))


@dataclass(frozen=True)
class Ran:
    """A build that ended: what it left, how dbt's nodes ended, and what dbt printed."""

    built: BuiltSummaries
    results: Mapping[str, str]
    output: str


@contextmanager
def build(lake: Lake, folder: Path, arguments: Sequence[str] = ("build",), project: Path = PROJECT) -> Iterator[Ran]:
    """Run dbt; on Trino what it built is there inside the context only."""
    with build_target(lake, project, folder) as target:
        done = run_dbt([*arguments, *target.arguments], project, folder / "target", target.environment)
        yield Ran(target.built, results_in(folder / "target"), done.stdout + done.stderr)


def ask(ran: Ran, sql: str) -> list[tuple[Any, ...]]:
    """What the build's tables say."""
    with ran.built.connect() as connection:
        return connection.execute(sql).fetchall()


def run_dbt(
    arguments: Sequence[str], project: Path, target: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run dbt on a project, with no variable of ours but the given ones."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COST_LAKEHOUSE_")}
    environment |= {"DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target), **(variables or {})}
    command = [DBT, *arguments, "--project-dir", str(project)]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def results_in(target: Path) -> dict[str, str]:
    """Model or test -> how it ended."""
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    return {_name(each["unique_id"]): each["status"] for each in results}


def _name(unique_id: str) -> str:
    """The last part of a dbt id that people gave: a model's or a test's name."""
    parts = unique_id.split(".")
    return parts[3] if parts[0] == "unit_test" else parts[2]
