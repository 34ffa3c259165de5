"""Every option of the store shows on the wire: seen by a proxy in front of the real S3 server."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import duckdb
import pytest
from botocore.awsrequest import AWSResponse

from cost_lakehouse.config.store import SMALLEST_PART, StoreSettings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from tests.lake.stores import Make, content_of_three_parts, keep, store_of, write_metadata
from tests.services.recording_proxy import RecordingProxy, Seen
from tests.services.s3 import S3Server

pytestmark = pytest.mark.usefixtures("own_temporary_folder")


def makes_objects(proxy: RecordingProxy) -> list[Seen]:
    """The requests that give an object its headers."""
    parts = [request for request in proxy.requests("PUT") if "partNumber" not in request.query]
    return parts + [request for request in proxy.requests("POST") if "uploads" in request.query]


def test_acl_and_metadata_go_with_every_new_object(make: Make, proxy: RecordingProxy, s3_server: S3Server) -> None:
    said = {"X-Amz-Acl": "bucket-owner-full-control", "team": "finance", "Cache-Control": "no-store"}
    warehouse = make(put_user_metadata=said, part_size=SMALLEST_PART)
    keep(warehouse, content_of_three_parts(), "large")
    location = keep(warehouse, b"small", "small")
    write_metadata(warehouse)
    seen = makes_objects(proxy)
    assert len(seen) == 3
    for item in seen:
        assert item.headers["x-amz-acl"] == "bucket-owner-full-control"
        assert item.headers["x-amz-meta-team"] == "finance"
        assert item.headers["cache-control"] == "no-store"
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
    assert [{name: item.headers[name] for name in headers} for item in seen] == [headers] * 3


def test_large_files_are_cut_into_parts_of_that_size(make: Make, proxy: RecordingProxy) -> None:
    content = content_of_three_parts()
    keep(make(part_size=SMALLEST_PART), content)
    parts = [request.size for request in proxy.requests("PUT") if "partNumber" in request.query]
    assert sorted(parts) == [len(content) - 2 * SMALLEST_PART, SMALLEST_PART, SMALLEST_PART]


def test_no_parts_where_they_are_disabled(make: Make, proxy: RecordingProxy) -> None:
    content = content_of_three_parts()
    keep(make(part_size=SMALLEST_PART, disable_multipart=True), content)
    assert [request.size for request in proxy.requests("PUT")] == [len(content)]


@pytest.mark.parametrize(("is_md5", "header"), [(True, "content-md5"), (False, "x-amz-checksum-crc32")])
def test_every_content_goes_with_its_checksum(make: Make, proxy: RecordingProxy, is_md5: bool, header: str) -> None:
    warehouse = make(send_content_md5=is_md5, part_size=SMALLEST_PART)
    keep(warehouse, content_of_three_parts(), "large")
    keep(warehouse)
    write_metadata(warehouse)
    for request in proxy.requests("PUT"):
        assert header in request.headers or header in request.headers.get("x-amz-trailer", "")


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
    assert [request.query.get("list-type") for request in proxy.requests("GET")] == [said]


def test_a_store_that_does_not_answer_is_given_up_after_the_timeout(make: Make, proxy: RecordingProxy) -> None:
    warehouse = make(response_header_timeout="200ms", max_retries=2)
    proxy.gate.clear()
    started = time.monotonic()
    with pytest.raises(LakeError, match="does not answer in time"):
        warehouse.list("")
    assert time.monotonic() - started < 10
    wait_until(lambda: len(proxy.seen) >= 2)
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
    wait_until(lambda: len(proxy.seen) >= 3)
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


def wait_until(is_so: Callable[[], bool]) -> None:
    """A client that gives up may be done before the proxy has read what it sent."""
    pause = threading.Event()
    for _ in range(6000):
        if is_so():
            return
        pause.wait(0.01)
    raise AssertionError("not within a minute")


def list_at_once(warehouse: S3Warehouse, proxy: RecordingProxy, count: int, most: int) -> None:
    """That many lists at the same time; none is answered before ``most`` are under way."""
    wait_until(lambda: proxy.under_way == 0)
    proxy.gate.clear()
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(warehouse.list, "") for _ in range(count)]
        try:
            wait_until(lambda: proxy.under_way >= most)
        finally:
            proxy.gate.set()
        for item in asked:
            item.result()


def test_no_more_connections_are_open_at_once_than_said(make: Make, proxy: RecordingProxy) -> None:
    list_at_once(make(max_conns_per_host=2), proxy, 6, most=2)
    assert max(item.at_once for item in proxy.seen) == 2
    assert proxy.connections == 2


@pytest.mark.parametrize("option", ["max_idle_conns", "max_idle_conns_per_host"])
def test_no_more_idle_connections_are_kept_than_said(
    make: Make, proxy: RecordingProxy, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse = make(**{option: 1})
    list_at_once(warehouse, proxy, 4, most=4)
    assert proxy.connections == 4
    list_at_once(warehouse, proxy, 4, most=4)
    assert proxy.connections == 7


@pytest.mark.parametrize(("wait", "is_asked"), [("1s", True), ("0s", False)])
def test_the_store_is_asked_for_consent_or_not(make: Make, proxy: RecordingProxy, wait: str, is_asked: bool) -> None:
    keep(make(expect_continue_timeout=wait))
    assert [request.headers["Expect"] == "100-continue" for request in proxy.requests("PUT")] == [is_asked]


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
