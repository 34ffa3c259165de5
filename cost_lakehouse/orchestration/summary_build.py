"""One dbt build of some slices in a place of its own, and what it said: checks, models, failures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.settings import Settings
from cost_lakehouse.summaries.built import BuiltSummaries
from cost_lakehouse.summaries.dbt_arguments import build_arguments
from cost_lakehouse.summaries.dbt_target import build_target, variables

_FAILED = {"error", "fail", "runtime error"}


@dataclass
class Build:
    """What one dbt build of ``slices`` gave. ``failures`` is empty where everything was built and every test passed."""

    slices: tuple[Slice, ...]
    built: BuiltSummaries
    failures: list[str] = field(default_factory=list)
    checks: list[dg.AssetCheckEvaluation] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether its marts may be published."""
        return not self.failures


@contextmanager
def scratch_folder(settings: Settings, instance: dg.DagsterInstance, run_id: str) -> Iterator[Path]:
    """A folder for what one run's builds write on this machine, removed at its end; what killed runs left is removed first."""
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


@dataclass(frozen=True)
class Builder:
    """How dbt is run: the command, how its models and tests are named in Dagster, and how long builds are kept (``kept``)."""

    dbt: DbtCliResource
    manifest: Mapping[str, Any]
    translator: DagsterDbtTranslator
    lake: Lake
    kept: ExitStack

    def build(self, slices: Sequence[Slice], folder: Path) -> Build:
        """Run ``dbt build`` on exactly those slices; nothing is published here, and a failing build is told, not raised.

        dbt is not told which assets were selected: models share a place that is empty at first, so some of them cannot be
        built without the others. Raises LakeError where there is no such place to be had.
        """
        target = self.kept.enter_context(build_target(self.lake, Path(self.dbt.project_dir), folder))
        result = Build(tuple(sorted(slices)), target.built)
        voiding = [each.name for each in self.lake.settings.sources if each.voids_corrected]
        with variables(target.environment):
            invocation = self.dbt.cli(
                [*build_arguments(result.slices, voiding_sources=voiding), *target.arguments],
                manifest=self.manifest,
                dagster_dbt_translator=self.translator,
                target_path=folder / "target",
                raise_on_error=False,
            )
            result.checks = [each for each in invocation.stream() if isinstance(each, dg.AssetCheckEvaluation)]
            if not invocation.is_successful():
                error = invocation.get_error()
                unread = [str(error or "dbt ended without a reason")]
                result.failures = failures_in(folder / "target" / "run_results.json") or unread
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


def merged_checks(checks: Sequence[dg.AssetCheckEvaluation]) -> list[dg.AssetCheckEvaluation]:
    """One evaluation a check where several builds ran it: passed if all passed, told by the first that failed."""
    merged: dict[dg.AssetCheckKey, dg.AssetCheckEvaluation] = {}
    for each in checks:
        known = merged.get(each.asset_check_key)
        if known is None or (known.passed and not each.passed):
            merged[each.asset_check_key] = each
    return list(merged.values())
