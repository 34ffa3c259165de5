"""A program that kills real loads of OCI's reports with SIGKILL at many points; prints one JSON line a point.

Load ``number`` brings a new file with rows of two months, and another version of the file ``0000``: it costs ``number``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.end_to_end.kill_loads import counted, in_process
from tests.oci_builders import Mirror, cost_line

BEGIN = datetime(2026, 10, 6, tzinfo=UTC)


def deliver(folder: Path, number: int) -> None:
    """Put what load ``number`` brings into the mirror."""
    mirror = Mirror(folder)
    written = BEGIN + timedelta(hours=number)
    mirror.write("0000-00001.csv.gz", [cost_line(cost=str(number))], written=written)
    own = f"V2.{number}"  # a line of that number comes once
    rows = [cost_line(cost="1", reference=own), cost_line(cost="1", start="2026-09-30T23:00Z", reference=own)]
    mirror.write(f"{number:04d}-00001.csv.gz", rows, written=written)


def seen(folder: Path) -> dict[str, Any]:
    """What a reader finds: each file's cost, what committed receipts prove, and the data files that lie there."""
    mirror = Mirror(folder)
    costs = mirror.ask("select file_name, sum(cost_my_cost)::int from raw.oci_cost group by all order by all")
    proven = mirror.ask(
        "select billing_period::varchar, sum(stored)::int from raw.control_totals where metric = 'cost_my_cost' group by all"
    )
    held = mirror.ask("select billing_period::varchar, sum(cost_my_cost)::int from raw.oci_cost group by all")
    return {
        "replaced": [cost for name, cost in costs if name.endswith("/0000-00001.csv.gz")],
        "others": [cost for name, cost in costs if not name.endswith("/0000-00001.csv.gz")],
        "proven": dict(proven),
        "held": dict(held),
        "data_files": len(mirror.lake.warehouse.list("raw/oci_cost/data")),
    }


def recover(folder: Path) -> dict[str, Any]:
    """What a reader finds after the kill, and after the next run."""
    after_kill = seen(folder)
    Mirror(folder).load()
    return {"after_kill": after_kill, "after_run": seen(folder)}


def main(folder: Path, points: int, chosen: Sequence[int]) -> None:
    """Kill loads at those of ``points`` points that are evenly spread over a load's calls."""
    for number in (1, 2):
        deliver(folder, number)
        _, (until, rest) = in_process(lambda: counted(Mirror(folder).load))
    for number, point in enumerate(chosen, 3):
        kill_at = (until + rest) * (2 * point + 1) // (2 * points)
        deliver(folder, number)
        ended_by, _ = in_process(lambda kill_at=kill_at: counted(Mirror(folder).load, kill_at))  # type: ignore[misc]
        _, recovery = in_process(lambda: recover(folder))
        print(json.dumps({"number": number, "killed": ended_by == signal.SIGKILL, **recovery}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TZ", "UTC")
    main(Path(sys.argv[1]), int(sys.argv[2]), [int(point) for point in sys.argv[3].split(",")])
