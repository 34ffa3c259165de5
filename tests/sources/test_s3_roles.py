"""A role is assumed to read a bucket: with its external id, once, and again before it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.storage.s3_store import S3Store
from tests.sources.s3_sources import SECRET, refused


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

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
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


def role_source(server: _Aws) -> AwsCurSettings:
    return AwsCurSettings.model_validate(
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
