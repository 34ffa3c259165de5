"""What discovery says of each month of a Data Export, on a folder and on a real S3 server alike."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from cost_lakehouse.config.source import DataExportSettings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.delivery import Delivery, FileFormat, Finding, Status
from tests.sources.exports import Export
from tests.sources.places import NOVEMBER, OCTOBER, FolderPlace, Place, Report, S3Place

NOON = datetime(2026, 11, 6, 12, tzinfo=UTC)


@pytest.fixture
def export(place: Place) -> Export:
    return Export(place, bucket=place.bucket if isinstance(place, S3Place) else "acme-billing")


@pytest.fixture
def folder_export(tmp_path: Path) -> Export:
    return Export(FolderPlace(tmp_path / "bucket"))


def delivery_of(finding: Finding) -> Delivery:
    assert finding.status is Status.NEW, finding.reason
    assert isinstance(finding.delivery, Delivery)
    return finding.delivery


def test_an_overwritten_export_is_available_with_all_its_files(export: Export) -> None:
    keys = export.overwrite("E1", files=3)
    delivery = delivery_of(export.only_finding())
    assert (delivery.billing_period, delivery.delivery_id, delivery.report_name) == (OCTOBER, "E1", "costs")
    assert [stored_object.key for stored_object in delivery.objects] == keys
    assert delivery.manifest is not None
    assert delivery.file_format is FileFormat.PARQUET
    assert delivery.delivered_at == delivery.manifest.last_modified
    with export.store().open(delivery.objects[1]) as content:
        assert content.read() == b"E1 2"


def test_of_many_executions_only_the_announced_ones_files_are_read(export: Export) -> None:
    export.create_new("E1", files=2)
    export.place.put(export.folder("data", execution="unlisted") + "costs-00001.snappy.parquet", b"nobody's")
    keys = export.create_new("E2", files=2)
    delivery = delivery_of(export.only_finding())
    assert (delivery.delivery_id, [stored_object.key for stored_object in delivery.objects]) == ("E2", keys)


def test_months_are_found_in_any_spelling_of_the_folder(export: Export) -> None:
    export.overwrite("O")
    export.partition = "billing_period"
    export.overwrite("N", NOVEMBER)
    found = [(candidate.billing_period, delivery_of(candidate).delivery_id) for candidate in export.discover()]
    assert found == [(OCTOBER, "O"), (NOVEMBER, "N")]
    assert [delivery_of(candidate).delivery_id for candidate in export.discover(NOVEMBER)] == ["N"]
    (finding,) = export.discover(date(2026, 12, 1))
    assert (finding.status, finding.billing_period) == (Status.WAITING, date(2026, 12, 1))


def test_data_without_a_manifest_is_waited_for(export: Export) -> None:
    export.put_files(export.folder("data"), 2, "early")
    finding = export.only_finding()
    assert (finding.status, finding.billing_period) == (Status.WAITING, OCTOBER)
    assert "AWS writes it after all of the month's files" in finding.reason


def test_an_older_execution_is_offered_while_the_newest_is_not_complete(folder_export: Export) -> None:
    folder_export.create_new("E1", modified=NOON - timedelta(hours=1))
    folder_export.create_new("E2", files=2, missing=[2], modified=NOON)
    finding = folder_export.only_finding()
    assert delivery_of(finding).delivery_id == "E1"
    assert "Delivery E2 waits for" in finding.reason


def test_executions_without_a_manifest_of_the_month_are_found_too(folder_export: Export) -> None:
    folder_export.create_new("E1", modified=NOON, execution_only=True)
    folder_export.create_new("E2", modified=NOON + timedelta(hours=1), execution_only=True)
    assert delivery_of(folder_export.only_finding()).delivery_id == "E2"


def test_without_an_execution_id_the_manifest_itself_tells_deliveries_apart(export: Export) -> None:
    export.overwrite(None)
    first = delivery_of(export.only_finding())
    assert first.delivery_id
    assert export.opened().is_unchanged(first)
    export.overwrite(None, files=2)
    assert delivery_of(export.only_finding()).delivery_id != first.delivery_id


def test_a_delivery_that_is_replaced_meanwhile_is_not_the_same_any_more(export: Export) -> None:
    keys = export.overwrite("E1", files=2)
    delivery = delivery_of(export.only_finding())
    assert export.opened().is_unchanged(delivery)
    export.place.put(keys[1], b"another content")
    assert not export.opened().is_unchanged(delivery)
    export.overwrite("E2", files=2)
    assert not export.opened().is_unchanged(delivery)
    assert delivery.manifest is not None
    export.place.delete(delivery.manifest.key)
    assert not export.opened().is_unchanged(delivery)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{base}exports/costs-2/data/BILLING_PERIOD=2026-10/x.parquet", "outside of this location"),
        ("{base}exports/costs/data/BILLING_PERIOD=2026-09/x.parquet", "of another month"),
        ("{base}exports/costs/../x.parquet", "leads out of the export"),
    ],
)
def test_a_listed_file_from_elsewhere_fails_the_month(export: Export, entry: str, problem: str) -> None:
    export.announce([export.address(entry.format(base=export.place.base))])
    finding = export.only_finding()
    assert finding.status is Status.FAILED
    assert problem in finding.reason


def test_files_of_another_bucket_are_refused_unless_it_is_a_replica(export: Export) -> None:
    if not isinstance(export.place, S3Place):
        export.announce(["s3://one/exports/costs/data/x.parquet", "s3://two/exports/costs/data/y.parquet"])
        assert "files of several buckets (one, two)" in export.only_finding().reason
        return
    export.bucket = "payers-own"
    export.overwrite("E1")
    finding = export.only_finding()
    assert finding.status is Status.FAILED
    assert "set `replica_of: payers-own`" in finding.reason
    assert delivery_of(export.only_finding(replica_of="payers-own")).delivery_id == "E1"


def test_csv_in_gzip_and_relative_keys_are_taken(folder_export: Export) -> None:
    folder_export.suffix = ".csv.gz"
    keys = folder_export.put_files(folder_export.folder("data"), 1, "E1")
    folder_export.announce([{"path": keys[0]}], compression="GZIP")
    delivery = delivery_of(folder_export.only_finding())
    assert ([stored_object.key for stored_object in delivery.objects], delivery.file_format) == (keys, FileFormat.CSV)


def test_wrong_locations_name_the_right_ones(folder_export: Export) -> None:
    place = folder_export.place
    folder_export.overwrite("E1")
    for prefix in ("exports", "exports/costs/data", "exports/costs/data/BILLING_PERIOD=2026-10"):
        head, _, tail = prefix.rpartition("/")
        with pytest.raises(SourceError, match=r"there are: .*/exports/costs"):
            Export(place, head or ".", tail).discover()
    report = Report(place)
    report.deliver("A1")
    with pytest.raises(SourceError, match="is a legacy Cost and Usage Report"):
        Export(place, report.prefix, report.name).discover()


def test_nothing_delivered_yet_is_said_of_the_whole_source(folder_export: Export) -> None:
    folder_export.place.put(f"{folder_export.location}/note.txt", b"")
    finding = folder_export.only_finding()
    assert (finding.status, finding.billing_period) == (Status.WAITING, None)


def test_replica_of_only_fits_a_bucket() -> None:
    with pytest.raises(ValueError, match="replica_of only fits"):
        DataExportSettings(name="a", kind="aws_data_export", location="folder", replica_of="b")
