"""One load of ``benchmarks.scale``: ``python -m benchmarks.scale_step STEP CONFIG``."""

from __future__ import annotations

import json
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
    """Load the delivery that is there; by two workers where the step is ``shared``."""
    step, config = sys.argv[1], Path(sys.argv[2])
    settings = load_settings(config)
    lake, source = Lake(settings), open_source(settings, settings.sources[0])
    sharing = Sharing(WorkerSettings(count=2, min_gb=0), ProcessWorkers(settings)) if step == "shared" else None
    started = time.monotonic()
    delivery = next(found.delivery for found in source.list_deliveries().months if found.delivery is not None)
    result = load_delivery(lake, source, delivery, workers=sharing)
    print(json.dumps({"seconds": time.monotonic() - started, "rows": result.receipt.rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
