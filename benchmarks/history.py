"""``python -m benchmarks.history``: the refresh of one month, load and summaries, with little and with much history."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from datetime import date

from benchmarks.measuring import Measured, common_options, configuration, machine, measure, median, print_table, sample_bill
from benchmarks.servers import production
from tests.services.production import ProductionStack

NEWEST = date(2026, 10, 1)


def main() -> int:
    """Fill one lake for each length of history, then refresh the newest month in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="rows a month")
    parser.add_argument("--history", type=int, nargs="+", default=[0, 10], help="months beside the refreshed one")
    parser.add_argument("--engine", choices=("duckdb", "trino"), default="duckdb", help="trino: with PostgreSQL and S3")
    parser.add_argument("--rounds", type=int, default=5)
    common_options(parser)
    wanted = parser.parse_args()
    with ExitStack() as stack:
        servers = stack.enter_context(production(wanted.out / "servers")) if wanted.engine == "trino" else None
        measured = rounds(wanted, servers)
    print(f"{machine()}; {wanted.rows:,} rows a month, seed {wanted.seed}; median of {wanted.rounds} rounds\n")
    least = wanted.history[0]
    rows = [
        (
            f"{months} months of history" if months else "no history",
            f"{part(measured[months], 'load'):.1f}",
            f"{part(measured[months], 'summarise'):.1f}",
            f"{part(measured[months], 'seconds'):.1f}",
            f"{median([a.seconds / b.seconds for a, b in zip(measured[months], measured[least], strict=True)]):.2f}",
        )
        for months in measured
    ]
    print_table((f"refresh of one month, {wanted.engine}", "load s", "summaries s", "together s", "ratio"), rows)
    return 0


def rounds(wanted: argparse.Namespace, servers: ProductionStack | None) -> dict[int, list[Measured]]:
    """Months of history -> what each round took; on ``servers``, or without them in a folder."""
    configs = {}
    for months in wanted.history:
        first = months_before(NEWEST, months)
        folder = wanted.out / f"history-{wanted.rows}-{months}"
        report = sample_bill(folder / "bills", wanted.rows, f"{first:%Y-%m}..{NEWEST:%Y-%m}", wanted.seed)
        if servers is None:
            configs[months] = configuration(folder, report, f"{first:%Y-%m}")
        else:
            source = {"name": "bench", "kind": "aws_cur", "location": str(report)}
            configs[months] = servers.new_lake(
                folder / "trino", [source], f"{first:%Y-%m}", {"iceberg.table-statistics-enabled": "true"}
            )
        measure("benchmarks.refresh_month", str(configs[months]), "--first")
    measured: dict[int, list[Measured]] = {months: [] for months in configs}
    for number in range(wanted.rounds):
        for months, config in configs.items():
            took = measure("benchmarks.refresh_month", str(config))
            measured[months].append(took)
            sys.stderr.write(f"round {number + 1}: {months} months of history: {took.seconds:.1f} s\n")
    return measured


def part(measured: list[Measured], name: str) -> float:
    """The median of one part of the work, seconds."""
    return median([float(str(candidate.said[name])) for candidate in measured])


def months_before(month: date, count: int) -> date:
    """The first of the month ``count`` months earlier."""
    number = month.year * 12 + month.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)


if __name__ == "__main__":
    sys.exit(main())
