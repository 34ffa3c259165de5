"""``python -m benchmarks.load_oci``: OCI's cost reports become committed months, beside plain copies of the same files.

The reports are those of one month, four files a day, each with a header of its own; then as many rows in one file, which is as
large as Oracle makes them. They are all new, as on a first load. The contenders take turns for several rounds, so that a busy
moment hits all of them alike.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

from benchmarks import make_oci
from benchmarks.load_csv import row
from benchmarks.measuring import HERE, Measured, common_options, machine, measure, megabytes, print_table

NAMES = ("oci", "polars", "duckdb")
MONTH = f"{make_oci.MONTH:%Y-%m}"


def main() -> int:
    """Measure every size, and print a table each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000], help="about how many rows; several may be given")
    parser.add_argument("--files", type=int, nargs="+", choices=(make_oci.MONTH_FILES, 1), default=[make_oci.MONTH_FILES, 1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES))
    common_options(parser)
    wanted = parser.parse_args()
    print(f"{machine()}; gzip CSV, seed {wanted.seed}; median of {wanted.rounds} rounds\n")
    for rows, number_of_files in product(wanted.rows, wanted.files):
        reports = sample_reports(wanted.out / f"oci-{rows}-{number_of_files}", rows, number_of_files, wanted.seed)
        config = configuration(wanted.out / f"load-oci-{rows}", reports)
        copies = wanted.out / f"copy-oci-{rows}"
        files = sorted((reports / "cost-csv").glob("*.csv.gz"))
        measured: dict[str, list[Measured]] = {name: [] for name in wanted.only}
        for number in range(wanted.rounds):
            for name in wanted.only:
                took = measure("benchmarks.contenders", name, str(config), str(copies), *map(str, files))
                measured[name].append(took)
                sys.stderr.write(f"{rows} rows, round {number + 1}: {name} {took.seconds:.1f} s\n")
        counted = int(str(measured["oci"][0].said["rows"])) if "oci" in measured else rows
        lie_in = "1 file" if len(files) == 1 else f"{len(files)} files"
        print(f"{counted:,} rows in {lie_in}, {megabytes(sum(file.stat().st_size for file in files))}\n")
        print_table(
            ("", "seconds", "fastest", "rows/s", "ratio to polars", "CPU seconds", "whole process", "peak memory"),
            [row(name, counted, measured) for name in wanted.only],
        )
        print()
        shutil.rmtree(copies, ignore_errors=True)
        shutil.rmtree(config.parent / "lake", ignore_errors=True)
    return 0


def sample_reports(folder: Path, rows: int, files: int, seed: int) -> Path:
    """OCI's reports below ``folder``, made once for the same arguments; the folder that holds them."""
    wanted = f"rows={rows} files={files} seed={seed}"
    mark = folder / "made-with.txt"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != wanted:
        sys.stderr.write(f"making sample reports: {wanted}\n")
        command = [sys.executable, "-m", "benchmarks.make_oci", str(folder), str(rows), str(files), str(seed)]
        subprocess.run(command, check=True, cwd=HERE.parent, stdout=subprocess.DEVNULL)
        mark.write_text(wanted, encoding="utf-8")
    return folder / "acme-oci-mirror" / "reports"


def configuration(folder: Path, reports: Path) -> Path:
    """A ``lakehouse.yaml`` for those reports, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "lakehouse.yaml"
    config.write_text(
        f"lake:\n  first_month: {MONTH}\nsources:\n  - name: bench\n    kind: oci_cost_reports\n    location: {reports}\n",
        encoding="utf-8",
    )
    return config


if __name__ == "__main__":
    sys.exit(main())
