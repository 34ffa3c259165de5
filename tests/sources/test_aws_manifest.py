"""What a manifest says, in every spelling that AWS has used."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cost_lakehouse.sources.aws.manifest import ManifestError, parse_manifest
from cost_lakehouse.sources.delivery import FileFormat
from tests.sources.places import manifest

KEY = "cur/hourly/20261001-20261101/20261106T053621Z/hourly-00001.csv.gz"


def parsed_format(*keys: str, content_type: str | None = None, compression: str | None = None) -> FileFormat:
    return parse_manifest(manifest("hourly", "a", keys, contentType=content_type, compression=compression)).file_format


def test_a_manifest_as_aws_writes_it_is_read() -> None:
    parsed = parse_manifest(manifest("hourly", "20261106T053621Z", [KEY]))
    assert parsed.assembly_id == "20261106T053621Z"
    assert parsed.report_name == "hourly"
    assert parsed.billing_period == date(2026, 10, 1)
    assert parsed.keys == (KEY,)
    assert parsed.file_format is FileFormat.CSV


@pytest.mark.parametrize(
    "start",
    [
        "20180501T000000.000Z",
        "2018-05-01T00:00:00.000Z",
        "2018-05-01T00:00:00Z",
        "2018-05-01T00:00:00+00:00",
        "2018-05-01 00:00:00",
        "2018-05-01",
        "20180501",
    ],
)
def test_the_billing_period_is_read_in_compact_and_iso_form(start: str) -> None:
    content = manifest("hourly", "a", [KEY], billingPeriod={"start": start})
    assert parse_manifest(content).billing_period == date(2018, 5, 1)


@pytest.mark.parametrize("start", ["2018-05-02", "2018-13-01", "May 2018", "", None, 20180501])
def test_a_billing_period_that_is_no_first_of_a_month_is_an_error(start: object) -> None:
    with pytest.raises(ManifestError, match=r"billingPeriod\.start"):
        parse_manifest(manifest("hourly", "a", [KEY], billingPeriod={"start": start}))


def test_unknown_fields_and_a_byte_order_mark_are_no_error() -> None:
    content = b"\xef\xbb\xbf" + manifest("hourly", "a", [KEY], somethingNew={"deep": [1]}, columns=None, bucket=None)
    assert parse_manifest(content).assembly_id == "a"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"assemblyId": None}, "no assemblyId"),
        ({"assemblyId": ""}, "no assemblyId"),
        ({"assemblyId": 7}, "assemblyId is no text"),
        ({"billingPeriod": None}, "no billingPeriod"),
        ({"billingPeriod": {}}, r"no billingPeriod\.start"),
        ({"reportKeys": None}, "no reportKeys"),
        ({"reportKeys": "a.csv.gz"}, "no reportKeys"),
        ({"reportKeys": [1]}, "no file"),
        ({"reportKeys": [""]}, "no file"),
        ({"reportKeys": ["cur/hourly/"]}, "no file"),
        ({"reportKeys": ["cur/hourly/../../../etc/passwd"]}, "leads out"),
        ({"reportKeys": ["cur\\..\\..\\x.csv.gz"]}, "leads out"),
        ({"reportKeys": ["cur/hourly/x\0.csv.gz"]}, "leads out"),
    ],
)
def test_a_manifest_that_lacks_or_garbles_a_field_is_an_error_that_names_it(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        parse_manifest(manifest("hourly", "a", [KEY], **changes))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"[" * 100_000, b'{"assemblyId": ' + b"9" * 5000 + b"}"]
)
def test_content_that_is_no_json_object_is_an_error(content: bytes) -> None:
    with pytest.raises(ManifestError):
        parse_manifest(content)


def test_a_key_that_is_listed_twice_is_one_file() -> None:
    assert parse_manifest(manifest("hourly", "a", [KEY, KEY + "2", KEY])).keys == (KEY, KEY + "2")


@pytest.mark.parametrize(
    "name", ["r-1.csv.gz", "r-00001.csv.gz", "r.csv.gz", "r-1.csv.zip", "r-1.zip", "r.csv", "R-00001.CSV.GZ"]
)
def test_csv_is_told_by_the_files_names_where_the_manifest_is_silent(name: str) -> None:
    assert parsed_format(name) is FileFormat.CSV


@pytest.mark.parametrize("name", ["r-00001.snappy.parquet", "r-1.parquet", "r.PARQUET"])
def test_parquet_is_told_by_the_files_names_where_the_manifest_is_silent(name: str) -> None:
    assert parsed_format(name) is FileFormat.PARQUET


def test_the_content_type_comes_before_the_names() -> None:
    assert parsed_format("r-00001", content_type="text/csv", compression="ZIP") is FileFormat.CSV
    assert parsed_format("r-00001", content_type="Parquet", compression="Parquet") is FileFormat.PARQUET


def test_a_format_that_nothing_tells_is_an_error() -> None:
    with pytest.raises(ManifestError, match="CSV from Parquet"):
        parsed_format("r-00001.parquet", "r-00002.csv.gz")
