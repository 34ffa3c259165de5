"""``python -m benchmarks.small_loads``: many small deliveries of many payers, loaded one after the other into one lake.

What a load costs must not depend on how many there were before it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks.history import months_before
from benchmarks.measuring import common_options, machine, measure, median, print_table, sample_bill

NEWEST = date(2026, 10, 1)
_ROWS = 150
_AROUND = 9  # loads; the middle of so many is told, as a single one is as quick as the moment


def main() -> int:
    """Load, and print what the tenth, the middle and the last loads took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, default=2000)
    parser.add_argument("--payers", type=int, default=40)
    common_options(parser)
    wanted = parser.parse_args()
    months = -(-wanted.loads // wanted.payers)
    first = months_before(NEWEST, months - 1)
    folder = wanted.out / f"small-{wanted.payers}-{months}"
    bill = folder / "bills"
    sample_bill(bill, _ROWS, f"{first:%Y-%m}..{NEWEST:%Y-%m}", wanted.seed, "--payers", str(wanted.payers))
    config = sources_of(folder, sorted((bill / "acme-billing" / "cur").iterdir()), f"{first:%Y-%m}")
    shutil.rmtree(folder / "lake", ignore_errors=True)
    took = measure("benchmarks.load_many", str(config), str(wanted.loads))
    seconds, cpu = _numbers(took.said["each"]), _numbers(took.said["each_cpu"])
    print(f"{machine()}; {len(seconds)} loads of {_ROWS} rows, {wanted.payers} payers, seed {wanted.seed}\n")
    tenth = min(10, len(seconds))
    print_table(
        ("a load", "seconds", "CPU seconds", "CPU, ratio to the 10th"),
        [
            (
                name,
                f"{_near(seconds, number):.2f}",
                f"{_near(cpu, number):.2f}",
                f"{_near(cpu, number) / _near(cpu, tenth):.2f}",
            )
            for name, number in (("10th", tenth), ("median", len(cpu) // 2), ("last", len(cpu)))
        ],
    )
    print(f"\npeak memory {took.peak / 1e6:,.0f} MB")
    return 0


def sources_of(folder: Path, reports: Sequence[Path], first_month: str) -> Path:
    """A ``lakehouse.yaml`` with a source for every payer's report."""
    sources = "".join(f"  - name: {path.name}\n    kind: aws_cur\n    location: {path}\n" for path in reports)
    config = folder / "lakehouse.yaml"
    config.write_text(f"lake:\n  first_month: {first_month}\nsources:\n{sources}", encoding="utf-8")
    return config


def _numbers(said: object) -> list[float]:
    if not isinstance(said, list):
        raise TypeError(f"a list of numbers is expected, not {said!r}")
    return [float(item) for item in said]


def _near(values: Sequence[float], number: int) -> float:
    """The median of the loads around the ``number``th, without the first, which creates the lake."""
    start = max(1, min(number - 1 - _AROUND // 2, len(values) - _AROUND))
    return median(values[start : start + _AROUND] or values)


if __name__ == "__main__":
    sys.exit(main())
