"""A program that kills real loads with SIGKILL at many points and finishes each by the next run; prints one JSON line a point.

Every load runs in a process of its own, forked from this one, which has imported everything and started no thread.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading import read
from cost_lakehouse.sources.delivery import Status
from tests.builders import Workshop, line

ROWS = 3
SAME = 1000  # what the only row of the file costs that never changes
AFTER_COMMIT = 4
_WATCHED = (f"{os.sep}cost_lakehouse{os.sep}", f"{os.sep}pyiceberg{os.sep}")


def in_process(work: Callable[[], Any]) -> tuple[int, Any]:
    """Run ``work`` in a forked process: (the signal that ended it or 0, what it returned)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        except BaseException:  # noqa: BLE001  # a forked child must never return into the parent's code
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("a load failed that should not; see above")
    return (os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0), (json.loads(answer) if answer else None)


def counted(work: Callable[[], object], kill_at: int | None = None, after_commit: bool = False) -> tuple[int, int]:
    """How many calls into this project and pyiceberg ``work`` makes until its commit, and after it.

    The process is killed at the given one, counted from the start or from the commit.
    """
    calls = 0
    until_commit: int | None = None

    def watch(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls, until_commit
        if event == "return" and frame.f_code.co_name == "replace_files" and frame.f_locals["table_name"] == "raw.aws_cur":
            until_commit, calls = calls, 0
        if event == "call" and any(part in frame.f_code.co_filename for part in _WATCHED):
            calls += 1
            if calls == kill_at and after_commit == (until_commit is not None):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return until_commit or 0, calls


def deliver(folder: Path, number: int) -> None:
    """Put delivery ``number`` into the bucket: three rows that cost ``number`` each, and a file that is always the same."""
    from tests.builders import write_delivery

    files = [[line(UnblendedCost=str(number))] * ROWS, [line(UnblendedCost=str(SAME))]]
    write_delivery(folder / "bucket", files, assembly=f"A{number:04d}")


def seen(folder: Path) -> dict[str, Any]:
    """What a reader finds: the costs, and the receipts and control totals of accepted loads."""
    workshop = Workshop(folder)
    with connect(workshop.lake) as connection:
        costs = connection.execute(
            f"select line_item_unblended_cost::integer from raw.aws_cur where line_item_unblended_cost <> {SAME}"
        ).fetchall()
        deliveries = connection.execute("select distinct delivery_id from raw.aws_cur").fetchall()
        kept = connection.execute("select count(*) from raw.files where read_by <> load_id").fetchall()
        accepted = connection.execute(
            "select delivery_id, count(*) from raw.receipts group by all having count(*) > 1"
        ).fetchall()
        totals = connection.execute(
            "select delivery_id, sum(stored)::integer from raw.control_totals "
            "where metric = 'line_item_unblended_cost' group by all"
        ).fetchall()
    needed = {file.name for file in workshop.warehouse.glob("raw/aws_cur/data/*/*/*.parquet")}
    return {
        "costs": [cost for (cost,) in costs],
        "doubled_receipts": accepted,
        "totals": dict(totals),
        "deliveries": len(deliveries),
        "kept": kept[0][0],
        "unknown_files": len(needed - files_of_snapshots(workshop)),
    }


def files_of_snapshots(workshop: Workshop) -> set[str]:
    """The names of all data files that a snapshot of the table knows."""
    table = workshop.lake.table("raw.aws_cur")
    entries = (
        entry
        for snapshot in table.metadata.snapshots
        for manifest in snapshot.manifests(table.io)
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
    )
    return {entry.data_file.file_path.rsplit("/", 1)[-1] for entry in entries}


def recover(folder: Path) -> dict[str, Any]:
    """What a reader finds after the kill, what the next run does, and what a reader finds then."""
    after_kill = seen(folder)
    outcome = Workshop(folder).load().status
    return {"after_kill": after_kill, "finished": outcome in (Status.LOADED, Status.UNCHANGED), "after_run": seen(folder)}


def main(folder: Path, points: int, chosen: Sequence[int]) -> None:
    """Kill loads at those of ``points`` points that are evenly spread over a load's calls before and after its commit."""
    read.OWN_GROUPS_BYTES = 0  # so that the rows of files this small can be taken over too
    deliver(folder, 1)
    in_process(lambda: Workshop(folder).load().status)
    deliver(folder, 2)
    _, (until_commit, rest) = in_process(lambda: counted(Workshop(folder).load))
    before = [until_commit * (2 * point + 1) // (2 * (points - AFTER_COMMIT)) for point in range(points - AFTER_COMMIT)]
    after = [1 + rest * point // AFTER_COMMIT for point in range(AFTER_COMMIT)]
    places = [*((call, False) for call in before), *((call, True) for call in after)]
    for number, (kill_at, late) in enumerate([places[point] for point in chosen], 3):
        deliver(folder, number)
        ended_by, _ = in_process(lambda kill_at=kill_at, late=late: counted(Workshop(folder).load, kill_at, late))  # type: ignore[misc]
        _, recovery = in_process(lambda: recover(folder))
        print(json.dumps({"number": number, "killed": ended_by == signal.SIGKILL, **recovery}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), [int(point) for point in sys.argv[3].split(",")])
