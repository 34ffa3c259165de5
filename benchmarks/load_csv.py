"""``python -m benchmarks.load_csv``: a delivery in gzip CSV becomes a committed slice, beside plain copies of the same file.

The contenders take turns for several rounds, so that a busy moment hits all of them alike.
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

NAMES = ("lakehouse", "polars", "duckdb")
_OURS = "cost-lakehouse: typed, maps, totals proven, committed"
WHAT = {
    "lakehouse": _OURS,
    "oci": _OURS,
    "polars": "polars: plain text copy (`scan_csv` -> `sink_parquet`)",
    "duckdb": "DuckDB: plain text copy (`COPY`)",
}
MONTH = "2026-09"


def main() -> int:
    """Measure every size, and print a table each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="rows of the bill; several sizes may be given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES))
    common_options(parser)
    wanted = parser.parse_args()
    print(f"{machine()}; 133 columns, gzip CSV, seed {wanted.seed}; median of {wanted.rounds} rounds\n")
    for rows in wanted.rows:
        report = sample_bill(wanted.out / f"bill-{rows}", rows, MONTH, wanted.seed)
        config = configuration(wanted.out / f"load-{rows}", report, MONTH)
        copies = wanted.out / f"copy-{rows}"
        files = sorted(report.rglob("*.csv.gz"))
        measured: dict[str, list[Measured]] = {name: [] for name in wanted.only}
        for number in range(wanted.rounds):
            for name in wanted.only:
                took = measure("benchmarks.contenders", name, str(config), str(copies), *map(str, files))
                measured[name].append(took)
                sys.stderr.write(f"{rows} rows, round {number + 1}: {name} {took.seconds:.1f} s\n")
        size = sum(file.stat().st_size for file in files)
        print(f"{rows:,} rows, {megabytes(size)}\n")
        print_table(
            ("", "seconds", "fastest", "rows/s", "ratio to polars", "CPU seconds", "whole process", "peak memory"),
            [row(name, rows, measured) for name in wanted.only],
        )
        print()
        shutil.rmtree(copies, ignore_errors=True)
        shutil.rmtree(config.parent / "lake", ignore_errors=True)
    return 0


def row(name: str, rows: int, measured: dict[str, list[Measured]]) -> tuple[str, ...]:
    """One contender's line: medians, and the ratio in the same rounds."""
    own = measured[name]
    seconds = median([entry.seconds for entry in own])
    floor = measured.get("polars", [])
    ratio = f"{median([a.seconds / b.seconds for a, b in zip(own, floor, strict=True)]):.2f}" if floor else ""
    return (
        WHAT[name],
        f"{seconds:.1f}",
        f"{min(entry.seconds for entry in own):.1f}",
        f"{rows / seconds:,.0f}",
        ratio,
        f"{median([entry.cpu for entry in own]):.1f}",
        f"{median([entry.wall for entry in own]):.1f} s",
        megabytes(max(entry.peak for entry in own)),
    )


if __name__ == "__main__":
    sys.exit(main())
