"""Recording invoices, exporting, packing, closing and accepting, killed (``kill -9``) at several points: run again, they work.

Each command is killed in a process of its own; after every kill a reader sees what was there before, or all that is new.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from cost_lakehouse.invoices.record import recorded_invoices
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.slices import Slice
from cost_lakehouse.summaries.built import DuckdbScratch
from cost_lakehouse.summaries.closings import closings
from cost_lakehouse.summaries.dbt_project import parse_if_stale
from cost_lakehouse.summaries.marts import published_marts
from cost_lakehouse.summaries.publish import publish, published_status
from tests.builders import Workshop, line
from tests.forked import ForkedCommand
from tests.kill_points import chosen
from tests.summaries.conftest import DbtRunner

MONTH = Slice("acme", date(2026, 10, 1))
INVOICED = {"bill/InvoiceId": "INV-1"}
BILL = [line(UnblendedCost="1.5", **INVOICED), line(UnblendedCost="2", UsageAccountId="000000000002", **INVOICED)]
REFUND = line(UnblendedCost="-0.5", LineItemType="Refund", **INVOICED)
POINTS, FEW = 9, 2


class Office:
    """A lake with a month, whose FOCUS rows are published too, and its commands in processes of their own."""

    def __init__(self, folder: Path, dbt: DbtRunner, seed: int) -> None:
        self.folder = folder / "office"
        self.folder.mkdir()
        self.workshop = Workshop(self.folder, lake={"focus": "table"})
        self.lake = self.workshop.lake
        self._dbt, self._seed, self._before = dbt, seed, folder / "before"

    def build(self) -> None:
        marts = published_marts(parse_if_stale(self.lake.settings).document, focus=True)
        self._dbt.build(self.lake, [MONTH])
        publish(self.lake, DuckdbScratch(self._dbt.scratch), [MONTH], marts)

    def start(self, *arguments: str, kill_at: int | None = None) -> ForkedCommand:
        said = self.folder.with_name("said.txt")
        return ForkedCommand(
            said, *arguments, "--config", str(self.workshop.settings.file), folder=self.folder, kill_at=kill_at
        )

    def done(self, *arguments: str, kill_at: int | None = None) -> ForkedCommand:
        run = self.start(*arguments, kill_at=kill_at)
        run.wait()
        return run

    def killed(self, check: Callable[[bool], None], *arguments: str) -> None:
        """Run the command to its end, then killed at some of many points and run again, each time from where it began.

        ``check`` is told whether it ended. The lake is left as the command leaves it.
        """
        shutil.copytree(self.folder, self._before)
        counting = self.done(*arguments, kill_at=0)
        assert counting.exit_code == 0, counting.said()
        check(True)
        points = chosen(POINTS, FEW, self._seed)
        print(arguments[:2], "killed at", points, "of", POINTS, "among", counting.calls, "calls")
        for point in points:
            shutil.rmtree(self.folder)
            shutil.copytree(self._before, self.folder)
            assert self.done(*arguments, kill_at=counting.calls * (point + 1) // (POINTS + 1)).exit_code == -9
            check(False)
            again = self.done(*arguments)
            assert again.exit_code == 0, again.said()
            check(True)
        shutil.rmtree(self._before)


@pytest.fixture
def office(tmp_path: Path, dbt: DbtRunner, pytestconfig: pytest.Config) -> Office:
    return Office(tmp_path, dbt, pytestconfig.getoption("randomly_seed", 0))


@pytest.mark.timeout(900)
def test_a_command_that_is_killed_leaves_nothing_half_written_and_works_when_it_is_run_again(office: Office) -> None:
    """Every run takes other points (by pytest-randomly's seed, which it prints); ``KILL_POINTS=all`` takes all."""
    office.workshop.write(BILL, assembly="first")
    office.workshop.load()
    office.build()
    lines = ["invoice_id,billing_period,currency_code,total", "INV-1,2026-10,USD,3.50", "INV-2,2026-09,USD,7"]
    (office.folder / "invoices.csv").write_text("\n".join(lines), encoding="utf-8")

    def recorded(ended: bool) -> None:
        held = [(row["invoice_id"], row["total"]) for row in recorded_invoices(Lake(office.workshop.settings))]
        whole = [("INV-2", Decimal(7)), ("INV-1", Decimal("3.5"))]
        assert held == whole if ended else held in ([], whole)

    office.killed(recorded, "invoices", "import", "invoices.csv")
    office.build()

    def exported(ended: bool) -> None:
        folder = office.folder / "out" / "acme" / "2026-10"
        manifest = folder / "manifest.json"
        if ended or manifest.exists():
            said = json.loads(manifest.read_text(encoding="utf-8"))
            assert (said["rows"], said["totals"][0]["BilledCost"]) == (2, "3.50000000000000000000")
            named = {(file["path"], file["bytes"]) for file in said["files"]}
            there = {(path.name, path.stat().st_size) for path in folder.iterdir() if path != manifest}
            assert named == there if ended else named <= there

    office.killed(exported, "export", "focus", "--month", "2026-10", "--to", "out")

    packs: set[bytes] = set()

    def packed(ended: bool) -> None:
        target = office.folder / "pack.zip"
        if ended or target.exists():
            packs.add(target.read_bytes())
            with zipfile.ZipFile(target) as archive:
                assert archive.testzip() is None
            assert len(packs) == 1
        if ended:
            assert [path.name for path in office.folder.glob("*pack.zip*")] + [
                path.name for path in office.folder.glob(".*pack.zip*")
            ] == ["pack.zip"]

    office.killed(packed, "pack", "2026-10", "--output", "pack.zip")

    def closed(ended: bool) -> None:
        lake = Lake(office.workshop.settings)
        log = [(entry.action, entry.delivery_id, entry.note) for entry in closings(lake)]
        (status,) = published_status(lake, MONTH)
        once = [("closed", "first", "signed")]
        assert log == once if ended else log in ([], once)
        assert status["state"] == "locked" if ended else status["state"] in ("invoiced", "locked")
        assert status["billed_cost"] == Decimal("3.5")

    office.killed(closed, "close", "acme", "2026-10", "--note", "signed")

    # A refund is pending; accepting it logs that, and then builds: killed when the log has a new file, then when marts have.
    office.workshop.write([*BILL, REFUND], assembly="second")
    office.workshop.load()
    office.build()
    warehouse = office.folder / "lake" / "warehouse"
    for place in ("raw/closings/data", "marts/daily_costs/data"):
        before = {*(warehouse / place).rglob("*.parquet")}
        run = office.start("close", "acme", "2026-10", "--accept")
        while run.wait(0.01) is None and {*(warehouse / place).rglob("*.parquet")} <= before:
            pass
        run.kill()
        lake = Lake(office.workshop.settings)
        (status,) = published_status(lake, MONTH)
        assert (status["billed_cost"], status["pending_change"]) in [(Decimal("3.5"), Decimal("-0.5")), (Decimal(3), None)]
        assert [entry.action for entry in closings(lake)] in (["closed"], ["closed", "accepted"])
    again = office.done("close", "acme", "2026-10", "--accept")
    assert again.exit_code == 0, again.said()
    lake = Lake(office.workshop.settings)
    (status,) = published_status(lake, MONTH)
    assert (status["state"], status["billed_cost"], status["pending_delivery_id"]) == ("locked", Decimal(3), None)
    assert [(entry.action, entry.delivery_id) for entry in closings(lake)] == [("closed", "first"), ("accepted", "second")]
