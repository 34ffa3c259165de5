"""Iceberg's files on the real S3 server: read in few requests, written whole or not at all, never over another's."""

from __future__ import annotations

import copy
import pickle
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import parquet_file_to_data_file

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.registered_io import IO_PROPERTIES, register_io
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from cost_lakehouse.lake.store_io import BLOCK, StoreIO
from tests.lake.stores import store_of
from tests.services.s3 import S3Server


@pytest.fixture
def files(s3_server: S3Server) -> StoreIO:
    return StoreIO(store_of(s3_server))


@pytest.fixture
def place(s3_shared_bucket: str) -> str:
    """Where nothing is yet; the key holds what URLs would spell otherwise."""
    return f"s3://{s3_shared_bucket}/{uuid.uuid4().hex}/source=a b%20c/file"


def requests_of(files: StoreIO) -> list[str]:
    """Every request from now on, by its operation."""
    seen: list[str] = []
    files.client.meta.events.register("before-call.s3", lambda model, **kwargs: seen.append(model.name))
    return seen


def write(files: StoreIO, place: str, content: bytes, overwrite: bool = False) -> None:
    with files.new_output(place).create(overwrite) as stream:
        stream.write(content)


@pytest.mark.parametrize("size", [0, 1, 1000, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_what_is_written_is_read_back_in_one_request(files: StoreIO, place: str, size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    write(files, place, content)
    seen = requests_of(files)
    file = files.new_input(place)
    with file.open() as stream:
        assert stream.read() == content
    assert len(file) == size
    assert seen == ["GetObject"]


def test_reading_here_and_there_gives_what_is_there(files: StoreIO, place: str) -> None:
    content = bytes(range(251)) * 5000
    write(files, place, content)
    with files.new_input(place).open() as stream:
        for offset, size in ((0, 3), (BLOCK - 1, 5), (700_000, BLOCK + 7), (len(content) - 2, 10), (10, 0), (len(content), 1)):
            assert stream.seek(offset) == offset
            assert stream.read(size) == content[offset : offset + size]
        assert stream.seek(-4, 2) == len(content) - 4
        assert stream.read(2) == content[-4:-2]
        assert stream.seek(1, 1) == len(content) - 1
        assert stream.read(-1) == content[-1:]
        assert stream.read(-1) == b""


def test_an_existing_file_is_only_replaced_on_request(files: StoreIO, place: str) -> None:
    output = files.new_output(place)
    assert not output.exists()
    write(files, place, b"one")
    assert output.exists()
    with pytest.raises(FileExistsError):
        write(files, place, b"two!")
    assert output.to_input_file().open().read(10) == b"one"
    write(files, place, b"two!", overwrite=True)
    assert len(output) == 4


def test_a_file_whose_writing_failed_never_appears(files: StoreIO, place: str) -> None:
    def fail() -> None:
        with files.new_output(place).create() as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    abandoned = files.new_output(place).create()
    abandoned.write(b"half")
    del abandoned
    assert not files.new_output(place).exists()


def test_a_missing_file_is_missing(files: StoreIO, place: str) -> None:
    file = files.new_input(place)
    assert not file.exists()
    with pytest.raises(FileNotFoundError), file.open() as stream:
        stream.read(10)
    with pytest.raises(FileNotFoundError):
        len(file)
    files.delete(place)


def test_a_deleted_file_is_gone(files: StoreIO, place: str) -> None:
    write(files, place, b"one")
    files.delete(files.new_input(place))
    assert not files.new_input(place).exists()


def test_copies_read_with_a_client_of_their_own(files: StoreIO, place: str) -> None:
    write(files, place, b"one")
    for other in (copy.deepcopy(files), pickle.loads(pickle.dumps(files))):  # noqa: S301 - our own
        assert other.new_input(place).open().read(10) == b"one"


def test_a_refused_key_is_told_without_it(s3_server: S3Server, place: str) -> None:
    files = StoreIO(store_of(s3_server, secret_key="planted-secret"))
    with pytest.raises(LakeError, match="secret") as told:
        files.new_input(place).open().read(1)
    assert "planted-secret" not in str(told.value)


def test_a_table_of_iceberg_lives_on_it(files: StoreIO, s3_shared_bucket: str, tmp_path: Path) -> None:
    root = f"s3://{s3_shared_bucket}/{uuid.uuid4().hex}"
    warehouse = S3Warehouse(root, files.store)
    files = cast(StoreIO, warehouse.file_io)
    properties = IO_PROPERTIES | register_io(warehouse)
    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path / 'catalog.db'}", warehouse=root, **properties)
    catalog.create_namespace("raw")
    rows = pa.table({"source": ["a", "b"], "cost": [1, 2]})
    table = catalog.create_table("raw.t", rows.schema, location=f"{root}/raw/t")
    with table.transaction() as transaction:
        transaction.set_properties({"schema.name-mapping.default": table.schema().name_mapping.model_dump_json()})
    pq.write_table(rows, tmp_path / "a.parquet", store_schema=False)
    place = f"{root}/raw/t/data/a.parquet"
    write(files, place, (tmp_path / "a.parquet").read_bytes())

    seen = requests_of(files)
    with table.transaction() as transaction, transaction.update_snapshot().fast_append() as snapshot:
        snapshot.append_data_file(parquet_file_to_data_file(table.io, table.metadata, place))
    # One look into the data file, one at the table as it is now; manifest, manifest list and metadata are written.
    assert sorted(seen) == ["GetObject"] * 2 + ["PutObject"] * 3

    seen.clear()
    table = catalog.load_table("raw.t")
    (task,) = table.scan().plan_files()
    assert (task.file.file_path, task.file.record_count) == (place, 2)
    assert seen.count("GetObject") <= 3
    assert table.scan().to_arrow().to_pydict() == rows.to_pydict()


class _OnlyBelowThePrefix(BaseHTTPRequestHandler):
    """AWS to those who may list a prefix alone: what is not there is forbidden, and the list of it is empty."""

    def do_GET(self) -> None:
        is_list = "list-type=2" in self.path
        body = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>" if is_list else b""
        self.send_response(200 if is_list else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name is the base class's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on the terminal."""


def test_a_missing_file_is_told_from_a_forbidden_one(s3_server: S3Server) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _OnlyBelowThePrefix) as aws:
        threading.Thread(target=aws.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        files = StoreIO(store_of(s3_server, endpoint=f"http://127.0.0.1:{aws.server_address[1]}", max_retries=1))
        assert not files.new_input("s3://b/p/absent").exists()
        with pytest.raises(FileNotFoundError):
            files.new_input("s3://b/p/absent").open().read(1)
        aws.shutdown()
