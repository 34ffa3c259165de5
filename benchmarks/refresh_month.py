"""One refresh of the newest month, measured inside: ``python -m benchmarks.refresh_month CONFIG [--first]``.

``--first`` loads and summarises everything that is there; without it the newest month is loaded and summarised again.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.orchestration.assets.line_items import LogProgress
from cost_lakehouse.orchestration.instance import command_instance
from cost_lakehouse.orchestration.runner import InProcess
from cost_lakehouse.sources.registry import open_source


def main() -> int:
    """Load, then summarise, through Dagster as the command does; prints how long each took."""
    settings = load_settings(Path(sys.argv[1]))
    everything = "--first" in sys.argv
    found = [
        month.delivery
        for month in open_source(settings, settings.sources[0]).list_deliveries().months
        if month.delivery is not None
    ]
    chosen = found if everything else found[-1:]
    with command_instance(settings) as instance:
        runner = InProcess(settings, instance, LogProgress)
        started = time.monotonic()
        loads = [runner.load(entry, force=True) for entry in chosen]
        loaded = time.monotonic()
        slices = [Slice(entry.source, entry.billing_period) for entry in chosen if entry.billing_period is not None]
        summary = runner.summarize(slices, force=True)
        done = time.monotonic()
    problems = [candidate.problem for candidate in loads if not candidate.ok] + ([] if summary.ok else [summary.problem])
    print(json.dumps({"seconds": done - started, "load": loaded - started, "summarise": done - loaded, "problems": problems}))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
