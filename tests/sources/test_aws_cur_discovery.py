"""What discovery says of each month of a report, on a folder and on a real S3 server alike."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.delivery import Delivery, FileFormat, Finding, Status
from cost_lakehouse.sources.registry import open_source
from cost_lakehouse.storage.local_folder import LocalFolder
from cost_lakehouse.storage.object_store import StoredObject
from cost_lakehouse.storage.s3_store import S3Store
from tests.services.s3 import S3Server
from tests.sources.places import NOVEMBER, OCTOBER, Place, Report, S3Place, manifest

OLD, NEW = "20261105T040000Z", "20261106T053621Z"
NOON = datetime(2026, 11, 6, 12, tzinfo=UTC)


def delivered(finding: Finding) -> str:
    assert finding.status is Status.NEW, finding.reason
    assert isinstance(finding.delivery, Delivery)
    return finding.delivery.delivery_id


def test_a_complete_delivery_is_available_with_all_its_files(report: Report) -> None:
    keys = report.deliver(NEW, files=3)
    finding = report.only_finding()
    assert (finding.source, finding.billing_period, finding.reason) == ("acme-payer", OCTOBER, "")
    assert delivered(finding) == NEW
    delivery = finding.delivery
    assert isinstance(delivery, Delivery)
    assert delivery.manifest is not None
    assert [stored_object.key for stored_object in delivery.objects] == keys
    assert delivery.bytes == 3 * len(f"{NEW} 1")
    assert delivery.manifest.key == report.folder() + "hourly-Manifest.json"
    assert delivery.delivered_at == delivery.manifest.last_modified
    assert delivery.delivered_at.tzinfo is UTC
    assert (delivery.report_name, delivery.file_format) == ("hourly", FileFormat.CSV)
    store = report.store()
    with store.open(delivery.objects[1]) as content:
        assert content.read() == f"{NEW} 2".encode()


def test_months_are_found_oldest_first_and_the_wish_for_one_month_is_heard(report: Report) -> None:
    report.deliver("n", NOVEMBER)
    report.deliver("o", OCTOBER)
    assert [(candidate.billing_period, delivered(candidate)) for candidate in report.discover()] == [
        (OCTOBER, "o"),
        (NOVEMBER, "n"),
    ]
    assert [delivered(candidate) for candidate in report.discover(NOVEMBER)] == ["n"]
    (finding,) = report.discover(date(2026, 12, 1))
    assert (finding.status, finding.billing_period) == (Status.WAITING, date(2026, 12, 1))
    assert "months there: 2026-10, 2026-11" in finding.reason


def test_a_report_whose_name_begins_the_same_is_another_report(place: Place) -> None:
    hourly, second = Report(place, name="hourly"), Report(place, name="hourly-2")
    hourly.deliver("first")
    second.deliver("second")
    assert [delivered(finding) for finding in hourly.discover()] == ["first"]
    assert [delivered(finding) for finding in second.discover()] == ["second"]


def test_keys_that_start_with_a_slash_are_found(place: Place) -> None:
    report = Report(place)
    keys = report.deliver(NEW)
    place.put(report.folder() + report.manifest_name, manifest("hourly", NEW, [f"/{key}" for key in keys]))
    finding = report.only_finding()
    assert delivered(finding) == NEW
    assert isinstance(finding.delivery, Delivery)
    assert [stored_object.key for stored_object in finding.delivery.objects] == keys
    assert report.opened().is_unchanged(finding.delivery)


def test_a_replicated_bucket_has_another_name_than_its_manifests_say(report: Report) -> None:
    report.deliver(NEW, bucket="the-payers-own-bucket")
    assert delivered(report.only_finding()) == NEW


@pytest.mark.parametrize("ending", ["-1.csv.gz", "-00001.csv.gz", ".csv.gz", "-1.csv.zip", "-1.zip", "-00001.csv"])
def test_every_spelling_of_a_part_is_a_file(folder_report: Report, ending: str) -> None:
    key = f"{folder_report.folder()}{NEW}/hourly{ending}"
    folder_report.place.put(key, b"x")
    folder_report.place.put(folder_report.folder() + folder_report.manifest_name, manifest("hourly", NEW, [key]))
    finding = folder_report.only_finding()
    assert isinstance(finding.delivery, Delivery)
    assert [stored_object.key for stored_object in finding.delivery.objects] == [key]


def test_the_manifest_of_the_month_decides_though_older_deliveries_are_still_there(report: Report) -> None:
    report.deliver(OLD)
    report.deliver(NEW)
    assert delivered(report.only_finding()) == NEW


def test_an_overwriting_report_keeps_its_files_in_the_months_folder(report: Report) -> None:
    keys = report.overwrite(NEW, files=2)
    finding = report.only_finding()
    assert delivered(finding) == NEW
    assert isinstance(finding.delivery, Delivery)
    assert [stored_object.key for stored_object in finding.delivery.objects] == keys


def test_while_the_newest_delivery_waits_for_a_file_the_newest_complete_one_stands(report: Report) -> None:
    report.deliver("20261104T040000Z")
    report.deliver(OLD)
    report.deliver(NEW, files=3, missing=[2, 3])
    finding = report.only_finding()
    assert delivered(finding) == OLD
    assert finding.reason.startswith(f"Delivery {NEW} waits for ")
    assert f"{NEW}/hourly-00002.csv.gz, which is not there (and 1 more)" in finding.reason
    assert isinstance(finding.delivery, Delivery)
    assert finding.delivery.manifest is not None
    assert finding.delivery.manifest.key == f"{report.folder()}{OLD}/hourly-Manifest.json"


def test_older_deliveries_are_ordered_by_time_and_then_by_id(folder_report: Report) -> None:
    folder_report.deliver("z-older", copy_only=True, modified=NOON - timedelta(days=2))
    folder_report.deliver("a-newer", copy_only=True, modified=NOON - timedelta(days=1))
    folder_report.deliver("newest", missing=[1], modified=NOON)
    assert delivered(folder_report.only_finding()) == "a-newer"
    folder_report.deliver("b-newer", copy_only=True, modified=NOON - timedelta(days=1))
    assert delivered(folder_report.only_finding()) == "b-newer"


def test_a_broken_copy_of_an_older_delivery_does_not_hide_a_complete_one(folder_report: Report) -> None:
    folder_report.deliver("complete", copy_only=True, modified=NOON - timedelta(days=2))
    folder_report.place.put(f"{folder_report.folder()}broken/hourly-Manifest.json", b"{", NOON - timedelta(days=1))
    folder_report.deliver("newest", missing=[1], modified=NOON)
    assert delivered(folder_report.only_finding()) == "complete"


def test_a_missing_file_is_waited_for_by_name(report: Report) -> None:
    report.deliver(NEW, files=2, missing=[2])
    finding = report.only_finding()
    assert (finding.status, finding.delivery) == (Status.WAITING, None)
    assert f"{NEW}/hourly-00002.csv.gz, which is not there" in finding.reason


def test_when_no_file_has_come_yet_the_first_is_waited_for(report: Report) -> None:
    (key,) = report.deliver(NEW, missing=[1])
    finding = report.only_finding()
    assert finding.status is Status.WAITING
    assert report.store().describe(key) in finding.reason


def test_an_empty_file_is_waited_for_by_name(report: Report) -> None:
    keys = report.deliver(NEW, files=2)
    report.place.put(keys[0], b"")
    finding = report.only_finding()
    assert finding.status is Status.WAITING
    assert "hourly-00001.csv.gz, which is empty" in finding.reason


def test_a_manifest_that_lists_no_files_is_waited_for(report: Report) -> None:
    report.deliver(NEW, files=0)
    finding = report.only_finding()
    assert finding.status is Status.WAITING
    assert "lists no files yet" in finding.reason


def test_a_month_without_a_manifest_is_waited_for(report: Report) -> None:
    report.place.put(f"{report.folder()}{NEW}/hourly-00001.csv.gz", b"x")
    finding = report.only_finding()
    assert (finding.status, finding.billing_period) == (Status.WAITING, OCTOBER)
    assert "There is no manifest yet" in finding.reason


def test_a_delivery_whose_manifest_lies_only_beside_its_files_is_found(report: Report) -> None:
    report.deliver(OLD, copy_only=True)
    report.deliver(NEW, copy_only=True)
    assert delivered(report.only_finding()) == NEW


def test_a_month_with_the_manifest_of_another_report_names_it(report: Report) -> None:
    report.place.put(f"{report.folder()}daily-Manifest.json", manifest("daily", NEW, []))
    finding = report.only_finding()
    assert finding.status is Status.WAITING
    assert "There is daily-Manifest.json" in finding.reason


def test_other_files_beside_the_report_are_ignored(report: Report) -> None:
    keys = report.deliver(NEW)
    for name in (
        f"{report.place.base}cur/aws-programmatic-access-test-object",
        f"{report.location}/crawler-cfn.yml",
        f"{report.location}/20261002-20261101/odd",
        f"{report.folder()}hourly-create-table.sql",
        f"{report.folder()}{NEW}/hourly-RedshiftManifest.json",
        f"{report.folder()}{NEW}/hourly-RedshiftCommands.sql",
        f"{report.folder()}{NEW}/hourly-00001 (1).csv.gz",
        f"{report.folder()}daily-Manifest.json",
        f"{report.folder()}daily-00001.csv.gz",
    ):
        report.place.put(name, b"not ours")
    finding = report.only_finding()
    assert isinstance(finding.delivery, Delivery)
    assert [stored_object.key for stored_object in finding.delivery.objects] == keys


BROKEN: dict[str, tuple[Callable[[Report], bytes], str]] = {
    "not JSON": (lambda report: b"<html>", "it is not JSON"),
    "lacks fields": (lambda report: b"{}", "no reportKeys"),
    "another month": (lambda report: manifest("hourly", NEW, [], NOVEMBER), "of 2026-10 and is of 2026-11"),
    "another report": (lambda report: manifest("daily", NEW, []), "of the report 'daily', not of 'hourly'"),
    "outside": (lambda report: manifest("hourly", NEW, [f"{report.location}-2/x.csv.gz"]), "outside of this location"),
    "absolute": (lambda report: manifest("hourly", NEW, ["/etc/passwd"]), "outside of this location"),
    "upwards": (lambda report: manifest("hourly", NEW, [f"{report.location}/../x.csv.gz"]), "leads out of the report"),
    "another month's file": (lambda report: manifest("hourly", NEW, [f"{report.folder(NOVEMBER)}f.gz"]), "of another month"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_manifest_that_cannot_be_used_fails_its_own_month_only(report: Report, fault: str) -> None:
    content, message = BROKEN[fault]
    report.deliver("good", NOVEMBER)
    report.deliver(OLD)
    report.place.put(report.folder() + report.manifest_name, content(report))
    october, november = report.discover()
    assert (october.status, october.billing_period, october.delivery) == (Status.FAILED, OCTOBER, None)
    assert message in october.reason
    assert report.store().describe(report.folder() + report.manifest_name) in october.reason
    assert delivered(november) == "good"


def test_a_file_far_too_large_to_be_a_manifest_is_not_read(folder_report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cost_lakehouse.storage.object_store.SMALL_OBJECT_BYTES", 10)
    folder_report.deliver(NEW)
    finding = folder_report.only_finding()
    assert finding.status is Status.FAILED
    assert "that is no manifest" in finding.reason


def test_nothing_delivered_yet_is_one_finding_for_the_source(report: Report) -> None:
    report.place.put(f"{report.location}/aws-programmatic-access-test-object", b"x")
    finding = report.only_finding()
    assert (finding.status, finding.billing_period) == (Status.WAITING, None)
    assert "AWS delivers the first report within 24 hours" in finding.reason


def test_where_nothing_is_delivered_the_reports_beside_are_named(place: Place) -> None:
    Report(place, name="hourly").deliver(NEW)
    place.put(f"{place.base}cur/daily/aws-programmatic-access-test-object", b"x")
    finding = Report(place, name="daily").only_finding()
    assert finding.status is Status.WAITING
    assert "Reports beside it: " in finding.reason
    assert "cur/hourly" in finding.reason


@pytest.mark.parametrize("wrong", ["cur", "deep", "cur/hourly/20261001-20261101", f"cur/hourly/20261001-20261101/{NEW}"])
def test_a_location_above_or_inside_a_report_is_an_error_that_names_the_report(place: Place, wrong: str) -> None:
    Report(place, prefix="deep/cur" if wrong == "deep" else "cur").deliver(NEW)
    with pytest.raises(SourceError, match=r"is not a report, but there are: .*cur/hourly") as caught:
        open_source(place.settings(), place.source(f"{place.base}{wrong}")).list_deliveries()
    assert "Set `location`" in caught.value.fix


def test_a_bucket_alone_is_no_location(s3_server: S3Server, tmp_path: Path) -> None:
    place = S3Place(s3_server, s3_server.make_bucket(), "", tmp_path)
    Report(place).deliver(NEW)
    with pytest.raises(
        SourceError, match=rf"s3://{place.bucket}/ names no report, but there are: s3://{place.bucket}/cur/hourly/"
    ):
        open_source(place.settings(), place.source("")).list_deliveries()


def test_a_data_export_is_told_from_a_legacy_report(report: Report) -> None:
    report.place.put(f"{report.location}/data/BILLING_PERIOD=2026-10/x.csv.gz", b"x")
    report.place.put(f"{report.location}/metadata/BILLING_PERIOD=2026-10/hourly-Manifest.json", b"{}")
    with pytest.raises(SourceError, match="is an AWS Data Export"):
        report.discover()


def _athena(report: Report, status: str | None, folder: str = "year=2026/month=10") -> list[str]:
    keys = [f"{report.location}/hourly/{folder}/hourly-{number:05d}.snappy.parquet" for number in (1, 2)]
    for key in keys:
        report.place.put(key, b"PAR1")
    content = manifest("hourly", NEW, keys, contentType="Parquet", compression="Parquet")
    report.place.put(report.folder() + report.manifest_name, content)
    if status is not None:
        buffer = io.BytesIO()
        pq.write_table(pa.table({"status": [status]}), buffer)
        report.place.put(f"{report.location}/hourly/cost_and_usage_data_status/s.parquet", buffer.getvalue())
    return keys


@pytest.mark.parametrize("status", [None, "READY"])
def test_parquet_of_the_athena_integration_is_found_below_the_reports_second_name(report: Report, status: str | None) -> None:
    keys = _athena(report, status)
    finding = report.only_finding()
    assert delivered(finding) == NEW
    assert isinstance(finding.delivery, Delivery)
    assert [stored_object.key for stored_object in finding.delivery.objects] == keys
    assert finding.delivery.file_format is FileFormat.PARQUET


def test_while_aws_updates_the_parquet_files_they_are_waited_for(report: Report) -> None:
    _athena(report, "UPDATING")
    finding = report.only_finding()
    assert finding.status is Status.WAITING
    assert "says UPDATING" in finding.reason


def test_a_status_that_cannot_be_read_fails_the_month(report: Report) -> None:
    _athena(report, None)
    report.place.put(f"{report.location}/hourly/cost_and_usage_data_status/s.parquet", b"PAR1")
    finding = report.only_finding()
    assert finding.status is Status.FAILED
    assert "s.parquet cannot be read" in finding.reason


@pytest.mark.parametrize("month_folder", ["month=10", "month=11"])
def test_a_manifest_in_the_athena_folder_counts_as_the_months_own(report: Report, month_folder: str) -> None:
    folder = f"{report.location}/hourly/year=2026/{month_folder}/"
    month = OCTOBER if month_folder == "month=10" else NOVEMBER
    report.place.put(f"{folder}hourly-1.snappy.parquet", b"PAR1")
    content = manifest("hourly", NEW, [f"{folder}hourly-1.snappy.parquet"], month, contentType="Parquet")
    report.place.put(folder + report.manifest_name, content)
    finding = report.only_finding()
    assert (finding.billing_period, delivered(finding)) == (month, NEW)


def test_old_deliveries_cost_no_reading(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        report.deliver(f"2026110{number}T000000Z", copy_only=True)
    report.deliver(NEW)
    read: list[str] = []
    for store in (LocalFolder, S3Store):
        monkeypatch.setattr(store, "read", _recording(store.read, read))
    # Where the folder's root is looked for, manifests have names relative to the location.
    assert delivered(report.only_finding()) == NEW
    assert {item.rpartition("20261001-20261101/")[2] for item in read} == {"hourly-Manifest.json"}


def _recording(read: Callable[..., bytes], keys: list[str]) -> Callable[..., bytes]:
    def recording(store: object, obj: StoredObject) -> bytes:
        keys.append(obj.key)
        return read(store, obj)

    return recording


def _found(report: Report) -> Finding:
    report.deliver(NEW, files=2)
    return report.only_finding()


def test_a_delivery_that_nobody_touched_is_unchanged(report: Report) -> None:
    delivery = _found(report).delivery
    assert isinstance(delivery, Delivery)
    assert report.opened().is_unchanged(delivery)


CHANGES: dict[str, Callable[[Report, list[str]], object]] = {
    "a new delivery": lambda report, keys: report.deliver("20261107T000000Z"),
    "the same id lists another file": lambda report, keys: report.deliver(NEW, files=3),
    "a file was replaced": lambda report, keys: report.place.put(keys[1], b"other content"),
    "a file is gone": lambda report, keys: report.place.delete(keys[1]),
    "the manifest is gone": lambda report, keys: report.place.delete(report.folder() + report.manifest_name),
    "the manifest is garbled": lambda report, keys: report.place.put(report.folder() + report.manifest_name, b"{"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_delivery_that_was_touched_while_it_was_read_is_noticed(report: Report, change: str) -> None:
    delivery = _found(report).delivery
    assert isinstance(delivery, Delivery)
    CHANGES[change](report, [stored_object.key for stored_object in delivery.objects])
    assert not report.opened().is_unchanged(delivery)


def test_the_same_manifest_written_again_is_the_same_delivery(report: Report) -> None:
    delivery = _found(report).delivery
    assert isinstance(delivery, Delivery)
    same = manifest("hourly", NEW, [stored_object.key for stored_object in delivery.objects], columns=[])
    report.place.put(report.folder() + report.manifest_name, same)
    assert report.opened().is_unchanged(delivery)
