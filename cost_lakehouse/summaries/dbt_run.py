"""Runs dbt in this process on a manifest that is parsed already, and says how each node ended."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.dbt_internals import close_log, release_duckdb
from cost_lakehouse.summaries.dbt_project import PACKAGES_VARIABLE, QUIET, ParsedProject
from cost_lakehouse.summaries.dbt_target import DbtTarget, variables
from cost_lakehouse.summaries.raw_views import showing

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

FAILED = frozenset({"error", "fail", "runtime error"})

# dbt keeps its flags, its adapter and its log in global variables: one invocation a process at a time.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class NodeResult:
    """How one model, seed or test ended. ``failures`` is a test's number of rows that it found."""

    unique_id: str
    status: str
    message: str
    failures: int | None
    seconds: float

    @property
    def name(self) -> str:
        """The name that people gave it."""
        return self.unique_id.split(".")[2]


@dataclass(frozen=True)
class DbtRun:
    """One invocation. ``problem`` is why dbt ended without results of nodes; empty where it came that far."""

    results: tuple[NodeResult, ...]
    ok: bool
    problem: str = ""

    @property
    def failures(self) -> list[str]:
        """The failed models and tests, one line each, or why there is no result at all; empty where all went well."""
        if self.ok:
            return []
        lines = [f"{result.name}: {result.message}" for result in self.results if result.status in FAILED]
        return lines or [self.problem or "dbt ended without a reason"]


def run_dbt(
    lake: Lake, project: ParsedProject, target: DbtTarget, arguments: Sequence[str], slices: Sequence[Slice] | None = None
) -> DbtRun:
    """Run dbt with ``arguments`` in the target. Failures are told, not raised.

    On DuckDB the raw tables hold the rows of ``slices`` alone; None shows all. What interrupts a process (Ctrl-C) is raised.
    """
    result = _invoke(lake, project, target, [*arguments, "--no-write-json", *QUIET], slices)
    results = getattr(result.result, "results", None) or ()
    problem = " ".join(str(result.exception).split()) if result.exception is not None else ""
    return DbtRun(tuple(map(_node_result, results)), result.success, problem)


def compile_models(lake: Lake, project: ParsedProject, target: DbtTarget, arguments: Sequence[str]) -> tuple[list[Any], str]:
    """Compile models and analyses without asking the engine: dbt's own nodes, tests left out, and why it failed or ""."""
    whole = ["compile", *arguments, "--no-populate-cache", "--no-introspect", "--no-write-json", *QUIET]
    result = _invoke(lake, project, target, whole, ())
    nodes = [entry.node for entry in getattr(result.result, "results", None) or ()]
    problem = "" if result.success else " ".join(str(result.exception or "dbt ended without a reason").split())
    return [node for node in nodes if node.resource_type in ("model", "analysis")], problem


def invoke_dbt(lake: Lake, project: ParsedProject, target: DbtTarget, arguments: Sequence[str]) -> bool:
    """Run any command of dbt's as a developer does, with dbt's own words on the terminal: whether it went well."""
    try:
        return _invoke(lake, project, target, arguments, None).success
    finally:
        close_log()


def _invoke(
    lake: Lake, project: ParsedProject, target: DbtTarget, arguments: Sequence[str], slices: Sequence[Slice] | None
) -> dbtRunnerResult:
    """One invocation in the target. What interrupts a process is raised, and the database released, however it ended."""
    from dbt.cli.main import dbtRunner

    with _ONE_AT_A_TIME, showing(lake, slices), project.packages() as packages:
        whole = [*arguments, "--project-dir", str(project.folder), *target.arguments]
        with variables({**target.environment, PACKAGES_VARIABLE: str(packages)}):
            try:
                result = dbtRunner(manifest=project.manifest(target)).invoke(whole)
            finally:
                release_duckdb()
    if result.exception is not None and not isinstance(result.exception, Exception):
        raise result.exception
    return result


def _node_result(result: Any) -> NodeResult:
    message = " ".join((result.message or "no message").split())
    return NodeResult(result.node.unique_id, str(result.status), message, result.failures, result.execution_time)
