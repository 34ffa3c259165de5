"""One load of ``benchmarks.scale``: ``python -m benchmarks.scale_step STEP CONFIG``."""

from __future__ import annotations

import csv
import gzip
import io
import json
import resource
import sys
import time
from pathlib import Path

from cost_lakehouse.config import load_settings
from cost_lakehouse.config.workers import WorkerSettings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.share import ProcessWorkers, Sharing
from cost_lakehouse.sources.registry import open_source


def main() -> int:
    """Load the delivery that is there; by two workers where the step is ``shared``; ``change`` delivers anew."""
    step, config = sys.argv[1], Path(sys.argv[2])
    settings = load_settings(config)
    if step == "change":
        change_one_file(Path(settings.sources[0].place))
        print(json.dumps({"seconds": 0.0}))
        return 0
    if step == "shared":
        workers = WorkerSettings(count=2, min_gb=0)
        settings = settings.model_copy(update={"lake": settings.lake.model_copy(update={"workers": workers})})
    lake, source = Lake(settings), open_source(settings, settings.sources[0])
    sharing = Sharing(settings.lake.workers, ProcessWorkers(settings)) if step == "shared" else None
    started, before = time.monotonic(), _cpu_seconds()
    delivery = next(found.delivery for found in source.list_deliveries().months if found.delivery is not None)
    result = load_delivery(lake, source, delivery, workers=sharing)
    seconds, cpu = time.monotonic() - started, _cpu_seconds() - before
    print(json.dumps({"seconds": seconds, "cpu": cpu, "rows": result.receipt.rows}))
    return 0


def change_one_file(report: Path) -> None:
    """Take the last record out of the fifth file (or the last one), and deliver all under a new id, as AWS does."""
    files = sorted(report.rglob("*.csv.gz"))
    changed = files[min(4, len(files) - 1)]
    records = list(csv.reader(io.StringIO(gzip.decompress(changed.read_bytes()).decode(), newline="")))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(records[:-1])
    changed.write_bytes(gzip.compress(text.getvalue().encode(), 1, mtime=0))
    for manifest in report.rglob("*Manifest.json"):
        said = json.loads(manifest.read_text(encoding="utf-8"))
        said["assemblyId"] = f"{time.time_ns()}"
        manifest.write_text(json.dumps(said), encoding="utf-8")


def _cpu_seconds() -> float:
    """Of this process and of the workers that have ended, their start included."""
    own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime


if __name__ == "__main__":
    sys.exit(main())
