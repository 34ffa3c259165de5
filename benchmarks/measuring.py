"""What the benchmarks share: a process measured from outside, sample bills made once, and tables of results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"
_BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Measured:
    """One process: ``seconds`` is its work as it says itself; ``wall``, ``cpu``, ``peak`` (bytes) are of the whole process."""

    seconds: float
    wall: float
    cpu: float
    peak: int
    said: dict[str, object]


def measure(module: str, *arguments: str) -> Measured:
    """Run ``python -m module``, which prints a JSON object with its ``seconds``, in a process of its own.

    Raises RuntimeError with its output where it fails. The calling process has to stay small: a child's peak is never
    told as less than its parent's size.
    """
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    if process.returncode != 0:
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {process.returncode}:\n{output}")
    said: dict[str, object] = json.loads(output.strip().splitlines()[-1])
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(float(str(said["seconds"])), wall, cpu, usage.ru_maxrss * _BYTES_OF_MAXRSS, said)


def sample_bill(folder: Path, rows: int, months: str, seed: int, *options: str) -> Path:
    """A CSV bill of 133 columns below ``folder``, made once for the same arguments; the report's folder.

    ``options`` are the generator's own, for another kind of bill.
    """
    wanted = " ".join((f"rows={rows} months={months} seed={seed}", *options))
    mark = folder / "made-with.txt"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != wanted:
        sys.stderr.write(f"making a sample bill: {wanted}\n")
        command = [sys.executable, "-m", "sample_bills", str(folder), "--rows", str(rows), "--months", months]
        command += ["--seed", str(seed), "--plain", "--gzip-level", "1", *options]
        subprocess.run(command, check=True, cwd=HERE.parent, stdout=subprocess.DEVNULL)
        mark.write_text(wanted, encoding="utf-8")
    return folder / "acme-billing" / "cur" / "hourly-cur"


def configuration(folder: Path, report: Path, first_month: str, kind: str = "aws_cur") -> Path:
    """A ``lakehouse.yaml`` for that report, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "lakehouse.yaml"
    config.write_text(
        f"lake:\n  first_month: {first_month}\nsources:\n  - name: bench\n    kind: {kind}\n    location: {report}\n",
        encoding="utf-8",
    )
    return config


def machine() -> str:
    """What the figures depend on: cores, Python, operating system."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def common_options(parser: argparse.ArgumentParser) -> None:
    """The options of every benchmark."""
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=OUT, help="where bills and lakes are kept (default benchmarks/out)")


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table, so that it can be pasted as it is."""
    print(f"| {' | '.join(columns)} |")
    print(f"|{'|'.join(['---', *['---:'] * (len(columns) - 1)])}|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def megabytes(count: float) -> str:
    """Bytes in MB (10^6), for people."""
    return f"{count / 1e6:,.0f} MB"
