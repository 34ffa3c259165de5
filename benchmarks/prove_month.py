"""What is asked of a month that was delivered twice: ``python -m benchmarks.prove_month FOLDER ROWS SEED``.

Makes both deliveries, loads and summarises each, then compares, explains and exports; prints how long each took.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.measuring import configuration
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.lake.warehouse import FolderWarehouse
from cost_lakehouse.orchestration.assets.line_items import LogProgress
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.orchestration.runner import InProcess
from cost_lakehouse.proof.diff import bounds_of, difference, loads_of
from cost_lakehouse.proof.engines import engine_of
from cost_lakehouse.proof.explain import Cell, explain
from cost_lakehouse.publish.focus_export import export_slice, slices_to_export
from cost_lakehouse.sources.registry import open_source
from sample_bills.bills import Bill, BillDelivery
from sample_bills.faults import Fault
from sample_bills.writing import write_delivery

MONTH = date(2026, 10, 1)
SLICE = Slice("bench", MONTH)


def main() -> int:
    """Deliver, load, summarise, deliver again, and ask; prints seconds of the last load and of every question."""
    folder, rows, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    bill = Bill(months=(MONTH,), rows=rows, seed=seed, discounts=False, split_costs=False)
    settings = load_settings(configuration(folder, folder / "bills" / bill.location, f"{MONTH:%Y-%m}"))
    faults = frozenset({Fault.CHANGED_ROWS, Fault.VANISHED_ROWS})
    load = 0.0
    for day, planted in ((3, frozenset[Fault]()), (5, faults)):
        moment = datetime(2026, 11, day, tzinfo=UTC)
        write_delivery(folder / "bills", bill, BillDelivery(month=MONTH, delivered_at=moment, faults=planted, gzip_level=1))
        (found,) = open_source(settings, settings.sources[0]).list_deliveries().months
        if found.delivery is None:
            raise RuntimeError(found.reason)
        with command_instance(settings) as instance:
            runner = InProcess(settings, instance, LogProgress)
            started = time.monotonic()
            loaded = runner.load(found.delivery, force=False)
            load = time.monotonic() - started
            summary = runner.summarize([SLICE], force=False)
        if not loaded.ok or not summary.ok:
            raise RuntimeError(loaded.problem or summary.problem)
    lake = Lake(settings)
    said = {"load": load, **_asked(lake, folder / "focus")}
    print(json.dumps({"seconds": sum(said.values()), **said}))
    return 0


def _asked(lake: Lake, target: Path) -> dict[str, float]:
    def compare() -> None:
        difference(lake, SLICE, bounds_of(loads_of(lake, SLICE)), ("service", "account_id"))

    def follow() -> None:
        cell = Cell("daily_costs", "service = 'AmazonEC2' and usage_date = date '2026-10-05'", "billed_cost")
        with engine_of(lake, cell.mart) as engine:
            if not explain(lake, cell, engine, 20).adds_up:
                raise RuntimeError("the lines do not come to the cell")

    def export() -> None:
        for slice_, receipt in slices_to_export(lake, MONTH, None).items():
            export_slice(lake, FolderWarehouse(target), slice_, receipt, "parquet")

    # What is explained first in a project's life compiles it; whatever is asked later does not.
    return {
        "diff": _seconds(compare),
        "first explain": _seconds(follow),
        "explain": _seconds(follow),
        "export": _seconds(export),
    }


def _seconds(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main())
