"""Commands in processes of their own that start at once: forked from one that has imported what they import.

A start of Python with Dagster and dbt takes some five CPU seconds, which is not what a test of a killed run or of a spoiled
model is about. What runs is the command itself, and dies by a real ``kill -9``; other tests start both commands as people do.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

from tests.environment import without_own_variables
from tests.kill_points import counted

# What a run of the command, and dbt by hand, import on either engine.
IMPORTED = (
    "cost_lakehouse.cli.app",
    "cost_lakehouse.cli.commands.run",
    "cost_lakehouse.orchestration.runner",
    "cost_lakehouse.lake.s3_warehouse",
    "cost_lakehouse.summaries.dbt_plugin",
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "dbt.adapters.trino",
)
OURS, DBT = "cost-lakehouse", "dbt"


@cache
def fork_server() -> ForkServerContext:
    """The process that others are forked from; it starts with the first of them, and ends with this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.forked", *IMPORTED])
    return context


class ForkedCommand:
    """``cost-lakehouse ARGUMENTS`` (or ``dbt``) under way, in a process group of its own; what it says goes to a file."""

    def __init__(
        self,
        output: Path,
        *arguments: str,
        program: str = OURS,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        kill_at: int | None = None,
    ) -> None:
        """It works in ``folder`` (by default in this process's) with ``environment`` (by default this one's without ours).

        With ``kill_at`` it dies (``kill -9``) at that call into our code or pyiceberg; with 0 it counts them (``calls``).
        """
        self._output = output
        output.unlink(missing_ok=True)
        given = dict(without_own_variables() if environment is None else environment)
        where = (str(output), str(folder or Path.cwd()))
        self._process = fork_server().Process(target=_run, args=(*where, program, arguments, given, kill_at))
        self._process.start()

    @property
    def exit_code(self) -> int | None:
        """How it ended (``-9``: it was killed), or None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait until it has ended, or that long; ``exit_code``."""
        self._process.join(seconds)
        return self._process.exitcode

    def kill(self) -> None:
        """End it and all its children as ``kill -9`` does."""
        assert self._process.pid is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has no group of its own yet
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()

    @property
    def calls(self) -> int:
        """How many calls it made, where it was to count them."""
        return int(_calls_file(self._output).read_text(encoding="utf-8"))

    def said(self) -> str:
        """What it has printed until now."""
        return self._output.read_text(encoding="utf-8", errors="replace") if self._output.exists() else ""


def forked_dbt(
    output: Path, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """``dbt ARGUMENTS``, run to its end in ``folder``; what it said is all in ``stdout``."""
    run = ForkedCommand(output, *arguments, program=DBT, folder=folder, environment=environment)
    code = run.wait()
    assert code is not None
    return subprocess.CompletedProcess([DBT, *arguments], code, run.said(), "")


def _calls_file(output: Path) -> Path:
    return output.with_name(f"{output.name}.calls")


def _run(
    output: str,
    folder: str,
    program: str,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    kill_at: int | None = None,
) -> None:
    """The forked process: the command, as if it had been started."""
    os.setsid()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [program, *arguments]
    if program == DBT:
        from dbt.cli.main import cli

        cli()
    else:
        from cost_lakehouse.cli import main

        if kill_at is None:
            main()
        else:
            _calls_file(Path(output)).write_text(str(counted(main, kill_at)), encoding="utf-8")
