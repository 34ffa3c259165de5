"""``kill -9`` at any point of a load leaves the old slice readable, and the next run completes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.kill_loads import AFTER_COMMIT, SAME
from tests.kill_points import as_text, chosen

POINTS = 54
FEW = 5


@pytest.mark.timeout(900)
def test_a_load_killed_at_any_of_54_points_leaves_the_old_slice_and_the_next_run_completes(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Every run takes other ones of the 54 (by pytest-randomly's seed, which it prints); ``KILL_POINTS=all`` takes all."""
    before = POINTS - AFTER_COMMIT
    seed = pytestconfig.getoption("randomly_seed", 0)
    points = [*chosen(before, FEW - 2, seed), *(before + late for late in chosen(AFTER_COMMIT, 2, seed))]
    print("killed at", points)
    program = [sys.executable, "-m", "tests.end_to_end.kill_loads", str(tmp_path), str(POINTS), as_text(points)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr
    results = [json.loads(text) for text in done.stdout.splitlines()]

    assert len(results) == len(points)
    for result in results:
        old, new = [result["number"] - 1] * 3, [result["number"]] * 3
        assert result["killed"]
        assert result["after_kill"]["costs"] in (old, new)
        assert result["finished"]
        assert result["after_run"]["costs"] == new
        assert result["after_run"]["doubled_receipts"] == []
        assert (result["after_kill"]["deliveries"], result["after_run"]["deliveries"]) == (1, 1)
        # Three rows of `number` each and the file that is the same: no delivery's control totals are ever there twice.
        assert all(total == 3 * int(delivery[1:]) + SAME for delivery, total in result["after_run"]["totals"].items())
    # Most points lie before the commit, some after it: both were met.
    assert {result["after_kill"]["costs"] == [result["number"]] * 3 for result in results} == {True, False}
    # Every snapshot's own files are there, and not one more; that of the same file came from the delivery before.
    assert results[-1]["after_run"]["unknown_files"] == 0
    assert results[-1]["after_run"]["kept"] > 0
