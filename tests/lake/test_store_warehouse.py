"""A warehouse on the real S3 server: files arrive whole and proven, are listed, removed, and read by DuckDB."""

from __future__ import annotations

import errno
import subprocess
import sys
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cost_lakehouse.config.store import SMALLEST_PART
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from tests.lake.stores import store_of
from tests.services.s3 import S3Server

SLICE = "raw/aws_cur/data/source=acme/billing_period=2026-10-01"


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def warehouse(s3_server: S3Server, s3_shared_bucket: str) -> S3Warehouse:
    return S3Warehouse(f"s3://{s3_shared_bucket}/{uuid.uuid4().hex}", store_of(s3_server))


def keep(warehouse: S3Warehouse, content: bytes, name: str = "a.parquet", folder: str = SLICE) -> str:
    with warehouse.writing(folder, "load-1") as written:
        (written / name).write_bytes(content)
        (location,) = warehouse.keep([written / name], folder)
    return location


def test_files_are_where_they_were_kept_and_nothing_stays_on_this_machine(
    warehouse: S3Warehouse, s3_server: S3Server, tmp_path: Path
) -> None:
    location = keep(warehouse, b"content")
    assert location == f"{warehouse.location}/{SLICE}/a.parquet"
    key = location.removeprefix(f"s3://{warehouse.bucket}/")
    assert s3_server.client().get_object(Bucket=warehouse.bucket, Key=key)["Body"].read() == b"content"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"] == []


def test_what_is_kept_is_listed_with_size_and_time(warehouse: S3Warehouse) -> None:
    locations = [keep(warehouse, b"12345", name) for name in ("b.parquet", "a.parquet")]
    keep(warehouse, b"elsewhere", folder=SLICE + "0")
    found = warehouse.list(SLICE)
    assert [entry.location for entry in found] == sorted(locations)
    assert {entry.size for entry in found} == {5}
    assert all(abs(datetime.now(UTC) - entry.modified) < timedelta(minutes=5) for entry in found)
    assert warehouse.list("raw/nothing") == []
    assert len(warehouse.list("")) == 3


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_more_objects_than_fit_a_page_are_listed_and_deleted(s3_server: S3Server, s3_bucket: str, version: str) -> None:
    warehouse = S3Warehouse(f"s3://{s3_bucket}", store_of(s3_server, list_objects_version=version))
    with warehouse.writing("many", "load-1") as folder:
        files = [folder / f"{number:04d}" for number in range(1100)]
        for file in files:
            file.touch()
        locations = warehouse.keep(files, "many")
    assert [entry.location for entry in warehouse.list("many")] == locations
    warehouse.delete([*locations, f"s3://{s3_bucket}/many/absent"])
    assert warehouse.list("") == []


def test_nothing_outside_of_the_warehouse_is_deleted(warehouse: S3Warehouse) -> None:
    with pytest.raises(LakeError, match="is not in the warehouse"):
        warehouse.delete([f"s3://{warehouse.bucket}/elsewhere/a"])


def test_a_large_file_arrives_in_parts(s3_server: S3Server, s3_shared_bucket: str) -> None:
    warehouse = S3Warehouse(f"s3://{s3_shared_bucket}/{uuid.uuid4().hex}", store_of(s3_server, part_size=SMALLEST_PART))
    content = bytes(range(256)) * (SMALLEST_PART // 100)
    location = keep(warehouse, content)
    key = location.removeprefix(f"s3://{warehouse.bucket}/")
    answer = s3_server.client().get_object(Bucket=warehouse.bucket, Key=key)
    assert answer["ETag"].strip('"').endswith("-3")
    assert answer["Body"].read() == content


def test_a_store_that_cannot_be_reached_is_named_with_a_fix(s3_server: S3Server) -> None:
    warehouse = S3Warehouse("s3://b/p", store_of(s3_server, endpoint="http://127.0.0.1:1", max_retries=1))
    with pytest.raises(LakeError, match=r"http://127\.0\.0\.1:1 cannot be reached"):
        keep(warehouse, b"content")


def test_a_bucket_that_is_not_there_is_named(s3_server: S3Server) -> None:
    with pytest.raises(LakeError, match="There is no bucket absent-bucket"):
        keep(S3Warehouse("s3://absent-bucket/p", store_of(s3_server)), b"content")


def test_a_full_disk_is_told_with_the_folder(warehouse: S3Warehouse, tmp_path: Path) -> None:
    def fill() -> None:
        with warehouse.writing(SLICE, "load-1"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LakeError, match=f"no space left in {tmp_path}"):
        fill()


KILLED = """
import os, pathlib, sys, tempfile
tempfile.tempdir = sys.argv[1]
from cost_lakehouse.lake.staging import staging_folder
with staging_folder("load-killed") as folder:
    (folder / "half.parquet").write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_load_left_is_removed_and_what_a_living_one_writes_stays(warehouse: S3Warehouse, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert [path.name for path in tmp_path.rglob("*.parquet")] == ["half.parquet"]
    with warehouse.writing(SLICE, "load-1") as living:
        (living / "whole.parquet").touch()
        with warehouse.writing(SLICE, "load-2"):
            assert [path.name for path in tmp_path.rglob("*.parquet")] == ["whole.parquet"]


def test_duckdb_reads_slices_by_their_partitions(warehouse: S3Warehouse) -> None:
    locations = []
    for month in ("2026-09-01", "2026-10-01"):
        folder = f"raw/aws_cur/data/source=it's acme/billing_period={month}"
        with warehouse.writing(folder, "load-1") as written:
            pq.write_table(pa.table({"cost": [1, 2]}), written / "a.parquet")
            locations += warehouse.keep([written / "a.parquet"], folder)
    listed = ", ".join("'" + location.replace("'", "''") + "'" for location in locations)
    with duckdb.connect(":memory:") as connection:
        warehouse.let_duckdb_read(connection)
        rows = connection.execute(
            f"select source, billing_period, sum(cost)::int from read_parquet([{listed}], hive_partitioning = true, "
            "hive_types = {'source': varchar, 'billing_period': date}) where billing_period = date '2026-10-01' group by all"
        ).fetchall()
    assert [(source, str(month), cost) for source, month, cost in rows] == [("it's acme", "2026-10-01", 3)]
