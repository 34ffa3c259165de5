"""Ways to destroy a lake by a catalog and a warehouse that do not belong together: each is refused, and no file is touched."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cost_lakehouse.cli.doctor.examine import checks, examine_one
from cost_lakehouse.config import Settings
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.lake.identity import FORMAT_VERSION, MARKER, Marker, Place, WrongLake, ensure_same_lake
from cost_lakehouse.maintenance.maintain import maintain
from tests.builders import Workshop, line, settings_for
from tests.maintenance.rows import rules
from tests.services.postgres import PostgresServer


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A lake with one delivery."""
    made = Workshop(tmp_path)
    made.write([line(UnblendedCost="0.5"), line(UnblendedCost="1.25")])
    made.load()
    return made


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(opened: Callable[[], object]) -> WrongLake:
    with pytest.raises(WrongLake) as caught:
        opened()
    assert caught.value.fix
    return caught.value


def with_lake(settings: Settings, **lake: str) -> Settings:
    """The same configuration with other keys below ``lake:``."""
    return settings.model_copy(update={"lake": settings.lake.model_validate({"first_month": "2026-01", **lake})})


def test_a_second_catalog_over_one_warehouse_is_refused(
    tmp_path: Path, lake_options: dict[str, object], request: pytest.FixtureRequest
) -> None:
    first = Lake(settings_for(tmp_path, {}, lake_options))
    held = [entry.location for entry in first.warehouse.list("")]
    catalog: object = "sqlite:///other.db"
    if "catalog" in lake_options:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        catalog = server.url(server.make_database("other"))
    other = settings_for(tmp_path, {}, {**lake_options, "catalog": catalog})

    told = refusal(lambda: Lake(other))

    assert "is new, but the warehouse" in told.problem
    assert first.identity.place.catalog in told.problem
    assert "lake adopt" in told.fix
    assert "lake.warehouse" in told.fix
    assert [entry.location for entry in first.warehouse.list("")] == held
    assert Lake(first.settings).identity.record() == first.identity.record()


def test_a_lost_catalog_is_not_made_anew_over_the_files_it_knew(workshop: Workshop) -> None:
    before = files(workshop.warehouse)
    Path(str(workshop.settings.catalog_url.database)).unlink()

    told = refusal(lambda: Lake(workshop.settings))

    assert "is new, but the warehouse" in told.problem
    assert "lake adopt" in told.fix
    assert files(workshop.warehouse) == before


def test_a_new_catalog_over_tables_without_a_marker_is_refused(workshop: Workshop) -> None:
    Path(str(workshop.settings.catalog_url.database)).unlink()
    (workshop.warehouse / MARKER).unlink()

    assert "is not empty: file://" in refusal(lambda: Lake(workshop.settings)).problem
    assert not (workshop.warehouse / MARKER).exists()


def test_a_copied_lake_is_refused_and_the_original_goes_on(workshop: Workshop, tmp_path: Path) -> None:
    before = files(tmp_path / "lake")
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copytree(tmp_path / "lake", copy / "lake")
    settings = settings_for(copy, {})

    told = refusal(lambda: Lake(settings))

    assert f"lie at file://{tmp_path}/lake/warehouse" in told.problem
    assert f"looked for at file://{copy}/lake/warehouse" in told.problem
    assert "lake move" in told.fix
    assert files(tmp_path / "lake") == before
    found = examine_one("catalog", dict(checks(settings))["catalog"])
    assert (found.state, found.says) == ("failed", told.problem)


def test_a_copied_catalog_over_the_same_warehouse_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "lake/catalog.db", tmp_path / "copy.db")

    told = refusal(lambda: Lake(with_lake(workshop.settings, catalog="sqlite:///copy.db")))

    assert "is a copy of it, or was moved or restored" in told.problem


def test_a_removed_marker_is_missed(workshop: Workshop) -> None:
    (workshop.warehouse / MARKER).unlink()

    told = refusal(lambda: Lake(workshop.settings))

    assert f"has lost its {MARKER}" in told.problem
    refusal(lambda: maintain(workshop.lake))


def test_a_damaged_marker_is_told(tmp_path: Path) -> None:
    lake = Lake(settings_for(tmp_path, {}))
    for content in (b"", b"\xff{", b"[]", b'{"id": "a"}', b'{"id": 1}'):
        (tmp_path / "lake/warehouse" / MARKER).write_bytes(content)

        assert f"{MARKER} is damaged" in refusal(lambda: Lake(lake.settings)).problem


def test_a_catalog_that_is_pointed_at_another_warehouse_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    empty = with_lake(workshop.settings, warehouse="elsewhere")
    told = refusal(lambda: Lake(empty))
    assert "where no lake is" in told.problem
    assert not list((tmp_path / "elsewhere").iterdir())

    second = Lake(with_lake(workshop.settings, warehouse="second", catalog="sqlite:///second.db"))
    held = files(tmp_path / "second")
    told = refusal(lambda: Lake(with_lake(workshop.settings, warehouse="second")))
    record = second.identity.record()
    assert record is not None
    assert f"belongs to the lake {record.id}" in told.problem
    assert files(tmp_path / "second") == held


def test_a_catalog_of_before_the_last_maintenance_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    catalog = tmp_path / "lake/catalog.db"
    backup = catalog.read_bytes()
    maintain(workshop.lake)
    kept = catalog.read_bytes()
    Lake(workshop.settings)

    catalog.write_bytes(backup)
    assert "is older than its warehouse" in refusal(lambda: Lake(workshop.settings)).problem

    catalog.write_bytes(kept)
    Lake(workshop.settings)


def test_maintenance_with_a_catalog_of_yesterday_removes_nothing_of_today(workshop: Workshop, tmp_path: Path) -> None:
    catalog = tmp_path / "lake/catalog.db"
    backup = catalog.read_bytes()
    for assembly, cost in (("20261104T040211Z", "2"), ("20261105T040211Z", "3")):
        workshop.write([line(UnblendedCost=cost)], assembly=assembly)
        workshop.load()
    catalog.write_bytes(backup)
    before = files(workshop.warehouse / "raw/aws_cur")

    far = datetime.now(UTC) + timedelta(days=400)
    report = maintain(Lake(workshop.settings), ["raw.aws_cur"], rules=rules(), now=far)

    assert "holds later states of raw.aws_cur (2 of them" in report.tables[0].failed
    assert "lake adopt" in report.tables[0].fix
    assert files(workshop.warehouse / "raw/aws_cur") == before


def test_of_two_catalogs_that_open_an_empty_warehouse_at_once_one_gets_it(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, {})
    told: list[str] = []
    ready = threading.Barrier(4)

    def open_(number: int) -> None:
        ready.wait()
        try:
            lake = Lake(with_lake(settings, catalog=f"sqlite:///catalog-{number % 2}.db"))
            record = lake.identity.record()
            told.append(record.id if record else "nobody")
        except WrongLake as error:
            told.append(error.problem)

    threads = [threading.Thread(target=open_, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    marker = json.loads((tmp_path / "lake/warehouse" / MARKER).read_bytes())
    assert [candidate == marker["id"] for candidate in told].count(True) == 2
    assert [marker["catalog"] in candidate for candidate in told].count(True) == 2


def test_a_first_opening_that_was_killed_is_taken_up_again(tmp_path: Path) -> None:
    lake = Lake(settings_for(tmp_path, {}))
    # All that there was before the marker was written.
    (tmp_path / "lake/catalog.db").unlink()
    for folder in ("raw", "marts"):
        shutil.rmtree(tmp_path / "lake/warehouse" / folder)
    marker = (tmp_path / "lake/warehouse" / MARKER).read_bytes()

    again = Lake(lake.settings)

    assert (tmp_path / "lake/warehouse" / MARKER).read_bytes() == marker
    assert again.identity.record() == Marker.of_json(marker.decode(), "here").record


def test_a_lake_of_before_there_were_identities_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "lake/catalog.db") as connection:
        connection.execute("delete from iceberg_namespace_properties where property_key = 'cost-lakehouse.lake'")
    connection.close()
    (workshop.warehouse / MARKER).unlink()

    told = refusal(lambda: Lake(workshop.settings))

    assert "before lakes carried a format version" in told.problem
    assert "lake adopt` once" in told.fix


@pytest.mark.parametrize(("difference", "says"), [(-1, "needs format"), (1, "knows formats up to")], ids=["older", "newer"])
def test_a_lake_of_another_format_is_refused(difference: int, says: str) -> None:
    place = Place("file:///lake", "sqlite:///catalog.db")
    marker = Marker("a1", FORMAT_VERSION + difference, place.location, 1, place.catalog)

    assert says in refusal(lambda: ensure_same_lake(place, marker.record, marker)).problem
