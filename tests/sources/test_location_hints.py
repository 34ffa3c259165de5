"""A location without a bill is answered with what lies there and which location and kind to write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from cost_lakehouse.config import Settings
from cost_lakehouse.config.source import source_settings
from cost_lakehouse.errors import SourceError
from cost_lakehouse.sources.aws.cur import discover_report
from cost_lakehouse.sources.aws.data_export import discover_export
from cost_lakehouse.sources.aws.data_export_layout import ExportLocation
from cost_lakehouse.sources.delivery import Status
from cost_lakehouse.sources.location_hints import LocationHints
from cost_lakehouse.sources.registry import open_source
from cost_lakehouse.storage.object_store import Listing, StoredObject

CUR = "20261001-20261101/hourly-Manifest.json"
DATA = "data/BILLING_PERIOD=2026-10/costs-00001.snappy.parquet"
MANIFEST = "metadata/BILLING_PERIOD=2026-10/costs-Manifest.json"
ADVICE = "data/date=2026-10-05/hub-00001.snappy.parquet"
ORACLE = "reports/cost-csv/0001.csv.gz"


@dataclass
class Keys:
    """A bucket of empty objects: S3 allows keys that no folder can have. ``listings`` counts what it was asked."""

    keys: tuple[str, ...]
    listings: list[str] = field(default_factory=list)

    def describe(self, key: str) -> str:
        return f"s3://b/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        return (stored(key) for key in self.keys if key.startswith(prefix))

    def list_folder(self, folder: str) -> Listing:
        self.listings.append(folder)
        below = [key.removeprefix(folder) for key in self.keys if key.startswith(folder)]
        folders = dict.fromkeys(f"{folder}{key.split('/')[0]}/" for key in below if "/" in key)
        return Listing(tuple(stored(f"{folder}{key}") for key in below if "/" not in key), tuple(folders))

    def head(self, key: str) -> StoredObject | None:
        return stored(key) if key in self.keys else None

    def open(self, obj: StoredObject) -> BinaryIO:
        raise AssertionError(f"{obj.key} was opened")

    def read(self, obj: StoredObject) -> bytes:
        raise AssertionError(f"{obj.key} was read")


def stored(key: str) -> StoredObject:
    return StoredObject(key, "e", 1, datetime(2026, 10, 6, tzinfo=UTC))


def answer(kind: str, location: str, *keys: str) -> tuple[str, str]:
    """Problem and fix of a source at ``s3://b/{location}``; of one that waits, its reason and nothing."""
    store = Keys(keys)
    try:
        if kind == "aws_cur":
            (finding,) = discover_report(store, location, "acme")
        else:
            (finding,) = discover_export(store, ExportLocation(location, "b"), "acme", kind=kind)
    except SourceError as error:
        return error.problem, error.fix
    assert finding.status is Status.WAITING
    return finding.reason, ""


@pytest.mark.parametrize(
    ("kind", "location", "keys", "place", "fix"),
    [
        ("aws_cur", "cur", [f"cur/hourly/{CUR}"], "s3://b/cur/hourly/ (a legacy", "Set `location` to s3://b/cur/hourly."),
        ("aws_cur", "a", [f"a/b/c/{CUR}"], "s3://b/a/b/c/", "Set `location` to s3://b/a/b/c."),
        ("aws_cur", "a", [f"a/b/c/d/{CUR}"], "s3://b/a/ ", ""),
        ("aws_cur", "", [f"hourly/{CUR}"], "s3://b/hourly/", "Set `location` to s3://b/hourly."),
        ("aws_cur", "cur/hourly/20261001-20261101", [f"cur/hourly/{CUR}"], "s3://b/cur/hourly/", "to s3://b/cur/hourly."),
        ("aws_cur", "cur/hourly", [f"cur//hourly/{CUR}"], "s3://b/cur//hourly/", "Set `location` to s3://b/cur//hourly."),
        ("aws_cur", "cur/hourly", [f"/cur/hourly/{CUR}"], "s3://b//cur/hourly/", "Set `location` to s3://b//cur/hourly."),
        ("aws_cur", "hourly", [f"/hourly/{CUR}"], "s3://b//hourly/", "Set `location` to s3://b//hourly."),
        ("aws_cur", "cur//hourly", [f"cur/hourly/{CUR}"], "s3://b/cur/hourly/", "Set `location` to s3://b/cur/hourly."),
        ("aws_cur", "x", [f"x/{DATA}", f"x/{MANIFEST}"], "s3://b/x/ is an AWS Data Export", "`kind: aws_data_export`"),
        ("aws_cur", "x", [f"x/costs/{DATA}", f"x/costs/{MANIFEST}"], "s3://b/x/costs/", "to s3://b/x/costs and `kind: aws_"),
        ("aws_cur", "x", [f"x/{ORACLE}"], "reports of Oracle Cloud", "Set `kind: oci_cost_reports`."),
        ("aws_data_export", "x", [f"x/{CUR}"], "s3://b/x/ is a legacy Cost and Usage Report", "Set `kind: aws_cur`."),
        ("aws_data_export", "a", [f"a/b/c/{DATA}", f"a/b/c/{MANIFEST}"], "s3://b/a/b/c/", "to s3://b/a/b/c."),
        ("aws_data_export", "x/data", [f"x/{DATA}", f"x/{MANIFEST}"], "s3://b/x/ (an AWS", "Set `location` to s3://b/x."),
        ("focus", "x", [f"x//y/{DATA}", f"x//y/{MANIFEST}"], "s3://b/x//y/", "Set `location` to s3://b/x//y."),
        ("aws_data_export", "x", [f"x/{ADVICE}"], "Cost Optimization Hub), which is no bill", "Create an export of CUR 2.0"),
        ("aws_data_export", "x", [f"x/hub/{ADVICE}"], "Cost Optimization Hub), which is no bill", "Create an export of CUR"),
    ],
    ids=range(18),
)
def test_a_wrong_location_is_answered_with_the_right_one(
    kind: str, location: str, keys: list[str], place: str, fix: str
) -> None:
    problem, told = answer(kind, location, *keys)
    assert place in problem
    assert fix in told


def test_several_reports_are_all_named() -> None:
    problem, fix = answer("aws_cur", "cur", f"cur/a/{CUR}", f"cur/b/{CUR}", f"cur/b-data/{DATA}", f"cur/b-data/{MANIFEST}")
    assert "s3://b/cur/a/ (a legacy" in problem
    assert "s3://b/cur/b/ (a legacy" in problem
    assert "s3://b/cur/b-data/ (an AWS Data Export)" in problem
    assert "one source a report" in fix


@pytest.mark.parametrize("kind", ["aws_data_export", "focus"])
def test_an_export_without_its_metadata_is_told_from_one_that_is_being_written(kind: str) -> None:
    reason, _ = answer(kind, "x/costs", f"x/costs/{DATA}")
    assert "There is no metadata/ beside s3://b/x/costs/data/: only the data was replicated or copied" in reason
    assert "Replicate s3://b/x/costs/metadata/ too" in reason
    reason, _ = answer(kind, "x/costs", f"x/costs/{DATA}", "x/costs/metadata/BILLING_PERIOD=2026-10/other.txt")
    assert "There is no manifest yet under s3://b/x/costs/metadata/BILLING_PERIOD=2026-" in reason


@pytest.mark.parametrize(
    ("kind", "keys", "says"),
    [
        ("aws_cur", [], "AWS delivers the first report within 24 hours"),
        ("aws_cur", ["x/aws-programmatic-access-test-object"], "AWS delivers the first report within 24 hours"),
        ("aws_cur", ["x/bill.csv", "x/old/bill.csv"], "it holds: old/, bill.csv."),
        ("aws_data_export", [], "AWS delivers the first export within 24 hours"),
        ("aws_data_export", [f"x/{number}.csv" for number in range(8)], "0.csv, 1.csv, 2.csv, 3.csv, 4.csv and 3 more."),
    ],
    ids=["nothing", "test-object", "files", "no-export", "many"],
)
def test_where_nothing_is_found_what_lies_there_is_named(kind: str, keys: list[str], says: str) -> None:
    assert says in answer(kind, "x", *keys)[0]


def test_a_bucket_of_many_folders_is_not_searched_without_end() -> None:
    store = Keys(tuple(f"x/{a}/{b}/file" for a in range(30) for b in range(30)))
    assert LocationHints(store, "x/").find() == []
    assert len(store.listings) <= 60


@pytest.mark.parametrize(
    ("kind", "location", "files", "place", "fix"),
    [
        ("oci_cost_reports", "mirror", [f"mirror/acme/{ORACLE}"], "mirror/acme (reports of Oracle Cloud)", "mirror/acme."),
        ("oci_cost_reports", "m/reports/cost-csv", [f"m/{ORACLE}"], "m/reports (reports of Oracle Cloud)", "m/reports."),
        ("oci_cost_reports", "x", [f"x/{CUR}"], "x is a legacy Cost and Usage Report", "Set `kind: aws_cur`."),
        ("focus", "x", [f"x/costs/{DATA}", f"x/costs/{MANIFEST}"], "", ""),
    ],
    ids=["above", "inside", "legacy", "trap"],
)
def test_folders_are_answered_alike(tmp_path: Path, kind: str, location: str, files: list[str], place: str, fix: str) -> None:
    for candidate in files:
        (tmp_path / candidate).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / candidate).write_bytes(b"")
    source = source_settings({"name": "acme", "kind": kind, "location": location})
    settings = Settings(base=tmp_path, file=tmp_path / "lakehouse.yaml")
    with pytest.raises(SourceError) as told:
        open_source(settings, source).list_deliveries()
    assert place in told.value.problem
    assert fix in told.value.fix


def test_a_location_that_is_a_file_is_answered_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "bill.csv").write_bytes(b"")
    source = source_settings({"name": "acme", "kind": "aws_cur", "location": "bill.csv"})
    with pytest.raises(SourceError, match=r"bill.csv is a file; a source's location is a folder") as told:
        open_source(Settings(base=tmp_path, file=tmp_path / "lakehouse.yaml"), source).list_deliveries(date(2026, 10, 1))
    assert f"Set `location` to {tmp_path}" in told.value.fix
