"""``python -m benchmarks.everything``: a large bill from its files to published marts, beside the load and DuckDB's floor."""

from __future__ import annotations

import argparse
import shutil
import sys

from benchmarks.measuring import (
    common_options,
    configuration,
    machine,
    measure,
    median,
    megabytes,
    print_table,
    sample_bill,
)

MONTH = "2026-10"


def main() -> int:
    """Load and summarise each size of bill into a new lake, then group its raw slice once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="rows of the bill, a table row each")
    parser.add_argument("--rounds", type=int, default=3)
    common_options(parser)
    wanted = parser.parse_args()
    print(f"{machine()}; seed {wanted.seed}; median of {wanted.rounds} rounds\n")
    rows = []
    for count in wanted.rows:
        folder = wanted.out / f"everything-{count}"
        report = sample_bill(folder / "bills", count, MONTH, wanted.seed)
        config = configuration(folder, report, MONTH)
        whole, floors = [], []
        for number in range(wanted.rounds):
            for left in ("lake", ".dagster"):
                shutil.rmtree(folder / left, ignore_errors=True)
            whole.append(measure("benchmarks.refresh_month", str(config), "--first"))
            floors.append(measure("benchmarks.floor", str(config)))
            sys.stderr.write(f"{count:,} rows, round {number + 1}: {whole[-1].seconds:.1f} s\n")
        load = median([float(str(round_.said["load"])) for round_ in whole])
        summaries = median([float(str(round_.said["summarise"])) for round_ in whole])
        together = median([round_.seconds for round_ in whole])
        floor = median([round_.seconds for round_ in floors])
        ratios = (f"{together / load:.2f}", f"{floor:.1f}", f"{summaries / floor:.2f}")
        peak = megabytes(max(round_.peak for round_ in whole))
        rows.append((f"{count:,}", f"{load:.1f}", f"{summaries:.1f}", f"{together:.1f}", *ratios, peak))
    columns = ("rows", "load s", "summaries s", "together s", "together / load", "floor s", "summaries / floor", "peak memory")
    print_table(columns, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
