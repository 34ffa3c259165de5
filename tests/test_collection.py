"""Every process that collects the tests finds the same ones: pytest-xdist refuses to run where two of its workers disagree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COLLECT = [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "tests.shifted_clock", "--collect-only", "-q", "tests"]


def test_another_day_and_other_hashes_give_the_tests_of_this_run_the_same_names(request: pytest.FixtureRequest) -> None:
    """Parameters may hold no time and stand in no set; workers compare the order themselves, at every start."""
    here = [item.nodeid for item in request.session.items]
    other = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"

    done = subprocess.run(
        COLLECT, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": other}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    there = {line for line in done.stdout.splitlines() if "::" in line}
    assert [name for name in here if name not in there] == []


def test_names_are_short_and_printable(request: pytest.FixtureRequest) -> None:
    names = [item.name.partition("[")[2] for item in request.session.items]
    assert [name for name in names if len(name) > 130 or not name.isprintable()] == []
