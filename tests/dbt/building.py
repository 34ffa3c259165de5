"""Runs the real dbt in a place of its own, as the orchestration does, and says how each model and test ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.summaries.built import BuiltSummaries
from cost_lakehouse.summaries.dbt_project import PROJECT_VARIABLE, parse_if_stale
from cost_lakehouse.summaries.dbt_run import run_dbt
from cost_lakehouse.summaries.dbt_target import build_target, variables
from cost_lakehouse.summaries.marts import Mart, published_marts

PROJECT = Path(__file__).parents[2] / "dbt_project"
MARTS = (
    "marts.aws_daily_summary",
    "marts.oci_daily_summary",
    "marts.focus_daily_summary",
    "marts.commitment_costs",
    "marts.bill_findings",
    "marts.daily_costs",
    "marts.pipeline_costs",
    "marts.tag_history",
    "marts.bill_status",
)
"""What is published of every bill of a provider; only of another lakehouse's months is there ``lakehouse_daily_summary``."""


@dataclass(frozen=True)
class Ran:
    """A build that ended: what it left, how dbt's nodes ended, and what failed."""

    built: BuiltSummaries
    results: Mapping[str, str]
    output: Sequence[str]


@contextmanager
def build(lake: Lake, folder: Path, arguments: Sequence[str] = ("build",), project: Path = PROJECT) -> Iterator[Ran]:
    """Run dbt; on Trino what it built is there inside the context only."""
    with variables({PROJECT_VARIABLE: str(project)}):
        parsed = parse_if_stale(lake.settings)
    with build_target(lake, parsed.folder, folder) as target:
        run = run_dbt(lake, parsed, target, arguments)
        yield Ran(target.built, {name_of(result.unique_id): result.status for result in run.results}, run.failures)


def marts_of(lake: Lake) -> list[Mart]:
    """The models to publish, as the manifest says."""
    return published_marts(parse_if_stale(lake.settings).document)


def ask(ran: Ran, sql: str) -> list[tuple[Any, ...]]:
    """What the build's tables say."""
    with ran.built.connect() as connection:
        return connection.execute(sql).fetchall()


def spoiled_project(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """A copy of the project in which texts of models are others: (model, old, new)."""
    project = folder / "dbt_project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    for model, old, new in changes:
        (path,) = (project / "models").rglob(f"{model}.sql")
        text = path.read_text(encoding="utf-8")
        assert old in text, model
        path.write_text(text.replace(old, new), encoding="utf-8")
    return project


def name_of(unique_id: str) -> str:
    """The last part of a dbt id that people gave: a model's or a test's name."""
    parts = unique_id.split(".")
    return parts[3] if parts[0] == "unit_test" else parts[2]
