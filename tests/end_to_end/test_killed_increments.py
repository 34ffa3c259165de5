"""``kill -9`` at any point of a load of OCI's reports leaves every month as it was, and the next run completes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill_points import as_text, chosen

POINTS = 9
FEW = 4


@pytest.mark.timeout(600)
def test_a_load_of_reports_killed_at_any_of_9_points_leaves_all_months_as_they_were(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Every run takes other ones of the 9 (by pytest-randomly's seed, which it prints); ``KILL_POINTS=all`` takes all."""
    points = chosen(POINTS, FEW, pytestconfig.getoption("randomly_seed", 0))
    print("killed at", points)
    program = [sys.executable, "-m", "tests.end_to_end.kill_increments", str(tmp_path), str(POINTS), as_text(points)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr
    results = [json.loads(text) for text in done.stdout.splitlines()]

    assert len(results) == len(points)
    for result in results:
        number = result["number"]
        after_kill, after_run = result["after_kill"], result["after_run"]
        # Both months and the replaced file change together, or not at all.
        assert (after_kill["replaced"], after_kill["others"]) in (
            ([number - 1], [2] * (number - 1)),
            ([number], [2] * number),
        )
        assert (after_run["replaced"], after_run["others"]) == ([number], [2] * number)
        assert after_run["proven"] == after_run["held"] == {"2026-09-01": number, "2026-10-01": 2 * number}
    assert sum(result["killed"] for result in results) >= len(points) - 2
