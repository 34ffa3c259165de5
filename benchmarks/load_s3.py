"""``python -m benchmarks.load_s3``: one delivery becomes a committed slice in S3 (catalog in PostgreSQL), and in a folder.

Both take turns for several rounds, each into an empty lake.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import yaml

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
from benchmarks.servers import postgres_and_s3
from tests.services.postgres import PostgresServer
from tests.services.s3 import S3Server

MONTH = "2026-09"
WHAT = {"folder": "into a folder, catalog in SQLite", "s3": "into S3, catalog in PostgreSQL"}


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the bill")
    parser.add_argument("--rounds", type=int, default=5)
    common_options(parser)
    wanted = parser.parse_args()
    report = sample_bill(wanted.out / f"bill-{wanted.rows}", wanted.rows, MONTH, wanted.seed)
    files = sorted(map(str, report.rglob("*.csv.gz")))
    folder = wanted.out / f"load-s3-{wanted.rows}"
    measured: dict[str, list[Measured]] = {name: [] for name in WHAT}
    shutil.rmtree(folder, ignore_errors=True)
    with postgres_and_s3(folder / "servers") as (postgres, s3):
        for number in range(wanted.rounds):
            configs = {
                "folder": configuration(folder / "folder", report, MONTH),
                "s3": on_servers(folder / "on-servers", report, postgres, s3),
            }
            for name, config in configs.items():
                took = measure("benchmarks.contenders", "lakehouse", str(config), str(folder / "copy"), *files)
                measured[name].append(took)
                sys.stderr.write(f"round {number + 1}: {name} {took.seconds:.1f} s\n")
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{machine()}; {wanted.rows:,} rows, 133 columns, gzip CSV, seed {wanted.seed}; median of {wanted.rounds} rounds\n")
    rows = [
        (
            WHAT[name],
            f"{median([entry.seconds for entry in own]):.1f}",
            f"{median([a.seconds / b.seconds for a, b in zip(own, measured['folder'], strict=True)]):.2f}",
            megabytes(max(entry.peak for entry in own)),
        )
        for name, own in measured.items()
    ]
    print_table(("load of one slice", "seconds", "ratio", "peak memory"), rows)
    return 0


def on_servers(folder: Path, report: Path, postgres: PostgresServer, s3: S3Server) -> Path:
    """A ``lakehouse.yaml`` of a new, empty lake on the servers."""
    config = configuration(folder, report, MONTH)
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    document["lake"] |= {
        "catalog": postgres.url(postgres.make_database("bench")),
        "warehouse": f"s3://{s3.make_bucket('bench')}/warehouse",
        "store": {
            "endpoint": s3.endpoint,
            "region": s3.region,
            "access_key": s3.access_key,
            "secret_key": s3.secret_key,
        },
    }
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    return config


if __name__ == "__main__":
    sys.exit(main())
