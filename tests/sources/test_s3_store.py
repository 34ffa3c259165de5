"""Reading a bucket over real HTTP: paging, conditional reads, broken connections, credentials, and what refusals are told as."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, ReadTimeoutError, SSLError

from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed, SourceError
from cost_lakehouse.settings import SourceSettings
from cost_lakehouse.sources.delivery import StoredObject
from cost_lakehouse.sources.resuming_reader import RESUMES
from cost_lakehouse.sources.s3_client import make_s3_client
from cost_lakehouse.sources.s3_errors import S3Errors
from cost_lakehouse.sources.s3_store import S3Store, split_location
from tests.services.cutting_proxy import CuttingProxy
from tests.services.s3 import S3Server, free_ports

SECRET = "wJalrXUtnFEMIverysecretKEY"
BIG = 1_000_000
AFTER = 200_000


def source_of(server: S3Server, bucket: str, **other: Any) -> SourceSettings:
    given = {
        "name": "acme-payer",
        "kind": "aws_cur",
        "location": f"s3://{bucket}/cur/hourly",
        "endpoint": server.endpoint,
        "region": server.region,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
    }
    return SourceSettings.model_validate({key: value for key, value in {**given, **other}.items() if value is not None})


@pytest.fixture
def store(s3_server: S3Server, s3_shared_bucket: str) -> S3Store:
    return S3Store.of(source_of(s3_server, s3_shared_bucket))


@pytest.fixture
def prefix() -> str:
    return f"{uuid.uuid4().hex[:12]}/"


@pytest.fixture
def no_own_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any AWS configuration."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


def put(server: S3Server, bucket: str, key: str, content: bytes) -> None:
    server.client().put_object(Bucket=bucket, Key=key, Body=content)


def listed(store: S3Store, key: str) -> StoredObject:
    found = store.head(key)
    assert found is not None
    assert list(store.list(key)) == [found]
    return found


def test_more_than_a_thousand_objects_are_listed(
    s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str
) -> None:
    keys = [f"{prefix}{number:04d}/hourly.csv.gz" for number in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(s3_server, s3_shared_bucket, key, b"x"), keys))
    assert [each.key for each in store.list(prefix)] == keys
    assert store.list_folder(prefix).folders == tuple(f"{prefix}{number:04d}/" for number in range(1005))


def test_small_pages_lose_and_double_nothing(s3_server: S3Server, s3_shared_bucket: str, prefix: str) -> None:
    names = ["a", "b/1", "b/2", "c", "d/1", "e e+ü&<x>"]
    for name in names:
        put(s3_server, s3_shared_bucket, prefix + name, b"x")
    store = S3Store(s3_server.client(), s3_shared_bucket, page_size=1)
    assert [each.key for each in store.list(prefix)] == [prefix + name for name in names]
    level = store.list_folder(prefix)
    assert [each.key for each in level.objects] == [f"{prefix}a", f"{prefix}c", f"{prefix}e e+ü&<x>"]
    assert level.folders == (f"{prefix}b/", f"{prefix}d/")


def test_folder_markers_are_no_objects(s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}folder/", b"")
    put(s3_server, s3_shared_bucket, f"{prefix}folder/file", b"x")
    assert [each.key for each in store.list(prefix)] == [f"{prefix}folder/file"]
    assert [each.key for each in store.list_folder(f"{prefix}folder/").objects] == [f"{prefix}folder/file"]


def test_an_object_that_is_not_there_has_no_head(store: S3Store, prefix: str) -> None:
    assert store.head(f"{prefix}nothing") is None
    assert list(store.list(prefix)) == []


def test_an_object_is_read_as_it_was_listed(s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}f", b"content")
    put(s3_server, s3_shared_bucket, f"{prefix}empty", b"")
    assert store.read(listed(store, f"{prefix}f")) == b"content"
    assert store.read(listed(store, f"{prefix}empty")) == b""
    assert store.describe(f"{prefix}f") == f"s3://{s3_shared_bucket}/{prefix}f"


@pytest.mark.parametrize("replacement", [b"other 2", b"something longer"])
def test_an_object_that_was_replaced_after_it_was_listed_is_not_read(
    s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str, replacement: bytes
) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}f", b"content")
    found = listed(store, f"{prefix}f")
    put(s3_server, s3_shared_bucket, f"{prefix}f", replacement)
    with pytest.raises(DeliveryChanged, match="was changed or removed"):
        store.open(found)


def test_an_object_that_vanished_after_it_was_listed_is_a_change(
    s3_server: S3Server, s3_shared_bucket: str, store: S3Store, prefix: str
) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}f", b"content")
    found = listed(store, f"{prefix}f")
    s3_server.client().delete_object(Bucket=s3_shared_bucket, Key=f"{prefix}f")
    with pytest.raises(DeliveryChanged):
        store.open(found)


def pseudo_random(size: int) -> bytes:
    """Bytes of which no two stretches are alike, so that a wrong offset shows."""
    return b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(size // 32 + 1))[:size]


def test_a_connection_that_breaks_is_resumed_where_it_was(s3_server: S3Server, s3_shared_bucket: str, prefix: str) -> None:
    content = pseudo_random(BIG)
    put(s3_server, s3_shared_bucket, f"{prefix}big", content)
    pauses: list[float] = []
    with CuttingProxy(s3_server.port, after=AFTER, cuts=3) as proxy:
        client = make_s3_client(source_of(s3_server, s3_shared_bucket, endpoint=proxy.endpoint))
        store = S3Store(client, s3_shared_bucket, pause=pauses.append)
        with store.open(listed(store, f"{prefix}big")) as stream:
            assert stream.read() == content
        assert proxy.cuts_left == 0
    assert pauses == [0.2, 0.4, 0.8]


def test_a_connection_that_keeps_breaking_fails_the_delivery(s3_server: S3Server, s3_shared_bucket: str, prefix: str) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}big", pseudo_random(BIG))
    pauses: list[float] = []
    with CuttingProxy(s3_server.port, after=20_000, cuts=1000) as proxy:
        client = make_s3_client(source_of(s3_server, s3_shared_bucket, endpoint=proxy.endpoint))
        store = S3Store(client, s3_shared_bucket, pause=pauses.append)
        with pytest.raises(DeliveryFailed, match=rf"the connection broke {RESUMES + 1} times, last at byte \d+ of {BIG}"):
            store.open(listed(store, f"{prefix}big")).read()
    assert len(pauses) == RESUMES


def test_an_object_that_is_replaced_while_a_broken_read_pauses_is_not_mixed(
    s3_server: S3Server, s3_shared_bucket: str, prefix: str
) -> None:
    put(s3_server, s3_shared_bucket, f"{prefix}big", pseudo_random(BIG))
    with CuttingProxy(s3_server.port, after=AFTER, cuts=1) as proxy:
        client = make_s3_client(source_of(s3_server, s3_shared_bucket, endpoint=proxy.endpoint))
        store = S3Store(
            client, s3_shared_bucket, pause=lambda seconds: put(s3_server, s3_shared_bucket, f"{prefix}big", b"new" * 333_333)
        )
        with pytest.raises(DeliveryChanged):
            store.open(listed(store, f"{prefix}big")).read()


def refused(source: SourceSettings) -> SourceError:
    """What listing this source is told as."""
    with pytest.raises(SourceError) as caught:
        list(S3Store.of(source, attempts=1).list("cur/"))
    return caught.value


def test_a_bucket_that_does_not_exist_is_named(s3_server: S3Server) -> None:
    error = refused(source_of(s3_server, "no-such-bucket"))
    assert error.problem == f"There is no bucket no-such-bucket at {s3_server.endpoint}."
    assert "`location`" in error.fix


def test_a_bucket_name_that_cannot_exist_points_at_the_location(s3_server: S3Server) -> None:
    assert "`location`" in refused(source_of(s3_server, "Bad Bucket!")).fix


def test_an_unknown_access_key_is_told_without_showing_it(s3_server: S3Server, s3_shared_bucket: str) -> None:
    error = refused(source_of(s3_server, s3_shared_bucket, access_key="AKIAUNKNOWN", secret_key=SECRET))
    assert "does not know the access key" in error.problem
    assert SECRET not in str(error)
    assert "AKIAUNKNOWN" not in str(error)


def test_a_wrong_secret_key_is_told_without_showing_it(s3_server: S3Server, s3_shared_bucket: str) -> None:
    error = refused(source_of(s3_server, s3_shared_bucket, secret_key=SECRET))
    assert "secret key does not fit" in error.problem
    assert SECRET not in str(error)
    assert s3_server.access_key not in str(error)


def test_a_store_that_does_not_answer_is_named(s3_server: S3Server) -> None:
    endpoint = f"http://127.0.0.1:{free_ports(1)[0]}"
    error = refused(source_of(s3_server, "bucket", endpoint=endpoint))
    assert error.problem.startswith(f"{endpoint} cannot be reached")
    assert "`endpoint`" in error.fix


def test_an_endpoint_that_is_no_url_is_told_without_showing_it(s3_server: S3Server) -> None:
    error = refused(source_of(s3_server, "bucket", endpoint=f"user:{SECRET}@host"))
    assert "`endpoint` is not a URL" in error.problem
    assert SECRET not in str(error)


@pytest.mark.usefixtures("no_own_credentials")
def test_a_machine_without_credentials_is_told_what_to_set(s3_server: S3Server) -> None:
    error = refused(source_of(s3_server, "bucket", access_key=None, secret_key=None))
    assert "No AWS credentials were found to read s3://bucket/cur/" in error.problem
    assert "${NAME}" in error.fix


@pytest.mark.usefixtures("no_own_credentials")
def test_a_profile_that_does_not_exist_is_named(s3_server: S3Server) -> None:
    error = refused(source_of(s3_server, "bucket", access_key=None, secret_key=None, profile="billing"))
    assert error.problem == "There is no AWS profile 'billing' on this machine."


@pytest.mark.usefixtures("no_own_credentials")
def test_a_source_without_a_region_can_be_read(s3_server: S3Server, s3_shared_bucket: str) -> None:
    assert S3Store.of(source_of(s3_server, s3_shared_bucket, region=None)).head("nothing") is None


EXPLAINED = [
    ("AccessDenied", "not authorized", "Access to s3://b/k is denied", "s3:ListBucket"),
    ("403", "Forbidden", "Access to s3://b/k is denied", "arn:aws:s3:::b/cur/hourly/*"),
    ("AccessDenied", "not authorized to perform: kms:Decrypt", "encrypted with a KMS key", "kms:Decrypt"),
    ("KMS.DisabledException", "disabled", "encrypted with a KMS key", "kms:Decrypt"),
    ("ExpiredToken", "expired", "have expired", "role_arn"),
    ("PermanentRedirect", "wrong endpoint", "in another region", "`region`"),
    ("AuthorizationHeaderMalformed", "expecting eu-west-1", "in another region", "`region`"),
    ("RequestTimeTooSkewed", "skew", "clock is wrong", "NTP"),
    ("SlowDown", "slow down", "overloaded", "next run"),
    ("InvalidObjectState", "archived", "Glacier", "Restore"),
    ("Unheard{Of}", f"said {SECRET}", "cannot be read: Unheard{Of} said ***", "doctor"),
]


@pytest.mark.parametrize(("code", "message", "problem", "fix"), EXPLAINED)
def test_a_refusal_is_told_as_cause_and_fix(code: str, message: str, problem: str, fix: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "GetObject")
    told = S3Errors("b", prefix="cur/hourly", secrets=[SECRET]).explain(error, "s3://b/k")
    assert problem in told.problem
    assert fix in told.fix


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (SSLError(endpoint_url="https://x", error=ValueError("self-signed")), "certificate is not trusted"),
        (ReadTimeoutError(endpoint_url="https://x"), "cannot be reached"),
        (CredentialRetrievalError(provider="sso", error_msg=SECRET), "could not be fetched"),
        (BotoCoreError(), "cannot be read"),
    ],
)
def test_a_failure_on_this_side_is_told_as_cause_and_fix(error: BotoCoreError, problem: str) -> None:
    told = S3Errors("b", secrets=[SECRET]).explain(error, "s3://b/k")
    assert problem in told.problem
    assert told.fix
    assert SECRET not in str(told)


@pytest.mark.parametrize(
    ("location", "parts"),
    [
        ("s3://b/cur/hourly", ("b", "cur/hourly")),
        ("s3://b/cur/hourly/", ("b", "cur/hourly")),
        ("s3://b//hourly", ("b", "/hourly")),
        ("s3://b", ("b", "")),
        ("s3://b/", ("b", "")),
    ],
)
def test_a_location_is_split_into_bucket_and_prefix(location: str, parts: tuple[str, str]) -> None:
    assert split_location(location) == parts


class _Aws(ThreadingHTTPServer):
    """STS and S3 at once: hands out numbered credentials and writes down with which of them a bucket was listed."""

    def __init__(self, session_seconds: int, allowed: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.session_seconds = session_seconds
        self.allowed = allowed
        self.assumed: list[str] = []
        self.tokens: list[str | None] = []
        self.page = ""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: _Aws

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.assumed.append(asked)
        if not self.server.allowed:
            self._send(
                403,
                f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{escape(asked)}</Message></Error></ErrorResponse>",
            )
            return
        number = len(self.server.assumed)
        ends = datetime.now(UTC) + timedelta(seconds=self.server.session_seconds)
        self._send(
            200,
            "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
            f"<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>s{number}</SecretAccessKey>"
            f"<SessionToken>token{number}</SessionToken><Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>",
        )

    def do_GET(self) -> None:
        self.server.tokens.append(self.headers.get("x-amz-security-token"))
        self._send(200, "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>")

    def _send(self, status: int, body: str) -> None:
        body = self.server.page or body
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on the terminal."""


@pytest.fixture
def aws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Aws]:
    server = _Aws(*request.param)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def role_source(server: _Aws) -> SourceSettings:
    return SourceSettings.model_validate(
        {
            "name": "acme-payer",
            "kind": "aws_cur",
            "location": "s3://b/cur/hourly",
            "endpoint": server.endpoint,
            "access_key": "AKIAOWN",
            "secret_key": SECRET,
            "role_arn": "arn:aws:iam::000000000123:role/billing",
            "external_id": "external-" + SECRET[:10],
        }
    )


@pytest.mark.parametrize("aws", [(3600, True)], indirect=True)
def test_a_role_is_assumed_once_with_the_external_id_and_its_credentials_are_used(aws: _Aws) -> None:
    store = S3Store.of(role_source(aws))
    assert aws.assumed == [], "a role is assumed on first use"
    list(store.list("cur/"))
    list(store.list("cur/"))
    (asked,) = aws.assumed
    assert "role%2Fbilling" in asked
    assert f"ExternalId=external-{SECRET[:10]}" in asked
    assert aws.tokens == ["token1", "token1"]


@pytest.mark.parametrize("aws", [(30, True)], indirect=True)
def test_a_role_is_assumed_again_before_its_session_ends(aws: _Aws) -> None:
    store = S3Store.of(role_source(aws))
    list(store.list("cur/"))
    list(store.list("cur/"))
    assert len(aws.assumed) > 1
    assert aws.tokens[-1] != "token1"


@pytest.mark.parametrize("aws", [(3600, False)], indirect=True)
def test_a_role_that_may_not_be_assumed_is_named_without_its_external_id(aws: _Aws) -> None:
    error = refused(role_source(aws))
    assert error.problem == "The role arn:aws:iam::000000000123:role/billing cannot be assumed."
    assert "trust policy" in error.fix
    assert SECRET[:10] not in str(error)


@pytest.mark.parametrize("aws", [(3600, True)], indirect=True)
def test_a_web_page_in_the_place_of_a_service_is_told(aws: _Aws) -> None:
    aws.page = "<html><p>Welcome"
    error = refused(role_source(aws))
    assert error.problem == "The answer to the request for s3://b/cur/ was not understood."
    assert "AWS_ENDPOINT_URL_STS" in error.fix
    without_role = role_source(aws).model_copy(update={"role_arn": None, "external_id": None})
    assert "check `endpoint`" in refused(without_role).fix
