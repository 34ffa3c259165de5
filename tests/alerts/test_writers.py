"""Of many lakehouses that push to one place, the one that falls silent is told, by its own rhythm, and that it pushes again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
import yaml

from cost_lakehouse.cli.commands import status
from cost_lakehouse.config import load_settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.writers import pushes_of, writer_of_key
from cost_lakehouse.publish.backbone.push import push
from cost_lakehouse.sources.registry import open_source
from tests.alerts.conftest import Office
from tests.demo import command
from tests.publish.backbone.lakes import OCTOBER, PAYER, PushingLake

START = datetime(2026, 11, 2, 5, 0, tzinfo=UTC)


class Fleet:
    """Two lakehouses that push to one folder, and the office's lakehouse that reads it."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.root = office.root
        self.lateness: dict[str, object] = {}
        self.writers = {name: self._writer(name, payer) for name, payer in (("eu", PAYER), ("us", "222222222222"))}
        self.configure()

    def _writer(self, name: str, payer: str) -> PushingLake:
        return PushingLake(self.root / name, [{"name": "pane", "to": str(self.root / "fleet"), "writer": name}], payer=payer)

    def configure(self, **lateness: object) -> None:
        alerts = {"events": ["late_deliveries"], "lateness": {"sources": {"fleet": "off", **lateness}}}
        source = {"name": "fleet", "kind": "lakehouse", "location": str(self.root / "fleet")}
        document = {"lake": {"first_month": "2026-01"}, "sources": [source], "alerts": alerts}
        self.office.config.write_text(yaml.safe_dump(document))

    def push(self, name: str, at: datetime, *costs: str) -> None:
        made = self.writers[name]
        made.publish(OCTOBER, list(costs), assembly=f"{at:%Y%m%dT%H%M%SZ}")
        push(made.lake, made.target("pane"), clock=lambda: at)

    def load(self) -> None:
        settings = load_settings(self.office.config)
        opened = open_source(settings, settings.source("fleet"))
        for finding in opened.list_deliveries().months:
            assert finding.delivery is not None
            load_delivery(Lake(settings), opened, finding.delivery)

    def look(self, at: datetime) -> list[str]:
        """What is told at that moment."""
        heard = len(self.office.listener.heard)
        self.office.shift = at - datetime.now(UTC)
        self.office.look()
        return [item.title for message in self.office.listener.heard[heard:] for item in message.items]


def test_a_writer_that_falls_silent_is_told_once_though_the_others_push_and_so_is_that_it_pushes_again(office: Office) -> None:
    fleet = Fleet(office)
    fleet.push("eu", START, "1")
    fleet.push("us", START, "2")
    fleet.load()
    assert fleet.look(START + timedelta(hours=30)) == []
    fleet.push("us", START + timedelta(hours=34), "3")
    fleet.load()

    told = fleet.look(START + timedelta(hours=40)) + fleet.look(START + timedelta(hours=41))

    assert told == ["fleet eu: no push for 1 day 16 hours, since 2026-11-02 05:00 UTC (1 day 12 hours are allowed)"]
    (item,) = office.listener.heard[-1].items
    assert "Its manifest can be read, but nothing newer is there." in item.problem
    # What it pushed is there, whether it could be loaded or not.
    fleet.push("eu", START + timedelta(hours=42), "4")
    assert fleet.look(START + timedelta(hours=43)) == ["Recovered: fleet eu delivers again"]


def test_status_names_a_silent_writer(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(office)
    fleet.push("eu", START, "1")
    fleet.push("us", START, "2")
    fleet.load()
    fleet.push("us", START + timedelta(hours=34), "3")
    fleet.load()
    monkeypatch.setattr(status, "datetime", Mock(now=lambda zone: START + timedelta(hours=40)))

    (row,) = json.loads(command("status", "--json", "--config", str(office.config)).stdout)
    assert row["silent_writers"] == {"eu": "2026-11-02T05:00:00+00:00"}
    shown = command("status", "--config", str(office.config)).stdout
    assert "fleet: no push of eu was loaded for 1 day 16 hours, since 2026-11-02 05:00 UTC." in shown
    # Who is not waited for is not named.
    fleet.configure(**{"fleet/eu": "off"})
    (row,) = json.loads(command("status", "--json", "--config", str(office.config)).stdout)
    assert row["silent_writers"] == {}


def test_a_writer_that_is_gone_is_told_until_nobody_waits_for_it(office: Office) -> None:
    fleet = Fleet(office)
    fleet.push("eu", START, "1")
    fleet.push("us", START, "2")
    fleet.load()
    for path in sorted((fleet.root / "fleet" / "us").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    fleet.push("eu", START + timedelta(hours=39), "3")
    fleet.load()

    (title,) = fleet.look(START + timedelta(hours=40))
    assert title.startswith("fleet us: no push for 1 day 16 hours")
    assert "It has no manifest there any more." in office.listener.heard[-1].items[0].problem

    fleet.configure(**{"fleet/us": "off"})
    assert fleet.look(START + timedelta(hours=41)) == ["Recovered: fleet us delivers again"]
    assert "It is not waited for." in office.listener.heard[-1].text


def test_who_has_a_file_that_no_load_had_before_has_pushed() -> None:
    moments = [(START + timedelta(hours=hours), START + timedelta(hours=hours + 1)) for hours in (0, 8, 16)]
    loads = dict(zip(("one", "two", "three"), moments, strict=True))
    files = [
        ("one", "fleet/eu/acme/2026-10/a.parquet", "a"), ("one", "fleet/us/acme/2026-10/b.parquet", "b"),
        ("two", "fleet/eu/acme/2026-10/a.parquet", "a"), ("two", "fleet/us/acme/2026-10/c.parquet", "c"),
        ("three", "fleet/eu/acme/2026-10/d.parquet", "d"), ("three", "fleet/us/acme/2026-10/c.parquet", "c"),
        ("refused", "fleet/us/acme/2026-10/e.parquet", "e"),
    ]  # fmt: skip

    assert pushes_of(files, loads) == {"eu": [moments[0], moments[2]], "us": [moments[0], moments[1]]}
    assert [writer_of_key(key) for key in ("acme/2026-10/a.parquet", "eu/acme/2026-10/a.parquet")] == ["", "eu"]
