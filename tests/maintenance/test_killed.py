"""``kill -9`` in the middle of maintenance leaves every row and every kept snapshot readable; the next run completes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill_points import as_text, chosen

POINTS = 8
FEW = 3


@pytest.mark.timeout(900)
def test_maintenance_killed_at_any_of_8_points_loses_nothing_and_the_next_run_completes(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Every run takes other ones of the 8 (by pytest-randomly's seed, which it prints); ``KILL_POINTS=all`` takes all."""
    points = chosen(POINTS, FEW, pytestconfig.getoption("randomly_seed", 0))
    print("killed at", points)
    program = [sys.executable, "-m", "tests.maintenance.kill_maintenance", str(tmp_path), str(POINTS), as_text(points)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr
    results = [json.loads(text) for text in done.stdout.splitlines()]
    assert results == [{"killed": True, "same": True, "readable": True, "finished": True, "tidy": True}] * len(points)
