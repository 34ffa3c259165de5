"""Many small deliveries become slices of one lake, one after the other: ``python -m benchmarks.load_many CONFIG COUNT``.

Every load opens the lake and the source anew, as a run of Dagster does; only the start of a process is left out.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.sources.registry import open_source


def main() -> int:
    """Load month by month, in each month every source; prints what each load took, seconds."""
    settings = load_settings(Path(sys.argv[1]))
    count = int(sys.argv[2])
    found = [
        (month.delivery, source)
        for source in settings.sources
        for month in open_source(settings, source).list_deliveries().months
        if month.delivery is not None
    ]
    found.sort(key=lambda one: (one[0].billing_period, one[0].source))
    each_took = []
    for delivery, source in found[:count]:
        started, cpu = time.monotonic(), time.process_time()
        load_delivery(Lake(settings), open_source(settings, source), delivery)
        each_took.append((time.monotonic() - started, time.process_time() - cpu))
    seconds, cpu_seconds = [[item[index] for item in each_took] for index in (0, 1)]
    print(json.dumps({"seconds": sum(seconds), "each": seconds, "each_cpu": cpu_seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
