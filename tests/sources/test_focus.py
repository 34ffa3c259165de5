"""What lies at a source of FOCUS, on a folder and on a real S3 server alike: exports, Oracle's reports, folders of files."""

from __future__ import annotations

import pytest

from cost_lakehouse.config.source import FocusSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.base import Delivered
from cost_lakehouse.sources.delivery import Delivery, FileFormat, Status
from cost_lakehouse.sources.registry import open_source
from tests.sources.exports import Export
from tests.sources.places import NOVEMBER, OCTOBER, Place, S3Place


@pytest.fixture
def export(place: Place) -> Export:
    return Export(place, bucket=place.bucket if isinstance(place, S3Place) else "acme-billing")


def source_at(place: Place, location: str) -> FocusSettings:
    given = place.source(location.rstrip("/")).model_dump(exclude_unset=True)
    return FocusSettings.model_validate({**given, "kind": "focus"})


def look(place: Place, location: str) -> Delivered:
    return open_source(place.settings(), source_at(place, location)).list_deliveries()


def test_an_export_s_months_are_what_its_manifests_list(export: Export) -> None:
    export.create_new("E1", files=2)
    keys = export.create_new("E2", files=2)
    export.place.put(export.folder("data", execution="unlisted") + "costs-00001.snappy.parquet", b"nobody's")
    export.place.put(export.folder("data", NOVEMBER) + "costs-00001.snappy.parquet", b"not announced yet")

    found = look(export.place, export.location)

    october, november = found.months
    assert isinstance(october.delivery, Delivery)
    assert (october.delivery.billing_period, october.delivery.delivery_id) == (OCTOBER, "E2")
    assert [stored_object.key for stored_object in october.delivery.objects] == keys
    assert (october.delivery.table, october.delivery.file_format) == ("raw.focus", FileFormat.PARQUET)
    assert (november.billing_period, november.status) == (NOVEMBER, Status.WAITING)
    assert found.objects == ()


def test_an_export_that_is_delivered_anew_while_it_is_read_is_noticed(export: Export) -> None:
    export.overwrite("E1")
    (finding,) = look(export.place, export.location).months
    opened = open_source(export.place.settings(), source_at(export.place, export.location))
    assert isinstance(finding.delivery, Delivery)
    assert opened.is_unchanged(finding.delivery)
    export.overwrite("E2")
    assert not opened.is_unchanged(finding.delivery)


@pytest.mark.parametrize("inside", ["data", "metadata", "data/BILLING_PERIOD=2026-10"])
def test_a_part_of_an_export_is_no_bill(inside: str, export: Export) -> None:
    export.overwrite("E1")
    with pytest.raises(SourceError, match="is a part of the export") as told:
        look(export.place, f"{export.location}/{inside}")
    assert export.location in told.value.fix


def test_the_folder_above_exports_is_no_bill(export: Export) -> None:
    export.overwrite("E1")
    with pytest.raises(SourceError, match="costs-Manifest.json is a manifest"):
        look(export.place, f"{export.place.base}exports")


@pytest.mark.parametrize("location", ["oci", "oci/FOCUS Reports", "oci/FOCUS Reports/2026"])
def test_oracle_s_reports_are_found_from_wherever_they_are_named(location: str, place: Place) -> None:
    key = f"{place.base}oci/FOCUS Reports/2026/10/05/0001.csv.gz"
    place.put(key, b"x")
    place.put(f"{place.base}oci/reports/cost-csv/0001.csv.gz", b"the same costs, as cost report")

    found = look(place, f"{place.base}{location}")

    assert [stored_object.name for stored_object in found.objects] == ["0001.csv.gz"]
    assert not found.is_complete


def test_a_folder_s_files_are_found_at_any_depth_and_nothing_beside_it(place: Place) -> None:
    for key in ("a.parquet", "2026/10/b.CSV.GZ", "2026/10/c.csv", "d.csv.zip", "_temporary/e.csv", ".f.csv"):
        place.put(f"{place.base}saas/{key}", b"x")
    place.put(f"{place.base}saas-2/g.csv", b"another source's")

    found = look(place, f"{place.base}saas")

    assert sorted(stored_object.name for stored_object in found.objects) == ["a.parquet", "b.CSV.GZ", "c.csv", "d.csv.zip"]
    assert found.is_complete
    assert found.note == ""


def test_a_place_without_anything_is_waited_for(place: Place) -> None:
    place.put(f"{place.base}saas/notes.txt", b"x")
    found = look(place, f"{place.base}saas")
    assert (found.objects, found.months) == ((), ())
    assert "notes.txt" in found.note
