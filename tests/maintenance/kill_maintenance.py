"""A program that kills maintenance with SIGKILL at several points and runs it again; prints one JSON line a point."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cost_lakehouse.maintenance.embedded import found_files, referenced_files
from cost_lakehouse.maintenance.maintain import maintain
from tests.builders import Workshop, line
from tests.end_to_end.kill_loads import in_process
from tests.kill_points import counted
from tests.maintenance.rows import TABLES, rows, rules


def deliver(folder: Path, number: int) -> None:
    """One more delivery, loaded, and what a killed load leaves."""
    workshop = Workshop(folder)
    workshop.write([line(UnblendedCost=str(number)), line(UnblendedCost="0.5")], assembly=f"A{number:04d}")
    workshop.load()
    left = workshop.warehouse / f"raw/files/data/source=acme/billing_period=2026-10-01/load-{number:016x}-00009.parquet"
    left.write_bytes(b"left by a killed load")


def run(folder: Path) -> bool:
    """Maintain everything that is not needed away."""
    return maintain(Workshop(folder).lake, rules=rules(), now=datetime.now(UTC) + timedelta(hours=100)).ok


def seen(folder: Path) -> dict[str, Any]:
    """Every row of every table, and what each snapshot that is left shows."""
    lake = Workshop(folder).lake
    snapshots = {}
    for name in TABLES:
        table = lake.table(name)
        snapshots[name] = [
            table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().num_rows for snapshot in table.metadata.snapshots
        ]
    return {"rows": json.loads(json.dumps(rows(lake), default=str)), "readable": all(map(all, snapshots.values()))}


def tidy(folder: Path) -> bool:
    """Whether not one file is there that nothing needs."""
    lake = Workshop(folder).lake
    return all(set(found_files(lake, name)) <= referenced_files(lake.table(name)) for name in TABLES)


def main(folder: Path, points: int, chosen: Sequence[int]) -> None:
    """Kill runs at those of ``points`` points that are evenly spread over their calls."""
    for number in (1, 2, 3):
        in_process(lambda number=number: deliver(folder, number))  # type: ignore[misc]
    _, calls = in_process(lambda: counted(lambda: run(folder)))
    for point in chosen:
        in_process(lambda point=point: deliver(folder, 4 + point))  # type: ignore[misc]
        _, before = in_process(lambda: seen(folder))
        kill_at = max(1, calls * (2 * point + 1) // (2 * points))
        ended_by, _ = in_process(lambda kill_at=kill_at: counted(lambda: run(folder), kill_at))  # type: ignore[misc]
        _, after = in_process(lambda: seen(folder))
        _, finished = in_process(lambda: run(folder) and run(folder))
        _, then = in_process(lambda: seen(folder))
        _, clean = in_process(lambda: tidy(folder))
        result = {
            "killed": ended_by == signal.SIGKILL,
            "same": before["rows"] == after["rows"] == then["rows"],
            "readable": after["readable"] and then["readable"],
            "finished": finished,
            "tidy": clean,
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), [int(point) for point in sys.argv[3].split(",")])
