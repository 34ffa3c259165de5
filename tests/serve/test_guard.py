"""Nobody but who may asks; nothing can be changed; no answer lets a browser do more than show it."""

from __future__ import annotations

import base64
import logging
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from cost_lakehouse.config import load_settings
from cost_lakehouse.config.serve import ServeSettings
from cost_lakehouse.errors import ConfigurationError
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.serve.application import application
from cost_lakehouse.serve.guard import host_name, is_loopback
from cost_lakehouse.serve.served import Served
from cost_lakehouse.serve.viewer import token_of

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def closed(lake: Lake) -> TestClient:
    """Bound to all addresses, with a token."""
    settings = lake.settings.model_copy(update={"serve": ServeSettings(token=SecretStr(TOKEN))})
    return TestClient(application(Lake(settings), "0.0.0.0"), base_url="http://lake.example.com")  # noqa: S104


def test_an_address_that_others_reach_needs_a_token(lake: Lake) -> None:
    with pytest.raises(ConfigurationError, match="could read every bill"):
        application(lake, "0.0.0.0")  # noqa: S104
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.7"):
        application(lake, "192.0.2.7")
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example.com", ""))  # noqa: S104


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com", "localhost.evil.com:80", "", "[::2]"])
def test_a_name_that_was_pointed_at_this_machine_is_turned_away(client: TestClient, host: str) -> None:
    answer = client.get("/v1/costs", headers={"Host": host})

    assert answer.status_code == 421
    assert "data" not in answer.json()


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
def test_this_machine_is_asked_by_its_names(client: TestClient, host: str) -> None:
    assert client.get("/v1/dimensions", headers={"Host": host}).status_code == 200


def test_a_proxy_may_have_a_name_of_its_own(lake: Lake) -> None:
    settings = lake.settings.model_copy(update={"serve": ServeSettings(hosts=("costs.example.com",))})

    proxied = TestClient(application(Lake(settings)), base_url="http://costs.example.com")

    assert proxied.get("/v1/dimensions").status_code == 200
    assert proxied.get("/v1/dimensions", headers={"Host": "evil.example.com"}).status_code == 421


def test_a_token_opens_as_a_bearers_and_as_a_password(closed: TestClient) -> None:
    basic = base64.b64encode(f"anna:{TOKEN}".encode()).decode()

    assert closed.get("/v1/dimensions", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert closed.get("/v1/dimensions", headers={"Authorization": f"Basic {basic}"}).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Token {TOKEN}", "Basic !!!", "Basic /w==", TOKEN],
)
def test_nothing_else_opens(closed: TestClient, authorization: str) -> None:
    answer = closed.get("/v1/costs", headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert TOKEN not in answer.text


def test_health_tells_nothing_and_needs_no_token(closed: TestClient) -> None:
    assert (closed.get("/healthz").status_code, closed.get("/healthz").text) == (200, "ok\n")
    assert closed.get("/healthz/../v1/sources").status_code == 401
    assert closed.get("/v1/nothing").status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(client: TestClient, method: str) -> None:
    answer = client.request(method, "/v1/costs")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/v1/costs", "/v1/costs?nope=1", "/nothing", "/healthz"])
def test_every_answer_keeps_a_browser_from_doing_more_than_show_it(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "private, no-cache"
    assert "access-control-allow-origin" not in headers


def test_a_question_without_end_is_refused(client: TestClient) -> None:
    assert client.get(f"/v1/costs?filter=service={'x' * 9_000}").status_code == 414


def test_what_nobody_expected_is_told_to_the_log_alone(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(self: Served) -> None:
        raise RuntimeError("inside: /secret/path")

    monkeypatch.setattr(Served, "newest_month", fails)
    with caplog.at_level(logging.ERROR, "cost_lakehouse.serve"):
        answer = client.get("/v1/costs")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "/v1/costs failed" in caplog.text


def test_headers_are_read_as_they_are_written() -> None:
    assert token_of("bearer abc") == "abc"
    assert token_of("Basic " + base64.b64encode(b"name:with:colon").decode()) == "with:colon"
    assert token_of("Digest abc") is None
    assert host_name("[::1]:80") == "[::1]"
    assert host_name("Costs.Example.com:443") == "costs.example.com"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{token: s3cret}", "serve.token: write 16 characters"),
        ("{hosts: ['http://costs.example.com/']}", "is no name of a host"),
        ("{timeout_seconds: 0}", "serve.timeout_seconds"),
        ("{port: 80}", "serve.port: unknown key"),
    ],
)
def test_wrong_settings_are_said_by_field(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "lakehouse.yaml"
    file.write_text(f"serve: {text}\n", encoding="utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load_settings(file)

    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
