"""``python -m benchmarks.scale``: large bills in many files: the first load, a delivery of which one file changed, two workers.

Every load runs in a process of its own, workers in further ones. CPU seconds are of the work in all of them, memory is that
of the largest. The steps take turns for several rounds.
"""

from __future__ import annotations

import argparse
import shutil
import sys

from benchmarks.measuring import (
    Measured,
    common_options,
    configuration,
    machine,
    measure,
    median,
    megabytes,
    print_table,
    sample_bill,
)

MONTH = "2026-09"
STEPS = {
    "first": "first load, one process with all cores",
    "again": "delivered again, one file has changed",
    "shared": "first load, two workers",
}


def main() -> int:
    """Measure every size, a table each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="rows of the bill; several sizes may be given")
    parser.add_argument("--files", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    common_options(parser)
    wanted = parser.parse_args()
    print(f"{machine()}; 133 columns, gzip CSV in {wanted.files} files, seed {wanted.seed}; median of {wanted.rounds} rounds\n")
    for rows in wanted.rows:
        folder = wanted.out / f"scale-{rows}-{wanted.files}"
        options = ("--files", str(wanted.files), "--versioning", "overwrite")
        report = sample_bill(folder / "bill", rows, MONTH, wanted.seed, *options)
        config = configuration(folder, report, MONTH)
        measured: dict[str, list[Measured]] = {step: [] for step in STEPS}
        for number in range(wanted.rounds):
            for step in STEPS:
                if step != "again":
                    shutil.rmtree(folder / "lake", ignore_errors=True)
                else:
                    measure("benchmarks.scale_step", "change", str(config))
                took = measure("benchmarks.scale_step", step, str(config))
                measured[step].append(took)
                sys.stderr.write(f"{rows:,} rows, round {number + 1}: {step} {took.seconds:.1f} s, {_cpu(took):.1f} CPU s\n")
        size = sum(file.stat().st_size for file in report.rglob("*.csv.gz"))
        print(f"{rows:,} rows, {megabytes(size)}\n")
        columns = ("", "seconds", "of the first load", "CPU seconds", "of the first load", "rows/s", "peak memory")
        print_table(columns, [row(step, rows, measured) for step in STEPS])
        print()
        shutil.rmtree(folder / "lake", ignore_errors=True)
    return 0


def row(step: str, rows: int, measured: dict[str, list[Measured]]) -> tuple[str, ...]:
    """One step's line: medians, and ratios to the first load in the same rounds."""
    own, first = measured[step], measured["first"]
    seconds, cpu = median([took.seconds for took in own]), median([_cpu(took) for took in own])
    return (
        STEPS[step],
        f"{seconds:.1f}",
        f"{median([a.seconds / b.seconds for a, b in zip(own, first, strict=True)]):.2f}",
        f"{cpu:.1f}",
        f"{median([_cpu(a) / _cpu(b) for a, b in zip(own, first, strict=True)]):.2f}",
        f"{rows / seconds:,.0f}",
        megabytes(max(took.peak for took in own)),
    )


def _cpu(took: Measured) -> float:
    """CPU seconds of the work alone; the start of workers is a part of it, that of the loading process is not."""
    return float(str(took.said["cpu"]))


if __name__ == "__main__":
    sys.exit(main())
