"""A small lakehouse on real sample bills: two sources, each with a closed and an open month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.orchestration.instance import command_instance
from sample_bills import Bill, BillDelivery, Fault, Written, write_delivery

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
BILLS = {
    "acme": Bill(months=(SEPTEMBER, OCTOBER), rows=200, seed=3),
    "globex": Bill(months=(SEPTEMBER, OCTOBER), rows=200, seed=5, payer_account_id="000098765432", bucket="globex-billing"),
}


@dataclass(frozen=True)
class Lakehouse:
    """A folder with lakehouse.yaml and bills."""

    root: Path

    @property
    def config(self) -> Path:
        """Its lakehouse.yaml."""
        return self.root / "lakehouse.yaml"

    @property
    def settings(self) -> Settings:
        """What lakehouse.yaml says now."""
        return load_settings(self.config)

    def configure(self, *sources: str, extra: str = "") -> None:
        """Write lakehouse.yaml with those of the two sources; ``extra`` is YAML below ``sources:``."""
        lines = ["lake:", "  first_month: 2026-09", "sources:"]
        for name in sources:
            lines.append(f"  - {{name: {name}, kind: aws_cur, location: bills/{BILLS[name].location}}}")
        self.config.write_text("\n".join(lines) + "\n" + extra, encoding="utf-8")

    def deliver(self, source: str, month: date, day: int, *faults: Fault) -> Written:
        """Write a delivery of that month that arrives on that day of November 2026."""
        moment = datetime(2026, 11, day, 5, 30, tzinfo=UTC)
        delivery = BillDelivery(month=month, delivered_at=moment, faults=frozenset(faults))
        return write_delivery(self.root / "bills", BILLS[source], delivery)


@pytest.fixture
def lakehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """Two sources that have delivered nothing yet."""
    made = Lakehouse(tmp_path)
    made.configure("acme", "globex")
    for bill in BILLS.values():
        (tmp_path / "bills" / bill.location).mkdir(parents=True)
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COST_LAKEHOUSE_DAGSTER_DB", "")
    monkeypatch.setenv("COST_LAKEHOUSE_CONFIG", str(made.config))
    return made


@pytest.fixture
def instance(lakehouse: Lakehouse) -> Iterator[dg.DagsterInstance]:
    """The lakehouse's own Dagster instance."""
    with command_instance(lakehouse.settings) as opened:
        yield opened
