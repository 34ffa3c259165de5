"""A lakehouse reads what others pushed, from folders and a real S3 server: whole months, each number with its proof."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import yaml

from cost_lakehouse.config import load_settings
from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed, DeliveryRefused
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.duckdb_views import connect
from cost_lakehouse.loading.load import load_delivery
from cost_lakehouse.loading.result import LoadResult
from cost_lakehouse.publish.backbone.push import push
from cost_lakehouse.sources.delivery import Finding, Status
from cost_lakehouse.sources.lakehouse.layout import MANIFEST
from cost_lakehouse.sources.lakehouse.source import LakehouseSource
from cost_lakehouse.sources.registry import open_source
from cost_lakehouse.storage.object_store import StoredObject
from tests.publish.backbone.lakes import ACCOUNT, NOVEMBER, OCTOBER, PAYER, PushingLake
from tests.services.s3 import S3Server

OTHER = "222222222222"


class Pane:
    """A primary: a lake whose sources are other lakehouses' pushes."""

    def __init__(self, folder: Path, *sources: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "lakehouse.yaml"
        config.write_text(yaml.safe_dump({"lake": {"first_month": "2026-01"}, "sources": list(sources)}))
        self.settings = load_settings(config)
        self.lake = Lake(self.settings)

    def source(self, name: str = "fleet") -> LakehouseSource:
        opened = open_source(self.settings, self.settings.source(name))
        assert isinstance(opened, LakehouseSource)
        return opened

    def found(self, name: str = "fleet") -> Sequence[Finding]:
        return self.source(name).list_deliveries().months

    def load(self, name: str = "fleet") -> list[LoadResult]:
        """Load what is delivered, month by month."""
        opened = self.source(name)
        deliveries = [finding.delivery for finding in opened.list_deliveries().months]
        return [load_delivery(self.lake, opened, delivery) for delivery in deliveries if delivery is not None]

    def rows(self) -> list[tuple[Any, ...]]:
        """What the pane holds."""
        with connect(self.lake, ["raw.lakehouse_costs"]) as connection:
            return connection.execute(
                "select source, writer, writer_source, cast(usage_date as date), billed_cost "
                "from raw.lakehouse_costs order by all"
            ).fetchall()


def writer(folder: Path, name: str, to: Path, payer: str = PAYER, **options: Any) -> PushingLake:
    return PushingLake(folder / name, [{"name": "pane", "to": str(to), "writer": name, **options}], payer=payer)


def test_each_writers_months_are_held_under_its_name_with_its_receipt(tmp_path: Path) -> None:
    to = tmp_path / "fleet"
    eu, us = writer(tmp_path, "acme-eu", to), writer(tmp_path, "acme-us", to, OTHER)
    receipt = eu.publish(OCTOBER, ["1.25", "2.5"])
    us.publish(OCTOBER, ["4"])
    for made in (eu, us):
        push(made.lake, made.target("pane"))
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": str(to)})

    (loaded,) = pane.load()

    assert loaded.status is Status.LOADED
    assert pane.rows() == [
        ("fleet", "acme-eu", "acme", OCTOBER, Decimal("1.25")),
        ("fleet", "acme-eu", "acme", OCTOBER.replace(day=2), Decimal("2.5")),
        ("fleet", "acme-us", "acme", OCTOBER, Decimal(4)),
    ]
    with connect(pane.lake, ["raw.lakehouse_costs", "raw.files"]) as connection:
        ((digest, etag),) = connection.execute(
            "select distinct receipt_digest, files.etag from raw.lakehouse_costs costs "
            "join raw.files files on files.key = costs.file_name "
            "where writer = 'acme-eu'"
        ).fetchall()
    assert digest == receipt.digest
    assert etag[:32] in str(next((to / "acme-eu").rglob("daily_costs-*")))
    assert [result.status for result in pane.load()] == [Status.UNCHANGED]


def test_a_writer_is_picked_by_its_name_or_by_its_folder(tmp_path: Path) -> None:
    to = tmp_path / "fleet"
    for name, payer in (("acme-eu", PAYER), ("acme-us", OTHER)):
        made = writer(tmp_path, name, to, payer)
        made.publish(OCTOBER, ["1"])
        push(made.lake, made.target("pane"))
    pane = Pane(
        tmp_path / "pane",
        {"name": "eu", "kind": "lakehouse", "location": str(to), "writer": "acme-eu"},
        {"name": "us", "kind": "lakehouse", "location": str(to / "acme-us")},
    )

    pane.load("eu")
    pane.load("us")

    assert [row[:2] for row in pane.rows()] == [("eu", "acme-eu"), ("us", "acme-us")]


def test_a_changed_month_takes_the_old_ones_place_and_the_other_is_not_read(tmp_path: Path) -> None:
    made = writer(tmp_path, "acme-eu", tmp_path / "fleet", format="csv")
    made.publish(OCTOBER, ["1"])
    made.publish(NOVEMBER, ["2"])
    push(made.lake, made.target("pane"))
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": str(tmp_path / "fleet")})
    pane.load()
    made.publish(NOVEMBER, ["3"], assembly="20261204T000000Z")
    push(made.lake, made.target("pane"))

    assert [result.status for result in pane.load()] == [Status.UNCHANGED, Status.LOADED]
    assert [row[4] for row in pane.rows()] == [Decimal(1), Decimal(3)]


def test_of_many_writers_files_the_changed_one_alone_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to = tmp_path / "fleet"
    made = [writer(tmp_path, f"acme-{number}", to, f"{number:012}") for number in range(3)]
    for number, one in enumerate(made):
        one.publish(OCTOBER, [str(number)])
        push(one.lake, one.target("pane"))
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": str(to)})
    pane.load()
    made[1].publish(OCTOBER, ["7", "8"], assembly="20261105T000000Z")
    push(made[1].lake, made[1].target("pane"))
    read: list[str] = []
    opened = LakehouseSource.open

    def noted(self: LakehouseSource, obj: StoredObject) -> BinaryIO:
        read.append(obj.key.partition("/")[0])
        return opened(self, obj)

    monkeypatch.setattr(LakehouseSource, "open", noted)

    assert [result.status for result in pane.load()] == [Status.LOADED]

    assert read == ["acme-1"]
    assert [(row[1], row[4]) for row in pane.rows()] == [
        ("acme-0", Decimal(0)),
        ("acme-1", Decimal(7)),
        ("acme-1", Decimal(8)),
        ("acme-2", Decimal(2)),
    ]


def test_two_writers_of_one_account_are_told_and_the_month_stays_as_it_was(tmp_path: Path) -> None:
    to = tmp_path / "fleet"
    eu = writer(tmp_path, "acme-eu", to)
    eu.publish(OCTOBER, ["1"])
    push(eu.lake, eu.target("pane"))
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": str(to)})
    pane.load()
    twin = writer(tmp_path, "acme-twin", to)
    twin.publish(OCTOBER, ["9"])
    push(twin.lake, twin.target("pane"))

    (finding,) = pane.found()

    assert finding.status is Status.FAILED
    assert finding.reason.startswith(
        f"acme-eu (acme 2026-10) and acme-twin (acme 2026-10) both have costs of payer {PAYER}, account {ACCOUNT}"
    )
    assert [row[4] for row in pane.rows()] == [Decimal(1)]


def test_an_account_that_another_source_holds_is_refused_naming_both(tmp_path: Path) -> None:
    for name in ("acme-eu", "acme-twin"):
        made = writer(tmp_path, name, tmp_path / "fleet")
        made.publish(OCTOBER, ["1"])
        push(made.lake, made.target("pane"))
    there = str(tmp_path / "fleet")
    pane = Pane(
        tmp_path / "pane",
        {"name": "one", "kind": "lakehouse", "location": there, "writer": "acme-eu"},
        {"name": "two", "kind": "lakehouse", "location": there, "writer": "acme-twin"},
    )
    pane.load("one")

    with pytest.raises(DeliveryRefused, match=f"payer {PAYER} for 2026-10 is in the lake already, from source one"):
        pane.load("two")


def test_an_account_of_an_own_source_is_refused_too(tmp_path: Path) -> None:
    """The primary loads the same payer's bill itself."""
    made = writer(tmp_path, "acme-eu", tmp_path / "fleet")
    made.publish(OCTOBER, ["1"])
    push(made.lake, made.target("pane"))
    document = yaml.safe_load(made.config.read_text())
    document["sources"].append({"name": "fleet", "kind": "lakehouse", "location": str(tmp_path / "fleet")})
    made.config.write_text(yaml.safe_dump(document))
    settings = load_settings(made.config)
    opened = open_source(settings, settings.source("fleet"))
    (finding,) = opened.list_deliveries().months
    assert finding.delivery is not None

    with pytest.raises(DeliveryRefused, match="from source acme"):
        load_delivery(made.lake, opened, finding.delivery)


@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_a_file_with_another_digest_is_not_loaded_and_the_old_month_stays(tmp_path: Path, format_: str) -> None:
    made = writer(tmp_path, "acme-eu", tmp_path / "fleet", format=format_)
    made.publish(OCTOBER, ["1"])
    push(made.lake, made.target("pane"))
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": str(tmp_path / "fleet")})
    pane.load()
    made.publish(OCTOBER, ["2"], assembly="20261105T000000Z")
    push(made.lake, made.target("pane"))
    manifest = json.loads((tmp_path / "fleet" / "acme-eu" / MANIFEST).read_bytes())
    (named,) = manifest["months"][0]["files"]["daily_costs"]
    file = tmp_path / "fleet" / "acme-eu" / named["path"]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(DeliveryFailed):
        pane.load()
    file.write_bytes(content[:-7])
    with pytest.raises(DeliveryFailed, match="its manifest says"):
        pane.load()
    file.unlink()
    with pytest.raises(DeliveryChanged, match="is gone"):
        pane.load()

    assert [row[4] for row in pane.rows()] == [Decimal(1)]


def test_totals_that_the_rows_do_not_come_to_are_refused(tmp_path: Path) -> None:
    made = writer(tmp_path, "acme-eu", tmp_path / "fleet")
    made.publish(OCTOBER, ["1.25"])
    push(made.lake, made.target("pane"))
    place = tmp_path / "fleet" / "acme-eu" / MANIFEST
    place.write_text(place.read_text().replace('"billed_cost": "1.25', '"billed_cost": "1.26'))
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": str(tmp_path / "fleet")})

    with pytest.raises(DeliveryRefused, match=r"USD: announced are 1\.260+, its rows come to 1\.25"):
        pane.load()


def test_a_torn_manifest_of_one_writer_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    to = tmp_path / "fleet"
    for name, payer in (("acme-eu", PAYER), ("acme-us", OTHER)):
        made = writer(tmp_path, name, to, payer)
        made.publish(OCTOBER, ["1"])
        push(made.lake, made.target("pane"))
    torn = to / "acme-us" / MANIFEST
    torn.write_bytes(torn.read_bytes()[:100])
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": str(to)})

    found = pane.found()

    assert [finding.status for finding in found] == [Status.NEW, Status.FAILED]
    assert "acme-us/manifest.json cannot be understood" in found[1].reason


def test_a_path_that_leads_out_of_the_writers_folder_is_not_followed(tmp_path: Path) -> None:
    made = writer(tmp_path, "acme-eu", tmp_path / "fleet")
    made.publish(OCTOBER, ["1"])
    push(made.lake, made.target("pane"))
    place = tmp_path / "fleet" / "acme-eu" / MANIFEST
    place.write_text(place.read_text().replace('"path": "acme/2026-10/daily', '"path": "../../secrets/daily'))
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": str(tmp_path / "fleet")})

    (finding,) = pane.found()

    assert finding.status is Status.FAILED
    assert "no path below the writer's folder" in finding.reason


def test_a_place_where_nobody_pushed_yet_waits(tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": str(tmp_path / "fleet")})

    delivered = pane.source().list_deliveries()

    assert (delivered.months, delivered.nothing) == ((), "no lakehouse has pushed there yet")
    assert pane.source().check().state == "warning"


def test_kubecosts_federated_store_is_the_configuration_of_both_sides(
    tmp_path: Path, s3_server: S3Server, s3_shared_bucket: str
) -> None:
    config = {
        "bucket": s3_shared_bucket,
        "endpoint": s3_server.endpoint.removeprefix("http://"),
        "insecure": True,
        "region": s3_server.region,
        "access_key": s3_server.access_key,
        "secret_key": s3_server.secret_key,
    }
    store = tmp_path / "federated-store.yaml"
    store.write_text(yaml.safe_dump({"type": "S3", "config": config, "prefix": tmp_path.name}))
    to = f"s3://{s3_shared_bucket}/{tmp_path.name}"
    target = {"name": "pane", "to": to, "writer": "acme-eu", "store_config": str(store)}
    made = PushingLake(tmp_path / "eu", [target])
    made.publish(OCTOBER, ["1.25"])
    push(made.lake, made.target("pane"))
    pane = Pane(tmp_path / "pane", {"name": "fleet", "kind": "lakehouse", "location": to, "store_config": str(store)})

    pane.load()

    assert [row[1:] for row in pane.rows()] == [("acme-eu", "acme", OCTOBER, Decimal("1.25"))]
    assert pane.source().check().state == "ok"
