"""Who may reach and read the store: certificates, keys of one's own, roles; and what the trace tells of it."""

from __future__ import annotations

import json
import logging
import ssl
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from cost_lakehouse.config.store import SMALLEST_PART
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from tests.lake.stores import FOLDER, Make, content_of_three_parts, keep, store_of, write_metadata
from tests.services.certificates import make_tls
from tests.services.recording_proxy import RecordingProxy
from tests.services.s3 import S3Server

pytestmark = pytest.mark.usefixtures("own_temporary_folder")


def test_a_certificate_must_be_trusted_unless_said_otherwise(
    s3_server: S3Server, s3_shared_bucket: str, secure_proxy: RecordingProxy, tls: tuple[ssl.SSLContext, Path]
) -> None:
    def made(**options: Any) -> S3Warehouse:
        store = store_of(s3_server, endpoint=secure_proxy.endpoint, max_retries=1, **options)
        return S3Warehouse(f"s3://{s3_shared_bucket}/{uuid.uuid4().hex}", store)

    with pytest.raises(LakeError, match="its certificate is not trusted"):
        keep(made())
    with duckdb.connect(":memory:") as connection:
        made().let_duckdb_read(connection)
        with pytest.raises(duckdb.Error, match="SSL"):
            connection.execute(f"from read_parquet('s3://{s3_shared_bucket}/a.parquet')")
    for options in ({"ca_file": str(tls[1])}, {"insecure_skip_verify": True}):
        warehouse = made(**options)
        with warehouse.writing(FOLDER, "load-1") as folder:
            pq.write_table(pa.table({"a": [1, 2]}), folder / "a.parquet")
            (location,) = warehouse.keep([folder / "a.parquet"], FOLDER)
        with duckdb.connect(":memory:") as connection:
            warehouse.let_duckdb_read(connection)
            assert connection.execute(f"select sum(a)::int from read_parquet('{location}')").fetchone() == (3,)


def test_the_certificate_of_another_name_is_trusted_where_it_is_named(
    s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path
) -> None:
    context, authority = make_tls(tmp_path, "store.test")
    with RecordingProxy(s3_server.port, context) as proxy:
        options: dict[str, Any] = {"endpoint": proxy.endpoint, "ca_file": str(authority), "max_retries": 1}
        location = f"s3://{s3_shared_bucket}/{uuid.uuid4().hex}"
        with pytest.raises(LakeError, match="its certificate is not trusted"):
            keep(S3Warehouse(location, store_of(s3_server, **options)))
        assert reads_with_duckdb(S3Warehouse(location, store_of(s3_server, **options, server_name="store.test")))


def test_a_client_certificate_is_shown_to_a_store_that_asks_for_it(
    s3_server: S3Server, s3_shared_bucket: str, tmp_path: Path
) -> None:
    context, authority = make_tls(tmp_path)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    with RecordingProxy(s3_server.port, context) as proxy:
        options: dict[str, Any] = {"endpoint": proxy.endpoint, "ca_file": str(authority), "max_retries": 1}
        location = f"s3://{s3_shared_bucket}/{uuid.uuid4().hex}"
        with pytest.raises(LakeError):
            keep(S3Warehouse(location, store_of(s3_server, **options)))
        own = {"cert_file": str(tmp_path / "server.pem"), "key_file": str(tmp_path / "server.key")}
        assert reads_with_duckdb(S3Warehouse(location, store_of(s3_server, **options, **own)))


def test_with_a_key_of_ones_own_nobody_reads_without_it(make: Make, s3_server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(range(32)))
    warehouse = make(sse_type="SSE-C", encryption_key=str(tmp_path / "key"), part_size=SMALLEST_PART)
    content = content_of_three_parts()
    written = [keep(warehouse, content, "large"), keep(warehouse, b"small", "small"), write_metadata(warehouse)]
    assert warehouse.file_io.new_input(written[0]).open().read(-1) == content
    assert len(warehouse.file_io.new_input(written[2])) == 2
    assert reads_with_duckdb(warehouse)
    for location in written:
        with pytest.raises(ClientError, match="customer key"):
            s3_server.client().get_object(Bucket=warehouse.bucket, Key=location.removeprefix(f"s3://{warehouse.bucket}/"))
    (tmp_path / "other").write_bytes(bytes(32))
    other = S3Warehouse(warehouse.location, store_of(s3_server, sse_type="SSE-C", encryption_key=str(tmp_path / "other")))
    with pytest.raises(LakeError):
        other.file_io.new_input(written[2]).open().read(-1)


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), (b"short", "holds 5 bytes, not 32")])
def test_a_key_that_is_none_is_told_without_it(make: Make, tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigurationError, match=words) as told:
        make(sse_type="SSE-C", encryption_key=str(tmp_path / "key"))
    assert "short" not in str(told.value)


def test_the_trace_tells_each_request_and_no_secret(
    make: Make,
    s3_server: S3Server,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    proxy: RecordingProxy,
) -> None:
    monkeypatch.setattr(logging.getLogger("cost_lakehouse.store"), "level", logging.NOTSET)
    caplog.set_level(logging.INFO)
    quiet = make()
    keep(quiet)
    assert [record for record in caplog.records if record.name == "cost_lakehouse.store"] == []
    caplog.clear()
    warehouse = make(trace=True)
    location = keep(warehouse)
    warehouse.list("")
    path = location.removeprefix("s3:/")
    put, head, get = [record.getMessage() for record in caplog.records if record.name == "cost_lakehouse.store"]
    assert put.startswith(f"PUT {path} 200 ")
    assert put.endswith(" ms")
    assert head.startswith(f"HEAD {path} 200 ")
    assert get.startswith(f"GET /{warehouse.bucket} 200 ")
    signatures = [item.headers["Authorization"].rpartition("=")[2] for item in proxy.seen]
    for secret in (s3_server.secret_key, s3_server.access_key, *signatures):
        assert secret not in caplog.text


TRACED = """
import sys
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from cost_lakehouse.config.store import StoreSettings
keys = {"access_key": sys.argv[2], "secret_key": sys.argv[3]}
S3Warehouse("s3://" + sys.argv[4], StoreSettings(endpoint=sys.argv[1], trace=True, **keys)).list("absent")
"""


def test_the_trace_is_seen_without_any_setting_up(s3_server: S3Server, s3_shared_bucket: str) -> None:
    arguments = [s3_server.endpoint, s3_server.access_key, s3_server.secret_key, s3_shared_bucket]
    done = subprocess.run([sys.executable, "-c", TRACED, *arguments], capture_output=True, text=True, check=True)
    assert f"cost_lakehouse.store GET /{s3_shared_bucket} 200 " in done.stderr
    assert done.stdout == ""
    assert s3_server.secret_key not in done.stderr


class _Credentials(ThreadingHTTPServer):
    """What gives a container its role."""

    def __init__(self, server: S3Server) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.given = {
            "AccessKeyId": server.access_key,
            "SecretAccessKey": server.secret_key,
            "Expiration": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self.asked = 0


class _Answers(BaseHTTPRequestHandler):
    server: _Credentials

    def do_GET(self) -> None:
        self.server.asked += 1
        body = json.dumps({**self.server.given, "Token": None}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on the terminal."""


def reads_with_duckdb(warehouse: S3Warehouse) -> bool:
    with warehouse.writing(FOLDER, "load-1") as folder:
        pq.write_table(pa.table({"a": [1, 2]}), folder / "b.parquet")
        (location,) = warehouse.keep([folder / "b.parquet"], FOLDER)
    with duckdb.connect(":memory:") as connection:
        warehouse.let_duckdb_read(connection)
        return bool(connection.execute(f"select sum(a)::int from read_parquet('{location}')").fetchone() == (3,))


@pytest.mark.usefixtures("no_own_credentials")
def test_without_keys_the_machines_own_role_is_used(make: Make, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    own: dict[str, Any] = {"access_key": None, "secret_key": None, "max_retries": 1}
    with pytest.raises(LakeError, match=r"No AWS credentials were found .*lake\.store"):
        keep(make(**own))
    with duckdb.connect(":memory:") as connection, pytest.raises(LakeError, match="No AWS credentials were found"):
        make(**own).let_duckdb_read(connection)
    with _Credentials(s3_server) as container:
        thread = threading.Thread(target=container.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{container.server_address[1]}/role"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
        assert reads_with_duckdb(make(**own, aws_sdk_auth=True))
        assert container.asked > 0
        container.shutdown()
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    assert reads_with_duckdb(make(**own))


@pytest.mark.usefixtures("no_own_credentials")
def test_a_web_identity_is_turned_into_a_role_at_the_given_sts(
    make: Make, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with _Sts(s3_server) as sts:
        threading.Thread(target=sts.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        (tmp_path / "token").write_text("web-identity-token")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/lake")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        endpoint = f"http://127.0.0.1:{sts.server_address[1]}"
        with pytest.raises(LakeError):  # the test server knows no session tokens
            make(access_key=None, secret_key=None, sts_endpoint=endpoint, max_retries=1).list("")
        sts.shutdown()
    assert sts.asked == ["AssumeRoleWithWebIdentity"]


class _Sts(ThreadingHTTPServer):
    def __init__(self, server: S3Server) -> None:
        super().__init__(("127.0.0.1", 0), _StsAnswers)
        self.keys = (server.access_key, server.secret_key)
        self.asked: list[str] = []


class _StsAnswers(BaseHTTPRequestHandler):
    server: _Sts

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked += [part.partition("=")[2] for part in said.split("&") if part.startswith("Action=")]
        ends = datetime.now(UTC) + timedelta(hours=1)
        key, secret = self.server.keys
        body = (
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
            f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>t</SessionToken>"
            f"<Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
            "</AssumeRoleWithWebIdentityResponse>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on the terminal."""
