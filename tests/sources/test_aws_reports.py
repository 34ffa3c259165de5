"""Reports of an account are found by asking AWS's billing APIs, and reports in a bucket by its manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.sources.aws.reports import FoundReport, described_reports
from cost_lakehouse.sources.aws.reports_listed import listed_reports
from cost_lakehouse.storage.local_folder import LocalFolder
from tests.services.billing import VARIABLES, BillingServer
from tests.services.ports import free_ports
from tests.sources.exports import Export
from tests.sources.places import NOVEMBER, OCTOBER, FolderPlace, Report

ACCESS = AwsAccess.model_validate({"access_key": "AKIAOWN", "secret_key": "s3cret", "endpoint": "https://minio.example.com"})


@pytest.fixture
def billing(monkeypatch: pytest.MonkeyPatch) -> Iterator[BillingServer]:
    with BillingServer() as server:
        for name in VARIABLES:
            monkeypatch.setenv(name, server.endpoint)
        yield server


def test_every_report_and_export_of_costs_is_told_over_all_pages(billing: BillingServer) -> None:
    account = billing.account
    for number in range(3):
        account.add_report("b1", "cur", f"hourly-{number}")
    account.add_report("b2", "", "no-prefix", ReportStatus={"lastStatus": "ERROR_PERMISSIONS"})
    account.add_export("b3", "exports/", "costs", 'SELECT "a", b FROM COST_AND_USAGE_REPORT')
    account.add_export(
        "b3", "/exports", "focus", "select * from FOCUS_1_2_AWS", {"StatusCode": "UNHEALTHY", "StatusReason": "X"}
    )
    account.add_export("b3", "exports", "carbon", "SELECT a FROM CARBON_EMISSIONS")
    found, errors = described_reports(ACCESS)
    assert errors == []
    told = "DescribeReportDefinitions"
    assert found == [
        *(FoundReport("aws_cur", f"s3://b1/cur/hourly-{number}", f"hourly-{number}", told, "eu-west-1") for number in range(3)),
        FoundReport(
            "aws_cur", "s3://b2/no-prefix", "no-prefix", told, "eu-west-1", "AWS says of its last delivery: ERROR_PERMISSIONS"
        ),
        FoundReport("aws_data_export", "s3://b3/exports/costs", "costs", "ListExports", "eu-west-1"),
        FoundReport("focus", "s3://b3/exports/focus", "focus", "ListExports", "eu-west-1", "AWS says that it is unhealthy: X"),
    ]
    assert {item.split()[0] for item in billing.asked} == {"us-east-1"}


def test_china_has_a_region_of_its_own(billing: BillingServer) -> None:
    described_reports(ACCESS.model_copy(update={"region": "cn-north-1"}))
    assert {item.split()[0] for item in billing.asked} == {"cn-northwest-1"}


def test_what_one_api_refuses_the_other_may_tell(billing: BillingServer) -> None:
    billing.account.refuses = {"ListExports"}
    billing.account.add_report("b", "cur", "hourly")
    found, (error,) = described_reports(ACCESS)
    assert [entry.location for entry in found] == ["s3://b/cur/hourly"]
    assert error.problem.startswith("AWS does not let these credentials ask bcm-data-exports:ListExports and GetExport.")
    assert error.problem.endswith("not authorized to perform: ListExports.")
    assert "policy aws --reports" in error.fix
    assert "s3cret" not in f"{error}"


def test_an_api_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_ports(1)[0]}")
    found, errors = described_reports(ACCESS)
    assert found == []
    assert all("cannot be reached" in error.problem for error in errors)
    assert len(errors) == 2


@pytest.mark.parametrize(
    ("bucket", "prefix", "lies"),
    [
        ("b", "", True),
        ("b", "cur", True),
        ("b", "/cur/", True),
        ("b", "cu", False),
        ("other", "", False),
        ("b", "cur/x", False),
    ],
)
def test_a_report_lies_in_its_bucket_and_below_whole_names(bucket: str, prefix: str, lies: bool) -> None:
    assert FoundReport("aws_cur", "s3://b/cur/hourly", "hourly", "").lies_in(bucket, prefix) is lies


@pytest.fixture
def bucket(tmp_path: Path) -> LocalFolder:
    """A bucket with a legacy report, an export of CUR 2.0, one of FOCUS, and what is no report."""
    place = FolderPlace(tmp_path)
    legacy = Report(place, prefix="a/cur", name="hourly")
    legacy.deliver("assembly", OCTOBER)
    place.put("a/cur/hourly/20261101-20261201/nothing-yet.txt", b"")
    Export(place, prefix="exports", name="costs").create_new("e1", NOVEMBER)
    focus = Export(place, prefix="exports", name="focus")
    folder = focus.folder("metadata", OCTOBER)
    columns = [{"name": "BilledCost", "type": "double"}]
    place.put(folder + focus.manifest_name, focus.manifest("e", [], columns=columns))
    place.put("exports/focus/data/x", b"")
    place.put("no-manifest/hourly/20261001-20261101/hourly-00001.csv.gz", b"")
    place.put("other/data/x", b"")
    place.put("other/metadata/x", b"")
    return LocalFolder(tmp_path)


def test_reports_in_a_bucket_are_told_by_their_manifests(bucket: LocalFolder, tmp_path: Path) -> None:
    listed = listed_reports(bucket, "")
    assert listed.is_whole
    assert [(report.kind, report.location, report.name) for report in listed.reports] == [
        ("aws_data_export", f"{tmp_path}/exports/costs", "costs"),
        ("focus", f"{tmp_path}/exports/focus", "focus"),
        ("aws_cur", f"{tmp_path}/a/cur/hourly", "hourly"),
    ]


def test_a_prefix_narrows_the_look_and_may_be_the_report_itself(bucket: LocalFolder) -> None:
    assert [report.name for report in listed_reports(bucket, "exports").reports] == ["costs", "focus"]
    assert [report.name for report in listed_reports(bucket, "a/cur/hourly").reports] == ["hourly"]


def test_a_bucket_of_many_folders_is_not_listed_without_end(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"logs/{number}").mkdir(parents=True)
        (tmp_path / f"logs/{number}/x").write_text(json.dumps(number))
    listed = listed_reports(LocalFolder(tmp_path), "", listings=10)
    assert (listed.reports, listed.is_whole) == ((), False)
