"""Every option of the store shows on the wire: seen by a proxy in front of the real S3 server."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from cost_lakehouse.store_settings import SMALLEST_PART, StoreSettings
from tests.lake.stores import store_of
from tests.services.certificates import make_tls
from tests.services.recording_proxy import RecordingProxy, Seen
from tests.services.s3 import S3Server

FOLDER = "raw/t/data"


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[RecordingProxy]:
    with RecordingProxy(s3_server.port) as running:
        yield running


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure_proxy(s3_server: S3Server, tls: tuple[ssl.SSLContext, Path]) -> Iterator[RecordingProxy]:
    with RecordingProxy(s3_server.port, tls[0]) as running:
        yield running


Make = Callable[..., S3Warehouse]


@pytest.fixture
def make(s3_server: S3Server, s3_shared_bucket: str, proxy: RecordingProxy) -> Make:
    """A warehouse behind the proxy, with these options."""

    def made(**options: Any) -> S3Warehouse:
        location = f"s3://{s3_shared_bucket}/{uuid.uuid4().hex}"
        return S3Warehouse(location, store_of(s3_server, **{"endpoint": proxy.endpoint, **options}))

    return made


def keep(warehouse: S3Warehouse, content: bytes = b"content", name: str = "a.parquet") -> str:
    with warehouse.writing(FOLDER, "load-1") as folder:
        (folder / name).write_bytes(content)
        (location,) = warehouse.keep([folder / name], FOLDER)
    return location


def write_metadata(warehouse: S3Warehouse) -> str:
    place = f"{warehouse.location}/metadata.json"
    with warehouse.file_io.new_output(place).create() as stream:
        stream.write(b"{}")
    return place


def makes_objects(proxy: RecordingProxy) -> list[Seen]:
    """The requests that give an object its headers."""
    parts = [each for each in proxy.requests("PUT") if "partNumber" not in each.query]
    return parts + [each for each in proxy.requests("POST") if "uploads" in each.query]


def content_of_three_parts() -> bytes:
    return bytes(range(256)) * (SMALLEST_PART // 100)


def test_acl_and_metadata_go_with_every_new_object(make: Make, proxy: RecordingProxy, s3_server: S3Server) -> None:
    said = {"X-Amz-Acl": "bucket-owner-full-control", "team": "finance", "Cache-Control": "no-store"}
    warehouse = make(put_user_metadata=said, part_size=SMALLEST_PART)
    keep(warehouse, content_of_three_parts(), "large")
    location = keep(warehouse, b"small", "small")
    write_metadata(warehouse)
    seen = makes_objects(proxy)
    assert len(seen) == 3
    for each in seen:
        assert each.headers["x-amz-acl"] == "bucket-owner-full-control"
        assert each.headers["x-amz-meta-team"] == "finance"
        assert each.headers["cache-control"] == "no-store"
    key = location.removeprefix(f"s3://{warehouse.bucket}/")
    assert s3_server.client().head_object(Bucket=warehouse.bucket, Key=key)["Metadata"] == {"team": "finance"}


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({"sse_type": "SSE-S3"}, {"x-amz-server-side-encryption": "AES256"}),
        (
            {"sse_type": "SSE-KMS", "kms_key_id": "key-1", "kms_encryption_context": {"team": "finance"}},
            {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "key-1",
                "x-amz-server-side-encryption-context": base64.b64encode(json.dumps({"team": "finance"}).encode()).decode(),
            },
        ),
    ],
)
def test_encryption_is_asked_for_with_every_new_object(
    make: Make, proxy: RecordingProxy, options: dict[str, Any], headers: dict[str, str]
) -> None:
    warehouse = make(**options, part_size=SMALLEST_PART, max_retries=1)
    # The test server has no key of its own, and says so.
    for content in (b"small", content_of_three_parts()):
        with pytest.raises(LakeError, match="sse_type"):
            keep(warehouse, content)
    with pytest.raises(LakeError, match="sse_type"):
        write_metadata(warehouse)
    seen = makes_objects(proxy)
    assert len(seen) == 3
    assert [{name: each.headers[name] for name in headers} for each in seen] == [headers] * 3


def test_large_files_are_cut_into_parts_of_that_size(make: Make, proxy: RecordingProxy) -> None:
    content = content_of_three_parts()
    keep(make(part_size=SMALLEST_PART), content)
    parts = [each.size for each in proxy.requests("PUT") if "partNumber" in each.query]
    assert sorted(parts) == [len(content) - 2 * SMALLEST_PART, SMALLEST_PART, SMALLEST_PART]


def test_no_parts_where_they_are_disabled(make: Make, proxy: RecordingProxy) -> None:
    content = content_of_three_parts()
    keep(make(part_size=SMALLEST_PART, disable_multipart=True), content)
    assert [each.size for each in proxy.requests("PUT")] == [len(content)]


@pytest.mark.parametrize(("is_md5", "header"), [(True, "content-md5"), (False, "x-amz-checksum-crc32")])
def test_every_content_goes_with_its_checksum(make: Make, proxy: RecordingProxy, is_md5: bool, header: str) -> None:
    warehouse = make(send_content_md5=is_md5, part_size=SMALLEST_PART)
    keep(warehouse, content_of_three_parts(), "large")
    keep(warehouse)
    write_metadata(warehouse)
    for each in proxy.requests("PUT"):
        assert header in each.headers or header in each.headers.get("x-amz-trailer", "")


@pytest.mark.parametrize("content", [b"content", content_of_three_parts()], ids=["whole", "in parts"])
def test_what_is_damaged_on_the_way_is_refused_and_leaves_nothing(
    make: Make, proxy: RecordingProxy, s3_server: S3Server, content: bytes
) -> None:
    warehouse = make(part_size=SMALLEST_PART, max_retries=1)
    proxy.damage = lambda body: body.replace(content[100:200] or content, b"!" * len(content[100:200] or content), 1)
    with pytest.raises(LakeError):
        keep(warehouse, content)
    proxy.damage = None
    assert warehouse.list("") == []
    left = s3_server.client().list_multipart_uploads(Bucket=warehouse.bucket, Prefix=warehouse.location.rpartition("/")[2])
    assert left.get("Uploads", []) == []


def test_a_store_that_keeps_something_else_is_found_out(make: Make, s3_server: S3Server) -> None:
    warehouse = make()
    client: Any = warehouse._client

    def lose(model: Any, **kwargs: Any) -> None:
        """Between upload and proof the object becomes another of the same size."""
        key = next(iter(warehouse.list(""))).location.removeprefix(f"s3://{warehouse.bucket}/")
        s3_server.client().put_object(Bucket=warehouse.bucket, Key=key, Body=b"CONTENT")

    client.meta.events.register("before-call.s3.HeadObject", lose)
    with pytest.raises(LakeError, match="is not what was sent"):
        keep(warehouse)


@pytest.mark.parametrize(("version", "said"), [("v1", None), ("v2", ["2"])])
def test_lists_are_asked_for_in_that_version(make: Make, proxy: RecordingProxy, version: str, said: list[str] | None) -> None:
    make(list_objects_version=version).list("")
    assert [each.query.get("list-type") for each in proxy.requests("GET")] == [said]


def test_a_store_that_does_not_answer_is_given_up_after_the_timeout(make: Make, proxy: RecordingProxy) -> None:
    warehouse = make(response_header_timeout="200ms", max_retries=2)
    proxy.gate.clear()
    started = time.monotonic()
    with pytest.raises(LakeError, match="does not answer in time"):
        warehouse.list("")
    assert time.monotonic() - started < 10
    assert len(proxy.seen) == 2


def test_a_handshake_that_never_ends_is_given_up_after_the_timeout(s3_server: S3Server) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as deaf:  # accepts, and says nothing of TLS
        endpoint = f"https://127.0.0.1:{deaf.server_address[1]}"
        warehouse = S3Warehouse(
            "s3://b/p", store_of(s3_server, endpoint=endpoint, tls_handshake_timeout="200ms", max_retries=1)
        )
        started = time.monotonic()
        with pytest.raises(LakeError, match="cannot be reached"):
            warehouse.list("")
        assert time.monotonic() - started < 10


def test_requests_are_tried_as_often_as_said(make: Make, proxy: RecordingProxy) -> None:
    warehouse = make(response_header_timeout="100ms", max_retries=3)
    proxy.gate.clear()
    with pytest.raises(LakeError):
        warehouse.list("")
    assert len(proxy.seen) == 3


def test_idle_connections_are_closed_after_their_time_and_kept_before(make: Make, proxy: RecordingProxy) -> None:
    kept = make()
    kept.list("")
    kept.list("")
    assert proxy.connections == 1
    impatient = make(idle_conn_timeout="1ms")
    impatient.list("")
    threading.Event().wait(0.01)
    impatient.list("")
    assert proxy.connections == 3


def list_at_once(warehouse: S3Warehouse, proxy: RecordingProxy, count: int) -> None:
    """That many lists at the same time; none is answered before all that can are under way."""
    proxy.gate.clear()
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(warehouse.list, "") for _ in range(count)]
        pause = threading.Event()
        for _ in range(50):
            if proxy.under_way == count:
                break
            pause.wait(0.01)
        proxy.gate.set()
        for each in asked:
            each.result()


def test_no_more_connections_are_open_at_once_than_said(make: Make, proxy: RecordingProxy) -> None:
    list_at_once(make(max_conns_per_host=2), proxy, 6)
    assert max(each.at_once for each in proxy.seen) == 2
    assert proxy.connections == 2


@pytest.mark.parametrize("option", ["max_idle_conns", "max_idle_conns_per_host"])
def test_no_more_idle_connections_are_kept_than_said(
    make: Make, proxy: RecordingProxy, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse = make(**{option: 1})
    list_at_once(warehouse, proxy, 4)
    assert proxy.connections == 4
    list_at_once(warehouse, proxy, 4)
    assert proxy.connections == 7


@pytest.mark.parametrize(("wait", "is_asked"), [("1s", True), ("0s", False)])
def test_the_store_is_asked_for_consent_or_not(make: Make, proxy: RecordingProxy, wait: str, is_asked: bool) -> None:
    keep(make(expect_continue_timeout=wait))
    assert [each.headers["Expect"] == "100-continue" for each in proxy.requests("PUT")] == [is_asked]


def test_a_bucket_may_be_a_host_name(make: Make, proxy: RecordingProxy) -> None:
    warehouse = make(bucket_lookup_type="virtual-hosted", endpoint="http://store.invalid", max_retries=1)
    with pytest.raises(LakeError):
        warehouse.list("")
    requests: list[str] = []
    client: Any = warehouse._client
    client.meta.events.register("before-send.s3", lambda request, **kwargs: requests.append(request.url))
    with pytest.raises(LakeError):
        warehouse.list("")
    assert requests[0].startswith(f"http://{warehouse.bucket}.store.invalid/")


class _NoBody:
    def stream(self, **kwargs: Any) -> Iterator[bytes]:
        return iter(())


def told_to_duckdb(warehouse: S3Warehouse) -> str:
    with duckdb.connect(":memory:") as connection:
        warehouse.let_duckdb_read(connection)
        warehouse.let_duckdb_read(connection)  # once more does no harm
        found = connection.execute("select secret_string from duckdb_secrets()").fetchone()
        assert found is not None
        return str(found[0])


def test_awss_addresses_are_those_of_the_region_and_of_both_internets_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://elsewhere.invalid")  # the configuration alone says where the lake is
    keys: dict[str, Any] = {"access_key": "AKIAEXAMPLE", "secret_key": "secret"}
    plain = told_to_duckdb(S3Warehouse("s3://b/p", StoreSettings(region="eu-west-1", **keys)))
    assert "endpoint=s3.eu-west-1.amazonaws.com;" in plain
    assert "url_style=vhost;use_ssl=true;verify_ssl=true" in plain
    dual = told_to_duckdb(S3Warehouse("s3://b/p", StoreSettings(region="cn-north-1", disable_dualstack=False, **keys)))
    assert "endpoint=s3.dualstack.cn-north-1.amazonaws.com.cn;" in dual


def test_awss_region_is_asked_for_where_nobody_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    keys: dict[str, Any] = {"access_key": "AKIAEXAMPLE", "secret_key": "secret"}
    warehouse = S3Warehouse("s3://b/p", StoreSettings(**keys))

    def forbid(request: Any, **kwargs: Any) -> AWSResponse:
        headers: Any = {"x-amz-bucket-region": "eu-central-1"}
        return AWSResponse(request.url, 403, headers, _NoBody())

    client: Any = warehouse._client
    client.meta.events.register("before-send.s3.HeadBucket", forbid)
    assert "endpoint=s3.eu-central-1.amazonaws.com;" in told_to_duckdb(warehouse)


def test_a_session_token_goes_with_requests(make: Make, proxy: RecordingProxy) -> None:
    with pytest.raises(LakeError):
        make(session_token="token-1", max_retries=1).list("")
    assert proxy.seen[0].headers["x-amz-security-token"] == "token-1"


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
    assert [each for each in caplog.records if each.name == "cost_lakehouse.store"] == []
    caplog.clear()
    warehouse = make(trace=True)
    location = keep(warehouse)
    warehouse.list("")
    path = location.removeprefix("s3:/")
    put, head, get = [each.getMessage() for each in caplog.records if each.name == "cost_lakehouse.store"]
    assert put.startswith(f"PUT {path} 200 ")
    assert put.endswith(" ms")
    assert head.startswith(f"HEAD {path} 200 ")
    assert get.startswith(f"GET /{warehouse.bucket} 200 ")
    signatures = [each.headers["Authorization"].rpartition("=")[2] for each in proxy.seen]
    for secret in (s3_server.secret_key, s3_server.access_key, *signatures):
        assert secret not in caplog.text


TRACED = """
import sys
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from cost_lakehouse.store_settings import StoreSettings
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


@pytest.fixture
def no_own_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any AWS configuration."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


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
        self.server.asked += [each.partition("=")[2] for each in said.split("&") if each.startswith("Action=")]
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
