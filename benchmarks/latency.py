"""``python -m benchmarks.latency``: from the manifest that ends a delivery to its published marts, at default settings.

A real ``dagster dev`` (web server, daemon, code server) watches a folder; months of a sample bill arrive in it one by one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from benchmarks.history import months_before
from benchmarks.measuring import HERE, common_options, configuration, machine, median, print_table, sample_bill
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.ledger import receipts
from cost_lakehouse.summaries.stale import BILL_STATUS
from tests.services.ports import free_ports

NEWEST = date(2026, 10, 1)
LONGEST_SECONDS = 900.0
_POLL_SECONDS = 1.0
_STOP_SECONDS = 30


def main() -> int:
    """Deliver a month to get Dagster going, then one a round; prints when each was on record and when it was published."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000, help="rows of a delivery")
    parser.add_argument("--rounds", type=int, default=3)
    common_options(parser)
    wanted = parser.parse_args()
    first = months_before(NEWEST, wanted.rounds)
    folder = wanted.out / "latency"
    report = sample_bill(folder / "bills", wanted.rows, f"{first:%Y-%m}..{NEWEST:%Y-%m}", wanted.seed)
    for left in ("watched", "lake", ".dagster"):
        shutil.rmtree(folder / left, ignore_errors=True)
    watched = folder / "watched" / report.relative_to(folder / "bills")
    watched.mkdir(parents=True)
    config = configuration(folder, watched, f"{first:%Y-%m}")
    rounds = []
    with dagster_dev(config):
        for number in reversed(range(wanted.rounds + 1)):
            month = months_before(NEWEST, number)
            delivered_at = deliver(report, watched, month)
            loaded = wait_for(lambda month=month: is_loaded(config, month), delivered_at)  # type: ignore[misc]
            published = wait_for(lambda month=month: is_published(config, month), delivered_at)  # type: ignore[misc]
            sys.stderr.write(f"{month:%Y-%m}: loaded after {loaded:.1f} s, published after {published:.1f} s\n")
            rounds.append((loaded, published))
    told = rounds[1:]  # Dagster was starting during the first
    print(f"{machine()}; {wanted.rows:,} rows a delivery; {len(told)} rounds\n")
    columns = ("seconds since the manifest was written", "median", "longest")
    names = ("on record in raw.receipts", "published in every mart")
    rows = []
    for name, seconds in zip(names, zip(*told, strict=True), strict=True):
        rows.append((name, f"{median(seconds):.1f}", f"{max(seconds):.1f}"))
    print_table(columns, rows)
    return 0


def deliver(report: Path, watched: Path, month: date) -> float:
    """Copy one month's delivery, its manifest last, as AWS writes it: the moment before the manifest is there (monotonic)."""
    (period,) = report.glob(f"{month:%Y%m%d}-*")
    (manifest,) = period.glob("*-Manifest.json")
    target = watched / period.name
    shutil.copytree(period, target, ignore=lambda folder, _: [manifest.name] if Path(folder) == period else [])
    begun = time.monotonic()
    unfinished = target / f".{manifest.name}"
    shutil.copyfile(manifest, unfinished)
    unfinished.rename(target / manifest.name)
    return begun


def wait_for(is_there: Callable[[], bool], since: float, longest: float = LONGEST_SECONDS) -> float:
    """Seconds from ``since`` until the answer is yes. Raises RuntimeError where it is not within ``longest`` seconds."""
    while not is_there():
        if time.monotonic() - since > longest:
            raise RuntimeError(f"nothing was there within {longest:.0f} s")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - since


def is_loaded(config: Path, month: date) -> bool:
    """Whether a receipt of the month is on record; False before there is a lake."""
    lake = Lake(load_settings(config))
    return lake.table_or_none("raw.receipts") is not None and any(entry.billing_period == month for entry in receipts(lake))


def is_published(config: Path, month: date) -> bool:
    """Whether the month's status is published, which comes after all other marts."""
    lake = Lake(load_settings(config))
    if lake.table_or_none(BILL_STATUS) is None:
        return False
    with connect(lake, [BILL_STATUS]) as connection:
        rows = connection.execute(f"select 1 from {BILL_STATUS} where billing_period = ?", [month]).fetchall()
    return bool(rows)


@contextmanager
def dagster_dev(config: Path) -> Iterator[None]:
    """``dagster dev`` on a free port, with daemon and code server; a RuntimeError of the context tells what they said."""
    (port,) = free_ports(1)
    environment = {**os.environ, "COST_LAKEHOUSE_CONFIG": str(config), "DAGSTER_DISABLE_TELEMETRY": "1"}
    environment.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile(dir=config.parent) as log:
        process = subprocess.Popen(
            command, cwd=HERE.parent, env=environment, start_new_session=True, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield
        except RuntimeError as error:
            log.seek(0)
            raise RuntimeError(f"{error}; Dagster said:\n{log.read()[-3000:].decode(errors='replace')}") from error
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
