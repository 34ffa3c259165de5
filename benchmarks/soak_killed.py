"""A load that dies: ``python -m benchmarks.soak_killed CONFIG SOURCE MONTH CALL``, by ``kill -9`` at that call of our code."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading import read
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.plan import plan
from cost_lakehouse.sources.registry import open_source
from tests.kill_points import counted


def main() -> int:
    """Load until then, or to the end."""
    config, name, month, call = sys.argv[1:]
    settings = load_settings(Path(config))
    lake, source = Lake(settings), settings.source(name)
    read.OWN_GROUPS_BYTES = 0
    (found,) = plan(settings, source, holdings(lake), date.fromisoformat(month))
    delivery = found.delivery
    if delivery is not None:
        print(counted(lambda: load_delivery(lake, open_source(settings, source), delivery), int(call)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
