"""One dbt build of some slices in a scratch database of its own, and what it said: checks, models, failures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource

from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.dbt_models import dbt_environment
from cost_lakehouse.settings import Settings
from cost_lakehouse.summaries.dbt_arguments import build_arguments

_FAILED = {"error", "fail", "runtime error"}


@dataclass
class Build:
    """What one dbt build of ``slices`` gave. ``failures`` is empty where everything was built and every test passed."""

    slices: tuple[Slice, ...]
    scratch: Path
    failures: list[str] = field(default_factory=list)
    checks: list[dg.AssetCheckResult] = field(default_factory=list)
    models: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # output name -> metadata

    @property
    def ok(self) -> bool:
        """Whether its marts may be published."""
        return not self.failures


@contextmanager
def scratch_folder(settings: Settings, instance: dg.DagsterInstance, run_id: str) -> Iterator[Path]:
    """A folder for one run's scratch databases, removed at its end; what killed runs left is removed first."""
    root = settings.dagster_home / "scratch"
    for left in root.glob("*"):
        run = instance.get_run_by_id(left.name)
        if run is None or run.is_finished:
            shutil.rmtree(left, ignore_errors=True)
    folder = root / run_id
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def build(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, settings: Settings, slices: Sequence[Slice], folder: Path
) -> Build:
    """Run ``dbt build`` on exactly those slices; nothing is published here, and a failing build is told, not raised."""
    folder.mkdir(parents=True, exist_ok=True)
    result = Build(tuple(sorted(slices)), folder / "scratch.duckdb")
    with dbt_environment(settings, result.scratch):
        invocation = dbt.cli(
            build_arguments(result.slices), context=context, target_path=folder / "target", raise_on_error=False
        )
        for event in invocation.stream():
            if isinstance(event, dg.AssetCheckResult):
                result.checks.append(event)
            elif isinstance(event, dg.Output):
                result.models[event.output_name] = event.metadata
        if not invocation.is_successful():
            error = invocation.get_error()
            result.failures = failures_in(folder / "target" / "run_results.json") or [
                str(error or "dbt ended without a reason")
            ]
    return result


def failures_in(run_results: Path) -> list[str]:
    """The failed models and tests of a build, one line each; empty where dbt did not get as far as running any."""
    if not run_results.exists():
        return []
    results = json.loads(run_results.read_text(encoding="utf-8"))["results"]
    lines = []
    for each in results:
        if each["status"] in _FAILED:
            name = each["unique_id"].split(".")[2]
            message = " ".join((each.get("message") or "no message").split())
            lines.append(f"{name}: {message}")
    return lines


def by_source(slices: Sequence[Slice]) -> dict[str, list[Slice]]:
    """The slices of each source."""
    grouped: dict[str, list[Slice]] = {}
    for each in sorted(slices):
        grouped.setdefault(each.source, []).append(each)
    return grouped


def merged_checks(checks: Sequence[dg.AssetCheckResult]) -> list[dg.AssetCheckResult]:
    """One result a check where several builds ran it: passed if all passed, told by the first that failed."""
    merged: dict[tuple[dg.AssetKey | None, str | None], dg.AssetCheckResult] = {}
    for each in checks:
        key = (each.asset_key, each.check_name)
        if key not in merged or (merged[key].passed and not each.passed):
            merged[key] = each
    return list(merged.values())
