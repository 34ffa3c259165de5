"""``python -m benchmarks.load_parquet``: CUR 2.0 in Parquet becomes a committed slice, beside plain copies of the same files.

The load of a legacy CSV report of as many rows takes its turn as well. The contenders go round several times, so that a busy
moment hits all of them alike.
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

WHAT = {
    "parquet": "cost-lakehouse, Parquet: typed, maps, totals proven, committed",
    "polars": "polars: plain copy (`scan_parquet` -> `sink_parquet`)",
    "duckdb": "DuckDB: plain copy (`COPY`)",
    "csv": "cost-lakehouse, legacy CSV of as many rows",
}
CONTENDER = {"parquet": "lakehouse", "polars": "polars_parquet", "duckdb": "duckdb_parquet", "csv": "lakehouse"}
EXPORT = ("--report", "cur-2.0", "--format", "parquet", "--versioning", "overwrite", "--files", "4")
MONTH = "2026-09"


def main() -> int:
    """Measure every size, and print a table each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="rows of the bill; several sizes may be given")
    parser.add_argument("--rounds", type=int, default=5)
    common_options(parser)
    wanted = parser.parse_args()
    print(f"{machine()}; CUR 2.0, 4 files of Parquet (snappy), seed {wanted.seed}; median of {wanted.rounds} rounds\n")
    for rows in wanted.rows:
        export = sample_bill(wanted.out / f"export-{rows}", rows, MONTH, wanted.seed, *EXPORT)
        report = sample_bill(wanted.out / f"bill-{rows}", rows, MONTH, wanted.seed)
        configs = {
            "parquet": configuration(wanted.out / f"load-export-{rows}", export, MONTH, "aws_data_export"),
            "csv": configuration(wanted.out / f"load-{rows}", report, MONTH),
        }
        copies = wanted.out / f"copy-{rows}"
        files = sorted(export.rglob("*.parquet"))
        measured: dict[str, list[Measured]] = {name: [] for name in WHAT}
        for number in range(wanted.rounds):
            for name in WHAT:
                config = configs.get(name, configs["parquet"])
                took = measure("benchmarks.contenders", CONTENDER[name], str(config), str(copies), *map(str, files))
                measured[name].append(took)
                sys.stderr.write(f"{rows} rows, round {number + 1}: {name} {took.seconds:.1f} s\n")
        print(f"{rows:,} rows, {megabytes(sum(file.stat().st_size for file in files))}\n")
        print_table(
            ("", "seconds", "fastest", "rows/s", "ratio to the faster copy", "CPU seconds", "whole process", "peak memory"),
            [row(name, rows, measured) for name in WHAT],
        )
        rates = [csv.seconds / parquet.seconds for csv, parquet in zip(measured["csv"], measured["parquet"], strict=True)]
        print(f"\nParquet loads {median(rates):.1f} times the rows a second of CSV.\n")
        for folder in (copies, *(candidate.parent / "lake" for candidate in configs.values())):
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def row(name: str, rows: int, measured: dict[str, list[Measured]]) -> tuple[str, ...]:
    """One contender's line: medians, and the ratio in the same rounds."""
    own = measured[name]
    seconds = median([entry.seconds for entry in own])
    floor = [min(one.seconds, other.seconds) for one, other in zip(measured["polars"], measured["duckdb"], strict=True)]
    return (
        WHAT[name],
        f"{seconds:.1f}",
        f"{min(entry.seconds for entry in own):.1f}",
        f"{rows / seconds:,.0f}",
        f"{median([item.seconds / least for item, least in zip(own, floor, strict=True)]):.2f}",
        f"{median([entry.cpu for entry in own]):.1f}",
        f"{median([entry.wall for entry in own]):.1f} s",
        megabytes(max(entry.peak for entry in own)),
    )


if __name__ == "__main__":
    sys.exit(main())
