"""``python -m benchmarks.soak``: a month of a fleet's deliveries in an hour, with faults planted; totals exact at every moment.

Every payer's current month is delivered three times a day, and in the first days the month before too: as AWS does it, under a
new assembly id, with one file changed. Some deliveries are torn, lack a file, say the same again, are older than what is there,
hold a number that is none, or their load is killed (``kill -9``, in a process of its own). After each round every slice is
summed and compared with what was delivered; after each day summaries are built and compared too, and the lake is maintained.
What the lake, its metadata and a look at all sources cost is told day by day: they are to stay flat. It ends with 1 where a
total was not exact.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.measuring import HERE, OUT, machine, median, megabytes, print_table
from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import CostLakehouseError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.loading import read
from cost_lakehouse.loading.holdings import holdings
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.plan import plan
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.sources.registry import open_source
from tests.builders import line, write_delivery

NEWEST = date(2026, 10, 1)
BEGIN = datetime(2026, 10, 2, tzinfo=UTC)
# How often each fault is planted, in a thousand deliveries, and at least once; the others are as they should be.
FAULTS = {"torn": 30, "missing": 30, "same": 50, "older": 30, "refused": 30, "killed": 20}
_LATE_DAYS = 5  # so long is the month before still delivered
Row = Mapping[str, str]


@dataclass
class Month:
    """One payer's month: what was delivered last, and what the lake is to hold of it."""

    source: str
    month: date
    files: list[list[Row]]
    number: int = 0  # of deliveries
    expected: tuple[int, Decimal] = (0, Decimal(0))
    delivery_at: datetime = BEGIN  # of what lies there
    loaded_at: datetime = BEGIN  # of what the lake holds: when it was delivered

    @property
    def slice(self) -> Slice:
        """Where its rows are."""
        return Slice(self.source, self.month)

    @property
    def amount(self) -> tuple[int, Decimal]:
        """How many rows the files have, and what they cost."""
        costs = [Decimal(row["lineItem/UnblendedCost"]) for rows in self.files for row in rows]
        return len(costs), sum(costs, Decimal(0))


@dataclass
class Day:
    """What one day took."""

    loads: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    summaries: float = 0.0
    bytes: int = 0
    files: int = 0
    metadata: int = 0


class Soak:
    """A fleet, its lake, and what the lake ought to hold."""

    def __init__(self, folder: Path, wanted: argparse.Namespace) -> None:
        self.chance = random.Random(wanted.seed)
        self.wanted = wanted
        self.bucket = folder / "bucket"
        sources = [f"payer-{number:03d}" for number in range(wanted.payers)]
        self.config = folder / "lakehouse.yaml"
        first = _months_before(NEWEST, wanted.months - 1)
        entries = [{"name": name, "kind": "aws_cur", "location": str(self.bucket / name / "hourly")} for name in sources]
        rules = {"keep_days": 0, "keep_deliveries": 2, "keep_month_ends": 0, "keep_invoiced": 0, "orphan_safety_hours": 1}
        document = {"lake": {"first_month": f"{first:%Y-%m}", "maintenance": rules}, "sources": entries}
        self.config.write_text(json.dumps(document), encoding="utf-8")
        self.settings: Settings = load_settings(self.config)
        self.lake = Lake(self.settings)
        self.months = {
            (name, month): Month(name, month, [self._rows(name) for _ in range(wanted.files)])
            for name in sources
            for month in (_months_before(NEWEST, back) for back in range(wanted.months))
        }
        late = min(wanted.days, _LATE_DAYS) if wanted.months > 1 else 0
        deliveries = wanted.payers * wanted.deliveries * (wanted.days + late)
        self.faults = [name for name, share in FAULTS.items() for _ in range(max(1, deliveries * share // 1000))]
        self.faults += [""] * (deliveries - len(self.faults))
        self.chance.shuffle(self.faults)
        self.planted: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.checks = 0

    def _rows(self, source: str) -> list[Row]:
        payer = f"{int(source.rsplit('-', 1)[-1]) + 1:012d}"
        return [
            line(
                UnblendedCost=f"{self.chance.randrange(-(10**6), 10**9)}E-{self.chance.randrange(2, 18)}",
                UsageAccountId=payer,
                **{"bill/PayerAccountId": payer},
            )
            for _ in range(self.wanted.rows)
        ]

    def history(self) -> None:
        """Deliver and load every month once."""
        for of in self.months.values():
            self._deliver(of, BEGIN - timedelta(days=1))
            self._load(of, Day())

    def run_day(self, number: int) -> Day:
        """The deliveries of one day, each followed by a look and loads; then summaries and maintenance."""
        day = Day()
        newest, before = NEWEST, _months_before(NEWEST, 1)
        for delivery in range(self.wanted.deliveries):
            now = BEGIN + timedelta(days=number, hours=24 * delivery // self.wanted.deliveries)
            due = [of for (_, month), of in self.months.items() if month == newest or (number < _LATE_DAYS and month == before)]
            for of in due:
                self._round(of, now, day)
            started = time.monotonic()
            self._look()
            day.looks.append(time.monotonic() - started)
            self.check()
        if self.wanted.summaries:
            started = time.monotonic()
            self._summarise()
            day.summaries = time.monotonic() - started
        report = maintain(self.lake)
        self.wrong += [f"maintenance: {one}" for one in ([] if report.ok else [report])]
        self.check()
        there = [path.stat() for path in (self.config.parent / "lake").rglob("*") if path.is_file()]
        day.bytes, day.files = sum(status.st_size for status in there), len(there)
        day.metadata = Path(self.lake.table("raw.aws_cur").metadata_location.removeprefix("file://")).stat().st_size
        return day

    def _round(self, of: Month, now: datetime, day: Day) -> None:
        """One delivery of one month, and what is made of it."""
        fault = self.faults.pop()
        self.planted[fault or "none"] += 1
        files = list(of.files)
        if fault != "same":
            of.files[self.chance.randrange(len(files))] = self._rows(of.source)
        if fault == "older":
            self._deliver(of, of.loaded_at - timedelta(hours=1), forget=False)
            self._expect_status(of, Status.OLDER)
            of.files = files
            self._deliver(of, now)  # the manifest of what the lake holds would never come again
            self._load(of, day)
            return
        paths = self._deliver(of, now, bad=fault == "refused")
        if fault == "torn":
            paths[-1].write_bytes(paths[-1].read_bytes()[:-15])
            self._expect_error(of, "truncated or corrupt")
        elif fault == "missing":
            paths[-1].unlink()
            self._expect_status(of, Status.WAITING)
        elif fault == "refused":
            self._expect_error(of, "is not a number")
        elif fault == "killed":
            self._killed(of)
            self._load(of, day)
        else:
            self._load(of, day)

    def _deliver(self, of: Month, at: datetime, *, bad: bool = False, forget: bool = True) -> list[Path]:
        """Write a delivery; that before is gone."""
        of.number += 1
        assembly = f"A{of.number:06d}"
        files = [*of.files[:-1], [*of.files[-1], line(UnblendedCost="12,34")]] if bad else of.files
        report = f"{of.source}/hourly"
        folder = self.bucket / report
        paths = write_delivery(self.bucket, files, assembly, of.month, report)
        for manifest in folder.glob(f"{of.month:%Y%m%d}-*/*Manifest.json"):
            os.utime(manifest, (at.timestamp(), at.timestamp()))
        if forget:
            for old in folder.glob(f"{of.month:%Y%m%d}-*/A*"):
                if old.name != assembly:
                    shutil.rmtree(old)
        of.delivery_at = at
        return paths

    def _found(self, of: Month) -> tuple[Status, Delivery | None]:
        (found,) = plan(self.settings, self.settings.source(of.source), holdings(self.lake), of.month)
        return found.status, found.delivery

    def _load(self, of: Month, day: Day) -> None:
        status, delivery = self._found(of)
        of.loaded_at = of.delivery_at
        if status is Status.CURRENT:
            of.expected = of.amount
            return
        if delivery is None or status is not Status.NEW:
            self.wrong.append(f"{of.slice}: {status}, and a new delivery is there")
            return
        started = time.monotonic()
        load_delivery(self.lake, open_source(self.settings, self.settings.source(of.source)), delivery)
        day.loads.append(time.monotonic() - started)
        of.expected = of.amount

    def _expect_status(self, of: Month, wanted: Status) -> None:
        status, _ = self._found(of)
        if status is not wanted:
            self.wrong.append(f"{of.slice}: {status}, not {wanted}")

    def _expect_error(self, of: Month, said: str) -> None:
        _, delivery = self._found(of)
        try:
            if delivery is not None:
                load_delivery(self.lake, open_source(self.settings, self.settings.source(of.source)), delivery)
            self.wrong.append(f"{of.slice}: it was loaded, though {said}")
        except CostLakehouseError as error:
            if said not in str(error):
                self.wrong.append(f"{of.slice}: {error}")

    def _killed(self, of: Month) -> None:
        """Kill the load somewhere; the slice is the old one or the new one."""
        command = [sys.executable, "-m", "benchmarks.soak_killed", str(self.config), of.source, f"{of.month}"]
        call = self.chance.randrange(1, 15_000)
        done = subprocess.run([*command, str(call)], cwd=HERE.parent, check=False, capture_output=True)
        self.planted["killed before its end"] += done.returncode < 0
        self.check({of.slice: of.amount})

    def _look(self) -> None:
        """What the sensor does: what lies at every source, compared with what the lake holds."""
        held = holdings(self.lake)
        for source in self.settings.sources:
            plan(self.settings, source, held, NEWEST)

    def check(self, also: Mapping[Slice, tuple[int, Decimal]] | None = None) -> None:
        """Sum every slice, and the receipts' control totals; ``also`` are other totals that slices may have."""
        self.checks += 1
        with connect(self.lake) as connection:
            stored = connection.execute(
                "select source, billing_period, count(*), sum(line_item_unblended_cost), count(distinct delivery_id) "
                "from raw.aws_cur group by all"
            ).fetchall()
            proven = connection.execute(
                "with slices as (select distinct source, billing_period, delivery_id from raw.aws_cur) "
                "select source, billing_period, sum(stored), sum(delivered - stored - rounding) "
                "from raw.control_totals join slices using (source, billing_period, delivery_id) "
                "where metric = 'line_item_unblended_cost' group by all"
            ).fetchall()
        totals = {Slice(source, month): (rows, cost) for source, month, rows, cost, _ in stored}
        self.wrong += [f"{source} {month}: rows of {ids} deliveries" for source, month, _, _, ids in stored if ids != 1]
        self.wrong += [f"{source} {month}: delivered is not stored and rounding" for source, month, _, gap in proven if gap]
        proofs = {Slice(source, month): cost for source, month, cost, _ in proven}
        for of in self.months.values():
            allowed = [of.expected] if also is None or of.slice not in also else [of.expected, also[of.slice]]
            if totals.get(of.slice, (0, Decimal(0))) not in allowed:
                self.wrong.append(f"{of.slice}: {totals.get(of.slice)} is there, not {of.expected}")
            elif also is None and of.slice in totals and proofs.get(of.slice) != of.expected[1]:
                self.wrong.append(f"{of.slice}: its receipt says {proofs.get(of.slice)}, not {of.expected[1]}")

    def _summarise(self) -> None:
        """Build what is stale, and compare the published costs with what was delivered."""
        from cost_lakehouse.orchestration.assets.line_items import LogProgress
        from cost_lakehouse.orchestration.instance import command_instance
        from cost_lakehouse.orchestration.runner import InProcess

        recent = [of for of in self.months.values() if of.month >= _months_before(NEWEST, 1)]
        with command_instance(self.settings) as instance:
            outcome = InProcess(self.settings, instance, LogProgress).summarize([of.slice for of in recent], force=False)
        if not outcome.ok:
            self.wrong.append(f"summaries: {outcome.problem}")
        with connect(self.lake) as connection:
            published = {
                (source, month): cost
                for source, month, cost in connection.execute(
                    "select source, billing_period, sum(billed_cost) from marts.daily_costs group by all"
                ).fetchall()
            }
        for of in recent:
            if published.get((of.source, of.month)) != of.expected[1]:
                self.wrong.append(f"{of.slice}: {published.get((of.source, of.month))} is published, not {of.expected[1]}")


def main() -> int:
    """Soak, and print a line a day; 1 where a total was not exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payers", type=int, default=50)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--deliveries", type=int, default=3, help="a day")
    parser.add_argument("--files", type=int, default=3, help="of a delivery")
    parser.add_argument("--rows", type=int, default=20, help="of a file")
    parser.add_argument("--no-summaries", dest="summaries", action="store_false", help="load and maintain only")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=OUT)
    wanted = parser.parse_args()
    folder = wanted.out / "soak"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["COST_LAKEHOUSE_CONFIG"] = str(folder / "lakehouse.yaml")
    read.OWN_GROUPS_BYTES = 0  # so that the rows of files this small are taken over too
    soak = Soak(folder, wanted)
    print(f"{machine()}; {wanted.payers} payers, {wanted.months} months, seed {wanted.seed}")
    print(f"{wanted.deliveries} deliveries a day of {wanted.files} files of {wanted.rows} rows\n")
    soak.history()
    soak.check()
    days = []
    for number in range(wanted.days):
        days.append(soak.run_day(number))
        sys.stderr.write(f"day {number + 1}: {len(days[-1].loads)} loads, {len(soak.wrong)} wrong\n")
    print_table(
        ("day", "loads", "a load, s", "a look, s", "summaries, s", "lake", "files", "metadata"),
        [
            (
                str(number),
                str(len(day.loads)),
                f"{median(day.loads or [0.0]):.2f}",
                f"{median(day.looks or [0.0]):.2f}",
                f"{day.summaries:.0f}",
                megabytes(day.bytes),
                str(day.files),
                f"{day.metadata / 1e3:,.0f} KB",
            )
            for number, day in enumerate(days, 1)
        ],
    )
    print(f"\nThe last third beside the first: {', '.join(_ratios(days))}.")
    print(f"Deliveries by fault: {', '.join(f'{name} {count}' for name, count in sorted(soak.planted.items()))}.")
    print(f"{soak.checks} times every slice was summed; {len(soak.wrong)} totals or states were wrong.")
    for sentence in soak.wrong[:20]:
        print(f"- {sentence}")
    return 1 if soak.wrong else 0


def _ratios(days: list[Day]) -> Iterator[str]:
    third = max(1, len(days) // 3)
    measures: dict[str, Callable[[Day], float]] = {
        "a load": lambda day: median(day.loads or [0.0]),
        "a look": lambda day: median(day.looks or [0.0]),
        "summaries": lambda day: day.summaries,
        "lake": lambda day: day.bytes,
        "metadata": lambda day: day.metadata,
    }
    for name, of in measures.items():
        first, last = median([of(day) for day in days[:third]]), median([of(day) for day in days[-third:]])
        if first:
            yield f"{name} {last / first:.2f}"


def _months_before(month: date, count: int) -> date:
    number = month.year * 12 + month.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)


if __name__ == "__main__":
    sys.exit(main())
