"""The demo, told once for all tests that look at what it leaves: the whole pipeline on sample bills, through the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cost_lakehouse.cli.app import app
from cost_lakehouse.sample_bills import OciExpected, OciReport, write_oci
from cost_lakehouse.sample_bills import demo as story
from tests.environment import OWN_VARIABLES


def command(*arguments: str) -> Result:
    """Run the command in this process; its stdout and stderr are kept apart."""
    return CliRunner().invoke(app, list(arguments))


@dataclass(frozen=True)
class Told:
    """The demo's folder, and what was printed."""

    folder: Path
    result: Result

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
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One demo for the run."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        for name in OWN_VARIABLES:
            patch.setenv(name, "")
        yield Told(folder, command("demo", "--dir", str(folder), "--today", story.DEFAULT_TODAY.isoformat()))


def oci_of_the_demo(root: Path) -> OciExpected:
    """What the tenancy's reports hold in the end of the demo: of the file that came twice, what came last."""
    late, again = story.late_rows(root).increments
    bill = story.demo_oci_bill()
    (key,) = [file.key for file in again.of(OciReport.COST)]
    kept = [number for number, each in enumerate(bill.increments) if each.name(1) != key.rsplit("/")[-1] and not each.late_only]
    once = [write_oci(root, bill, first=number, last=number).expected for number in kept]
    return OciExpected.together([*once, late.expected, again.expected])
