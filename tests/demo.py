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
        yield Told(folder, command("demo", "--dir", str(folder)))
