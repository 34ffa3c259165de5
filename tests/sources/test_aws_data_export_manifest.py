"""Manifests of Data Exports in every dialect that readers of real ones tell of, and what is refused in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cost_lakehouse.sources.aws.data_export_manifest import ListedFile, parse_export_manifest
from cost_lakehouse.sources.aws.manifest import ManifestError
from cost_lakehouse.sources.delivery import FileFormat

KEY = "exports/costs/data/BILLING_PERIOD=2026-10/costs-00001.snappy.parquet"


def content(**fields: Any) -> bytes:
    return json.dumps({"executionId": "E1", "dataFiles": [f"s3://acme/{KEY}"], **fields}).encode()


@pytest.mark.parametrize(
    ("entry", "bucket"),
    [
        (f"s3://acme/{KEY}", "acme"),
        (f"S3A://acme/{KEY}", "acme"),
        (KEY, None),
        ({"path": f"s3://acme/{KEY}", "size": 7}, "acme"),
        ({"key": KEY}, None),
    ],
)
def test_a_file_is_an_address_a_key_or_an_object(entry: object, bucket: str | None) -> None:
    assert parse_export_manifest(content(dataFiles=[entry, entry])).files == (ListedFile(bucket, KEY),)


def test_the_legacy_dialect_and_unknown_fields_are_taken() -> None:
    parsed = parse_export_manifest(
        content(dataFiles=None, executionId="", reportKeys=[KEY], assemblyId="A1", columns=7, billingPeriod="x", new={"a": 1})
    )
    assert (parsed.execution_id, parsed.files) == ("A1", (ListedFile(None, KEY),))


def test_an_execution_id_goes_before_an_assembly_id_and_neither_has_to_be_there() -> None:
    assert parse_export_manifest(content(assemblyId="A1")).execution_id == "E1"
    assert parse_export_manifest(content(executionId=None)).execution_id == ""


@pytest.mark.parametrize(
    ("names", "fields", "expected"),
    [
        (["a.snappy.parquet", "b.parquet"], {"compression": "GZIP"}, FileFormat.PARQUET),
        (["a.csv.gz"], {"format": "PARQUET"}, FileFormat.CSV),
        (["a.csv.gz", "b.parquet"], {}, FileFormat.CSV),
        (["a"], {"format": "PARQUET"}, FileFormat.PARQUET),
        (["a"], {"format": "TEXT_OR_CSV"}, FileFormat.CSV),
        ([], {}, FileFormat.CSV),
    ],
)
def test_names_tell_csv_from_parquet_before_fields_do(names: list[str], fields: dict[str, str], expected: FileFormat) -> None:
    assert parse_export_manifest(content(dataFiles=names, **fields)).file_format is expected


@pytest.mark.parametrize(
    ("damaged", "problem"),
    [
        (b"\xff", "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"{}", "it has no dataFiles and no reportKeys"),
        (content(dataFiles="s3://acme/x"), "its dataFiles is no list"),
        (content(dataFiles=[7]), "its dataFiles hold 7, which is no file"),
        (content(dataFiles=[{"size": 7}]), "which is no file"),
        (content(dataFiles=["exports/costs/"]), "which is no file"),
        (content(dataFiles=["exports/../../etc/passwd"]), "leads out of the export"),
        (content(dataFiles=["https://example.com/x.parquet"]), "leads out of the export"),
        (content(executionId=7), "its executionId is no text"),
        (content(dataFiles=["x"]), "tell CSV from Parquet"),
    ],
)
def test_what_cannot_be_understood_is_said(damaged: bytes, problem: str) -> None:
    with pytest.raises(ManifestError, match=problem):
        parse_export_manifest(damaged)
