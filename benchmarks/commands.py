"""``python -m benchmarks.commands``: each command on a small lake beside ``--help``, and a small refresh end to end."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import common_options, configuration, machine, median, print_table, sample_bill

COMMANDS = (
    ("--help",),
    ("status", "--config", "missing.yaml"),
    ("run", "--month", "2026-13"),
    ("run", "--source", "unknown"),
    ("status",),
    ("discover",),
    ("query", "select sum(billed_cost) from marts.daily_costs"),
    ("doctor",),
    ("run",),
)


@dataclass(frozen=True)
class Took:
    """One command: seconds on the clock and of the processor."""

    wall: float
    cpu: float


def main() -> int:
    """Refresh a small month in a new lake, then run each command on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000, help="rows of the one month")
    parser.add_argument("--rounds", type=int, default=3)
    common_options(parser)
    wanted = parser.parse_args()
    folder = wanted.out / "commands"
    config = configuration(folder, sample_bill(folder / "bills", wanted.rows, "2026-10", wanted.seed), "2026-10")

    def afresh() -> None:
        for left in ("lake", ".dagster"):
            shutil.rmtree(folder / left, ignore_errors=True)

    rounds = range(wanted.rounds)
    results = [("run, one new delivery to published marts", [command(config, ("run",), afresh) for _ in rounds])]
    results += [(" ".join(words), [command(config, words) for _ in rounds]) for words in COMMANDS]
    least = median([took.cpu for took in results[1][1]])
    print(f"{machine()}; {wanted.rows:,} rows; median of {wanted.rounds} rounds\n")
    rows = []
    for name, measured in results:
        wall, cpu = median([took.wall for took in measured]), median([took.cpu for took in measured])
        rows.append((f"`{name}`", f"{wall:.1f}", f"{cpu:.1f}", f"{cpu / least:.1f}"))
    print_table(("command", "seconds", "CPU seconds", "times `--help`"), rows)
    return 0


def command(config: Path, words: Sequence[str], before: Callable[[], None] | None = None) -> Took:
    """Run the command; whatever it answers, it is measured."""
    if before is not None:
        before()
    environment = {"COST_LAKEHOUSE_CONFIG": str(config), "DAGSTER_HOME": str(config.parent / ".dagster")}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "cost_lakehouse.cli", *words],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Took(time.monotonic() - started, usage.ru_utime + usage.ru_stime)


if __name__ == "__main__":
    sys.exit(main())
