"""Lakes that were copied, moved, restored or robbed of their catalog: nothing is lost, and each step can be run again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake import repair
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.identity import MARKER, WrongLake
from cost_lakehouse.lake.identity_store import IdentityStore
from cost_lakehouse.lake.manifests import data_files
from cost_lakehouse.lake.relocate import relocate_table
from cost_lakehouse.lake.repair import adopt, move
from cost_lakehouse.maintenance.maintain import maintain
from cost_lakehouse.sources.delivery import Status
from tests.builders import Workshop, line, settings_for
from tests.demo import command
from tests.maintenance.rows import rows, rules
from tests.services.s3 import S3Server

FAR = datetime.now(UTC) + timedelta(days=400)


def filled(folder: Path, lake: dict[str, object] | None = None) -> Workshop:
    """A lake that was delivered the same month twice, so that it has a history."""
    workshop = Workshop(folder, lake=lake)
    workshop.write([line(UnblendedCost="0.5")])
    workshop.load()
    workshop.write([line(UnblendedCost="0.5"), line(UnblendedCost="1.25")], assembly="20261104T040211Z")
    workshop.load()
    return workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Its own folder below tmp_path, so that it can be copied as a whole."""
    (tmp_path / "prod").mkdir()
    return filled(tmp_path / "prod")


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "locks" not in str(path)}


def copied(workshop: Workshop, folder: Path) -> Settings:
    shutil.copytree(workshop.settings.base, folder)
    return load_settings(folder / "lakehouse.yaml")


def history(lake: Lake) -> list[list[Any]]:
    """The costs in each state that raw.aws_cur ever had."""
    table = lake.table("raw.aws_cur")
    of_all = [table.scan(snapshot_id=snapshot.snapshot_id).to_arrow() for snapshot in table.metadata.snapshots]
    return [sorted(str(cost) for cost in found["line_item_unblended_cost"].to_pylist()) for found in of_all]


def test_a_copy_becomes_a_lake_of_its_own_and_the_original_stays_as_it_was(workshop: Workshop, tmp_path: Path) -> None:
    held, states, original = rows(workshop.lake), history(workshop.lake), files(workshop.settings.base)
    settings = copied(workshop, tmp_path / "trial")

    done = move(settings)

    assert (done.was_at, done.location) == (workshop.lake.warehouse.location, settings.warehouse)
    trial = Workshop(tmp_path / "trial")
    assert rows(trial.lake) == held
    assert history(trial.lake) == states
    # Work in the copy, and its maintenance, reach no file of the original.
    trial.write([line(UnblendedCost="7")], assembly="20261105T040211Z")
    trial.load()
    assert [table.failed for table in maintain(trial.lake, rules=rules(), now=FAR).tables if table.failed] == []
    assert files(workshop.settings.base) == original
    assert rows(Lake(workshop.settings)) == held
    first, second = Lake(workshop.settings).identity.record(), trial.lake.identity.record()
    assert first is not None
    assert second is not None
    assert first.id != second.id
    # And the other way round: the original may go, all states of the copy are still there.
    after = rows(trial.lake)
    shutil.rmtree(workshop.settings.base)
    assert rows(trial.lake) == after
    assert history(trial.lake)[-1] == ["7.00000000000000000000"]


def test_a_moved_lake_is_whole_at_its_new_place(workshop: Workshop, tmp_path: Path) -> None:
    held, states = rows(workshop.lake), history(workshop.lake)
    workshop.settings.base.rename(tmp_path / "new place")
    settings = load_settings(tmp_path / "new place/lakehouse.yaml")

    move(settings)

    assert rows(Lake(settings)) == held
    assert history(Lake(settings)) == states
    # Twice is as once.
    assert move(settings).tables["raw.aws_cur"] == "is here"


def test_a_copy_without_its_catalog_is_made_a_lake_too(workshop: Workshop, tmp_path: Path) -> None:
    held = rows(workshop.lake)
    settings = copied(workshop, tmp_path / "trial")
    (tmp_path / "trial/lake/catalog.db").unlink()

    with pytest.raises(WrongLake, match="is a copy of the lake at"):
        Lake(settings)
    with pytest.raises(WrongLake, match="were copied or moved"):
        adopt(settings)
    move(settings)

    assert rows(Lake(settings)) == held


def test_a_copy_that_is_not_whole_is_not_made_a_lake(workshop: Workshop, tmp_path: Path) -> None:
    settings = copied(workshop, tmp_path / "trial")
    gone = next((tmp_path / "trial/lake/warehouse/raw/aws_cur/data").rglob("*.parquet"))
    gone.unlink()

    with pytest.raises(LakeError, match=f"{gone.name} is not there. Copy everything from {workshop.lake.warehouse.location}"):
        move(settings)

    with pytest.raises(WrongLake, match="copied or moved"):
        Lake(settings)


def test_a_lost_catalog_is_rebuilt_from_the_warehouse(workshop: Workshop) -> None:
    held, states = rows(workshop.lake), history(workshop.lake)
    (workshop.settings.base / "lake/catalog.db").unlink()

    done = adopt(workshop.settings)

    assert done.tables["raw.aws_cur"].startswith("taken from the warehouse (version ")
    lake = Lake(workshop.settings)
    assert rows(lake) == held
    assert history(lake) == states
    assert Workshop(workshop.settings.base).load().status is Status.UNCHANGED


def test_a_catalog_of_before_is_brought_up_to_date(workshop: Workshop) -> None:
    catalog = workshop.settings.base / "lake/catalog.db"
    backup = catalog.read_bytes()
    workshop.write([line(UnblendedCost="9")], assembly="20261105T040211Z")
    workshop.load()
    maintain(workshop.lake)
    held = rows(workshop.lake)
    catalog.write_bytes(backup)

    done = adopt(workshop.settings)

    assert done.tables["raw.aws_cur"].startswith("brought from version ")
    assert rows(Lake(workshop.settings)) == held


def test_a_commit_that_was_killed_before_its_end_is_not_taken_over(workshop: Workshop) -> None:
    table = workshop.lake.table("raw.aws_cur")
    held = rows(workshop.lake)
    number = int(table.metadata_location.rsplit("/", 1)[-1].partition("-")[0])
    first = Path(table.metadata.metadata_log[-2].metadata_file.removeprefix("file://"))
    shutil.copy(first, first.with_name(f"{number + 1:05d}-killed.metadata.json"))
    (workshop.warehouse / MARKER).unlink()

    assert adopt(workshop.settings).tables["raw.aws_cur"] == "as it was"

    assert rows(Lake(workshop.settings)) == held


def test_a_second_catalog_may_take_the_warehouse_over_and_the_first_is_refused_then(workshop: Workshop) -> None:
    held = rows(workshop.lake)
    lake = workshop.settings.lake.model_validate({"first_month": "2026-01", "catalog": "sqlite:///second.db"})
    second = workshop.settings.model_copy(update={"lake": lake})

    adopt(second)

    assert rows(Lake(second)) == held
    with pytest.raises(WrongLake, match="is that of the lake"):
        Lake(workshop.settings)


def test_a_lake_of_before_there_were_identities_gets_one(workshop: Workshop) -> None:
    held = rows(workshop.lake)
    with workshop.lake.catalog.engine.begin() as connection:
        connection.exec_driver_sql("delete from iceberg_namespace_properties where property_key = 'cost-lakehouse.lake'")
    (workshop.warehouse / MARKER).unlink()

    done = adopt(workshop.settings)

    assert set(done.tables.values()) == {"as it was"}
    assert rows(Lake(workshop.settings)) == held


def test_a_table_whose_files_are_gone_is_not_taken_over_in_silence(workshop: Workshop) -> None:
    gone = data_files(workshop.lake.table("raw.receipts"))[0].file_path
    (workshop.settings.base / "lake/catalog.db").unlink()
    Path(gone.removeprefix("file://")).unlink()

    with pytest.raises(LakeError, match=f"raw.receipts cannot be taken over: {gone} is not there"):
        adopt(workshop.settings)

    with pytest.raises(WrongLake):
        Lake(workshop.settings)


def test_adopting_needs_the_catalog_s_own_warehouse(workshop: Workshop, tmp_path: Path) -> None:
    lake = workshop.settings.lake.model_validate({"first_month": "2026-01", "warehouse": str(tmp_path / "empty")})
    elsewhere = workshop.settings.model_copy(update={"lake": lake})

    with pytest.raises(WrongLake, match="which is not in the warehouse"):
        adopt(elsewhere)
    with pytest.raises(LakeError, match="is not there. Copy everything"):
        move(elsewhere)

    assert Lake(workshop.settings).table_names()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize(
    ("what", "step"), [(move, "tables"), (move, "catalog"), (move, "marker"), (adopt, "catalog"), (adopt, "marker")]
)
def test_what_was_killed_is_run_again(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: Callable[[Settings], object], step: str
) -> None:
    held = rows(workshop.lake)
    settings = copied(workshop, tmp_path / "trial") if what is move else workshop.settings
    if what is adopt:
        (workshop.settings.base / "lake/catalog.db").unlink()
    left = 0

    def killed(*given: Any, **_: object) -> str:
        nonlocal left
        if step == "tables" and left:
            left -= 1
            return relocate_table(*given)
        raise Killed

    places = {
        "tables": (repair, "relocate_table"),
        "catalog": (IdentityStore, "write_record"),
        "marker": (IdentityStore, "write_marker"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*places[step], killed)
        for _ in range(4):
            left = 2
            with pytest.raises(Killed):
                what(settings)
    with pytest.raises(WrongLake):
        Lake(settings)

    what(settings)

    assert rows(Lake(settings)) == held


def test_a_lake_is_moved_to_another_bucket(s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path) -> None:
    store = {
        "endpoint": s3_server.endpoint,
        "region": s3_server.region,
        "access_key": s3_server.access_key,
        "secret_key": s3_server.secret_key,
    }
    old = filled(tmp_path, {"warehouse": f"s3://{s3_shared_bucket}/{tmp_path.name}/old", "store": store})
    held, states = rows(old.lake), history(old.lake)
    new_bucket = s3_server.make_bucket("moved")
    client = s3_server.client()
    for entry in old.lake.warehouse.list(""):
        key = entry.location.partition(f"{s3_shared_bucket}/")[2]
        client.copy_object(Bucket=new_bucket, Key=key.replace("/old/", "/new/"), CopySource=f"{s3_shared_bucket}/{key}")
    settings = settings_for(
        tmp_path, {"acme": "bucket/cur/hourly"}, {"warehouse": f"s3://{new_bucket}/{tmp_path.name}/new", "store": store}
    )

    with pytest.raises(WrongLake, match="copied or moved"):
        Lake(settings)
    move(settings)

    # The old bucket's files may go.
    old.lake.warehouse.delete([entry.location for entry in old.lake.warehouse.list("")])
    lake = Lake(settings)
    assert rows(lake) == held
    assert history(lake) == states
    (tmp_path / "lake/catalog.db").unlink()
    adopt(settings)
    assert rows(Lake(settings)) == held


def test_the_command_tells_what_it_did(workshop: Workshop, tmp_path: Path) -> None:
    config = str(copied(workshop, tmp_path / "trial").file)

    refused = command("status", "--config", config)
    assert refused.exit_code == 1
    assert "Error: This lake was copied or moved" in refused.stderr
    assert "Fix: Run `cost-lakehouse lake move`" in refused.stderr
    moved = command("lake", "move", "--config", config)
    assert moved.exit_code == 0
    assert "raw.aws_cur" in moved.stdout
    assert f"Nothing of it refers to {workshop.lake.warehouse.location} any more" in moved.stdout
    shown = command("lake", "show", "--config", config)
    assert f"file://{tmp_path}/trial/lake/warehouse" in shown.stdout
    (tmp_path / "trial/lake/catalog.db").unlink()
    assert command("lake", "show", "--config", config).exit_code == 1
    adopted = command("lake", "adopt", "--config", config)
    assert adopted.exit_code == 0
    assert "taken from the warehouse" in adopted.stdout
    assert command("lake", "show", "--config", config, "--json").stdout.startswith('[\n{"id": "')
