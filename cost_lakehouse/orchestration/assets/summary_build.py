"""One dbt build of some slices in a place of its own, and what it said: checks, models, failures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from cost_lakehouse.config import Settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.plain_paths import scratch_root
from cost_lakehouse.summaries.bill_kinds import arguments_for_slices
from cost_lakehouse.summaries.built import BuiltSummaries
from cost_lakehouse.summaries.dbt_project import ParsedProject
from cost_lakehouse.summaries.dbt_run import NodeResult, run_dbt
from cost_lakehouse.summaries.dbt_target import build_target

DBT_UNIQUE_ID = "dagster_dbt/unique_id"
"""The metadata in which dagster-dbt's check specs name their test."""


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
    root = scratch_root(settings.dagster_home, "scratch")
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
    """How dbt is run: the project, the checks that its tests are in Dagster (by unique id), and how long builds are kept."""

    project: ParsedProject
    checks: Mapping[str, dg.AssetCheckSpec]
    lake: Lake
    kept: ExitStack

    def build(self, slices: Sequence[Slice], folder: Path) -> Build:
        """Run ``dbt build`` on exactly those slices; nothing is published here, and a failing build is told, not raised.

        dbt is not told which assets were selected: models share a place that is empty at first, so some of them cannot be
        built without the others. Raises LakeError where there is no such place to be had.
        """
        target = self.kept.enter_context(build_target(self.lake, self.project.folder, folder))
        chosen = tuple(sorted(slices))
        arguments = arguments_for_slices(self.lake, self.project.document, chosen)
        run = run_dbt(self.lake, self.project, target, arguments, chosen)
        checks = [
            check_evaluation(self.checks[result.unique_id], result)
            for result in run.results
            if result.unique_id in self.checks and result.status != "skipped"
        ]
        return Build(chosen, target.built, run.failures, checks)


def check_evaluation(spec: dg.AssetCheckSpec, result: NodeResult) -> dg.AssetCheckEvaluation:
    """What a dbt test said, as the check that it is in Dagster: a test of severity `warn` warns."""
    facts: dict[str, str | int] = {"status": result.status, "seconds": round(result.seconds)}
    if result.failures is not None:
        facts["failed_rows"] = result.failures
    if result.status != "pass":
        facts["message"] = result.message
    return dg.AssetCheckEvaluation(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=result.status == "pass",
        severity=dg.AssetCheckSeverity.WARN if result.status == "warn" else dg.AssetCheckSeverity.ERROR,
        metadata=facts,
    )


def by_source(slices: Sequence[Slice]) -> dict[str, list[Slice]]:
    """The slices of each source."""
    grouped: dict[str, list[Slice]] = {}
    for slice_ in sorted(slices):
        grouped.setdefault(slice_.source, []).append(slice_)
    return grouped


def merged_checks(checks: Sequence[dg.AssetCheckEvaluation]) -> list[dg.AssetCheckEvaluation]:
    """One evaluation a check where several builds ran it: passed if all passed, told by the first that failed."""
    merged: dict[dg.AssetCheckKey, dg.AssetCheckEvaluation] = {}
    for asset_check_evaluation in checks:
        known = merged.get(asset_check_evaluation.asset_check_key)
        if known is None or (known.passed and not asset_check_evaluation.passed):
            merged[asset_check_evaluation.asset_check_key] = asset_check_evaluation
    return list(merged.values())
