"""The demo, told once for all tests that look at what it leaves: the whole pipeline on sample bills, through the command."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from typer.testing import CliRunner, Result

from cost_lakehouse.cli.app import app
from sample_bills import OciExpected, OciReport, write_oci
from sample_bills import demo as story
from tests.environment import OWN_VARIABLES


def command(*arguments: str) -> Result:
    """Run the command in this process; its stdout and stderr are kept apart."""
    return CliRunner().invoke(app, list(arguments))


@dataclass(frozen=True)
class Told:
    """The demo's folder, and what was printed."""

    folder: Path
    exit_code: int
    stdout: str
    stderr: str
    problem: str

    @property
    def config(self) -> str:
        """Its lakehouse.yaml."""
        return str(self.folder / "lakehouse.yaml")

    def query(self, sql: str) -> list[dict[str, Any]]:
        """What ``query --format json`` answers."""
        answer = command("query", sql, "--format", "json", "--config", self.config)
        assert answer.exit_code == 0, answer.stderr
        rows: list[dict[str, Any]] = json.loads(answer.stdout)
        return rows


@pytest.fixture(scope="session")
def demo(run_folder: Path) -> Iterator[Told]:
    """One demo for the run: the first process that needs it tells it, and the others wait."""
    folder, answer = run_folder / "demo", run_folder / "demo.json"
    with pytest.MonkeyPatch.context() as patch:
        for name in OWN_VARIABLES:
            patch.setenv(name, "")
        with FileLock(run_folder / "demo.lock"):
            if not answer.exists():
                result = command("demo", "--dir", str(folder), "--today", story.DEFAULT_TODAY.isoformat())
                said = {"exit_code": result.exit_code, "stdout": result.stdout, "stderr": result.stderr}
                answer.write_text(json.dumps(said | {"problem": _problem(result)}), encoding="utf-8")
        yield Told(folder, **json.loads(answer.read_text(encoding="utf-8")))


def _problem(result: Result) -> str:
    """The traceback of what the command did not expect."""
    if result.exception is None or isinstance(result.exception, SystemExit):
        return ""
    return "".join(traceback.format_exception(result.exception))


def oci_of_the_demo(root: Path) -> OciExpected:
    """What the tenancy's reports hold in the end of the demo: of the file that came twice, what came last."""
    late, again = story.late_rows(root).increments
    bill = story.demo_oci_bill()
    (key,) = [file.key for file in again.of(OciReport.COST)]
    kept = [number for number, item in enumerate(bill.increments) if item.name(1) != key.rsplit("/")[-1] and not item.late_only]
    once = [write_oci(root, bill, first=number, last=number).expected for number in kept]
    return OciExpected.together([*once, late.expected, again.expected])
