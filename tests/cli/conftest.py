"""What every test of the command shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.environment import OWN_VARIABLES


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands set variables for Dagster and dbt; no test may see another's, or the developer's."""
    for name in OWN_VARIABLES:
        monkeypatch.setenv(name, "")
        del os.environ[name]
    monkeypatch.chdir(tmp_path)
