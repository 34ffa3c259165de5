"""``python -m benchmarks.proof``: comparing two deliveries, explaining a cell and writing FOCUS, beside the month's load."""

from __future__ import annotations

import argparse
import sys

from benchmarks.measuring import common_options, machine, measure, median, print_table

QUESTIONS = ("diff", "first explain", "explain", "export")


def main() -> int:
    """Each round delivers, loads and summarises a month twice in a new lake, and asks everything once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="rows of the bill, a group of rows each")
    parser.add_argument("--rounds", type=int, default=3)
    common_options(parser)
    wanted = parser.parse_args()
    print(f"{machine()}; seed {wanted.seed}; median of {wanted.rounds} rounds\n")
    rows = []
    for count in wanted.rows:
        arguments = (str(wanted.out / f"proof-{count}"), str(count), str(wanted.seed))
        rounds = [measure("benchmarks.prove_month", *arguments).said for _ in range(wanted.rounds)]
        load = median([float(str(said["load"])) for said in rounds])
        for question in QUESTIONS:
            took = median([float(str(said[question])) for said in rounds])
            rows.append((f"{question}, {count:,} rows", f"{took:.2f}", f"{took / load:.2f}"))
    print_table(("", "seconds", "ratio to the load"), rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
