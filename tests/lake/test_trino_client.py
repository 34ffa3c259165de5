"""Logging in to a real Trino over TLS in every way, from the client and from dbt; and what is told where it fails."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from trino import exceptions

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.errors import ConfigurationError, LakeError
from cost_lakehouse.lake.trino_client import StatementRefused, TimeIsUp, connect, explained, rows, running
from cost_lakehouse.summaries.dbt_profile import trino_environment, trino_output, trino_secret, write_trino_profile
from tests.dbt.building import PROJECT
from tests.forked import forked_dbt
from tests.services.certificates import make_tls
from tests.services.ports import free_ports
from tests.services.trino import USER, TrinoServer
from tests.services.trino_logins import PASSWORD, Logins, token

ONE_DAY = 86_400


def settings(folder: Path, **trino: Any) -> Settings:
    """A lakehouse.yaml of a lake that is read by that Trino."""
    lake = {"engine": "trino", "catalog": "postgresql://x@x/x", "warehouse": "s3://x/x", "trino": trino}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lakehouse.yaml").write_text(yaml.safe_dump({"lake": lake}))
    return load_settings(folder / "lakehouse.yaml")


@dataclass(frozen=True)
class Secured:
    """A Trino that lets nobody in unknown: its address, the authority of its certificate, and a client's own."""

    port: int
    authority: Path
    client: Path  # folder of server.pem and server.key, made for the name 127.0.0.1
    token_url: str

    def way(self, method: str) -> dict[str, Any]:
        """``lake.trino`` of each way in."""
        ways: dict[str, dict[str, Any]] = {
            "basic": {"password": PASSWORD},
            "jwt": {"token": token()},
            "certificate": {"cert": str(self.client / "server.pem"), "key": str(self.client / "server.key")},
            "oauth2": {
                "client": {"token_url": self.token_url, "client_id": "lake", "client_secret": PASSWORD, "scope": "trino"}
            },
        }
        user = "127.0.0.1" if method == "certificate" else USER
        return self.place() | {"user": user, "auth": {"method": method, **ways[method]}}

    def place(self) -> dict[str, Any]:
        """The address, and who vouches for it."""
        return {"host": "127.0.0.1", "port": self.port, "http_scheme": "https", "verify": str(self.authority)}


@pytest.fixture(scope="module")
def secured(trino_server: TrinoServer) -> Iterator[Secured]:
    logins = Logins(trino_server.folder / "logins")
    with answering(logins.context(), tokens) as port:
        yield Secured(trino_server.https_port, logins.authority, logins.client, f"https://127.0.0.1:{port}/token")


Answer = tuple[int, Mapping[str, str], bytes]


def tokens(request: BaseHTTPRequestHandler, body: bytes) -> Answer:
    """An identity provider: a token for the client that it knows, by the client credentials grant."""
    known = "Basic " + base64.b64encode(f"lake:{PASSWORD}".encode()).decode()
    if request.headers["Authorization"] != known or body != b"grant_type=client_credentials&scope=trino":
        return 401, {}, b'{"error": "invalid_client"}'
    return 200, {}, json.dumps({"access_token": token(), "token_type": "Bearer"}).encode()


@contextmanager
def answering(context: ssl.SSLContext | None, answer: Any) -> Iterator[int]:
    """A small HTTP(S) server that answers as told; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, headers, content = answer(self, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def another_authority(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A machine may name an authority for everything; what ``lake.trino.verify`` says is stronger."""
    folder = tmp_path_factory.mktemp("another")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(make_tls(folder)[1]))


@pytest.mark.parametrize("method", ["basic", "jwt", "certificate", "oauth2"])
def test_trino_knows_who_asks(secured: Secured, tmp_path: Path, method: str) -> None:
    way = secured.way(method)
    assert rows(settings(tmp_path, **way), "select current_user") == [(way["user"],)]


@pytest.mark.parametrize("method", ["basic", "jwt", "certificate", "oauth2"])
def test_dbt_logs_in_the_same_way_and_its_profile_holds_no_secret(secured: Secured, tmp_path: Path, method: str) -> None:
    given = settings(tmp_path, **secured.way(method))
    write_trino_profile(given, tmp_path / "profile", "build_x")
    secret = trino_secret(given)
    profile = (tmp_path / "profile" / "profiles.yml").read_text()
    assert PASSWORD not in profile
    assert not secret or secret not in profile
    done = debug(tmp_path, given, secret)
    assert "All checks passed!" in done, done
    assert not secret or secret not in done


def test_dbt_checks_the_certificate(secured: Secured, tmp_path: Path) -> None:
    given = settings(tmp_path, **(secured.way("basic") | {"verify": True}))
    write_trino_profile(given, tmp_path / "profile", "build_x")
    done = debug(tmp_path, given, PASSWORD)
    assert "CERTIFICATE_VERIFY_FAILED" in done
    assert PASSWORD not in done


def debug(folder: Path, given: Settings, secret: str) -> str:
    """What ``dbt debug`` says of the connection."""
    arguments = ["debug", "--connection", "--profiles-dir", str(folder / "profile"), "--target", "trino"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COST_LAKEHOUSE_")}
    environment |= {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "target")}
    environment |= trino_environment(given, secret)
    return forked_dbt(folder / "said.txt", [*arguments, "--project-dir", str(PROJECT)], PROJECT, environment).stdout


@pytest.mark.parametrize(
    ("wrong", "says", "fix"),
    [
        (
            {"auth": {"method": "basic", "password": "wrong-secret"}},
            "refuses the login of user cost-lakehouse by basic",
            "auth",
        ),
        (
            {"auth": {"method": "jwt", "token": token(key=b"another key", lifetime=ONE_DAY)}},
            "refuses the login of user cost-lakehouse by jwt",
            "auth",
        ),
        ({"auth": {"method": "none"}}, "refuses the login of user cost-lakehouse by none", "lake.trino.auth"),
        ({"verify": True}, "is not trusted: ", "lake.trino.verify"),
        (
            # Made when the tests are collected: it has to be valid long after.
            {"user": "somebody-else", "auth": {"method": "jwt", "token": token(lifetime=ONE_DAY)}},
            "Access Denied",
            "Give user somebody-else access",
        ),
        ({"host": "localhost"}, "is not trusted: Hostname mismatch", "lake.trino.verify"),
    ],
)
def test_who_is_not_let_in_is_told_why_without_the_secret(
    secured: Secured, tmp_path: Path, wrong: dict[str, Any], says: str, fix: str
) -> None:
    with pytest.raises(LakeError) as told:
        rows(settings(tmp_path, **(secured.way("basic") | {"max_attempts": 1} | wrong)), "select 1")
    assert says in told.value.problem
    assert fix in told.value.fix
    assert "wrong-secret" not in str(told.value)
    assert PASSWORD not in str(told.value)


def test_verification_can_be_turned_off_only_by_name(
    secured: Secured, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    import warnings

    import urllib3

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        assert rows(settings(tmp_path, **(secured.way("basic") | {"verify": False})), "select 1") == [(1,)]


def test_an_identity_provider_that_refuses_is_told(secured: Secured, tmp_path: Path) -> None:
    way = secured.way("oauth2")
    way["auth"]["client"]["client_secret"] = "wrong-secret"
    with pytest.raises(LakeError, match="No OAuth2 token from https://127.0.0.1:.*: it answers 401") as told:
        rows(settings(tmp_path, **way), "select 1")
    assert "wrong-secret" not in str(told.value)


def test_a_person_follows_a_link_to_log_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trino's own part, as its protocol describes it: the way to a real one leads through an identity provider."""
    context, authority = make_tls(tmp_path)
    result = {"id": "q", "stats": {"state": "FINISHED"}, "infoUri": "x", "data": [[1]], "columns": [
        {"name": "a", "type": "integer", "typeSignature": {"rawType": "integer", "arguments": []}}]}  # fmt: skip

    def trino(request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        base = f"https://{request.headers['Host']}"
        if request.path == "/token":
            return 200, {}, b'{"token": "of-the-person"}'
        if request.headers["Authorization"] != "Bearer of-the-person":
            asks = f'Bearer x_redirect_server="{base}/login", x_token_server="{base}/token"'
            return 401, {"WWW-Authenticate": asks}, b""
        return 200, {}, json.dumps(result).encode()

    with answering(context, trino) as port:
        place = {"host": "127.0.0.1", "port": port, "verify": str(authority), "auth": {"method": "oauth2"}}
        assert rows(settings(tmp_path, **place), "select 1") == [(1,)]
        shown = capsys.readouterr()
        assert f"Open this address to log in to Trino: https://127.0.0.1:{port}/login" in shown.err
        assert shown.out == ""


@pytest.mark.parametrize(("redirect", "method"), [("browser", "oauth"), ("console", "oauth_console")])
def test_dbt_sends_a_person_to_the_same_link(tmp_path: Path, redirect: str, method: str) -> None:
    given = settings(tmp_path, host="trino.example.com", auth={"method": "oauth2", "redirect": redirect})
    assert trino_output(given, "x")["method"] == method
    assert trino_secret(given) == ""


def test_a_statement_has_the_time_that_it_is_given(tmp_path: Path) -> None:
    given = settings(
        tmp_path, host="x", session_properties={"query_max_run_time": "1h", "join_max_broadcast_table_size": "1MB"}
    )
    said = {"errorName": "EXCEEDED_TIME_LIMIT", "errorType": "INSUFFICIENT_RESOURCES", "message": "Query exceeded its limit"}

    with connect(given, seconds=2.5) as limited, connect(given) as free:
        times = [connection._client_session.properties["query_max_run_time"] for connection in (limited, free)]
    with pytest.raises(TimeIsUp, match="exceeded its limit"), explained(given):
        raise exceptions.TrinoQueryError(said)

    assert times == ["2500ms", "1h"]


def test_a_password_of_another_user_is_used_for_its_own_login(tmp_path: Path) -> None:
    given = settings(tmp_path, host="x", user="reader", auth={"method": "basic", "user": "robot", "password": PASSWORD})
    output = trino_output(given, "x")
    assert (output["user"], output["impersonation_user"]) == ("robot", "reader")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_trino_that_is_not_there_is_told(tmp_path: Path, scheme: str) -> None:
    (port,) = free_ports(1)
    place = {"host": "127.0.0.1", "port": port, "http_scheme": scheme, "max_attempts": 1}
    with pytest.raises(LakeError, match=f"Trino at {scheme}://127.0.0.1:{port} cannot be reached: Connection refused"):
        rows(settings(tmp_path, **place), "select 1")


def test_what_is_no_trino_is_told(tmp_path: Path) -> None:
    with answering(None, lambda request, body: (404, {}, b"not here")) as port:
        with pytest.raises(LakeError, match="it is no Trino coordinator"):
            rows(settings(tmp_path, host="127.0.0.1", port=port), "select 1")
        with pytest.raises(LakeError, match="does not speak TLS"):
            rows(settings(tmp_path, host="127.0.0.1", port=port, http_scheme="https", max_attempts=1), "select 1")


def test_a_trino_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = {"host": "127.0.0.1", "port": silent.getsockname()[1], "max_attempts": 1, "request_timeout_seconds": 0.2}
        with pytest.raises(LakeError, match="did not answer in 0.2 s"):
            rows(settings(tmp_path, **place), "select 1")


@pytest.mark.parametrize("auth", [{"cert": "gone.pem", "key": "gone.key"}])
def test_a_file_that_is_not_there_is_told_by_its_field(tmp_path: Path, auth: dict[str, str]) -> None:
    given = settings(tmp_path, host="127.0.0.1", auth={"method": "certificate", **auth})
    with pytest.raises(ConfigurationError, match=r"lake.trino.auth.cert: there is no file .*gone.pem"):
        rows(given, "select 1")
    with pytest.raises(ConfigurationError, match=r"lake.trino.verify: there is no file .*gone.pem"):
        rows(settings(tmp_path, host="127.0.0.1", http_scheme="https", verify="gone.pem"), "select 1")


def test_a_wrong_statement_and_a_missing_catalog_are_told_apart(trino_server: TrinoServer, tmp_path: Path) -> None:
    place = {"host": trino_server.host, "port": trino_server.port, "catalog": "nothing"}
    given = settings(tmp_path, **place)
    with pytest.raises(StatementRefused, match="line 1:8: Column 'nope' cannot be resolved"):
        rows(given, "select nope")
    with pytest.raises(LakeError, match="has no catalog 'nothing'") as told:
        rows(given, "select * from raw.aws_cur")
    assert "lake.trino.catalog" in told.value.fix


def test_session_properties_and_utc_reach_trino(trino_server: TrinoServer, tmp_path: Path) -> None:
    place = {"host": trino_server.host, "port": trino_server.port, "session_properties": {"query_max_run_time": "17m"}}
    given = settings(tmp_path, **place)
    assert [row[1] for row in rows(given, "show session like 'query_max_run_time'")] == ["17m"]
    assert rows(given, "select current_timezone()") == [("UTC",)]


def test_a_session_property_that_trino_does_not_know_is_told(trino_server: TrinoServer, tmp_path: Path) -> None:
    place = {"host": trino_server.host, "port": trino_server.port, "session_properties": {"no_such_thing": 1}}
    with pytest.raises(LakeError, match="no_such_thing"):
        rows(settings(tmp_path, **place), "select 1")


def test_rows_are_fetched_as_they_are_read_and_the_rest_is_cancelled(trino_server: TrinoServer, tmp_path: Path) -> None:
    given = settings(tmp_path, host=trino_server.host, port=trino_server.port)
    many = "select a.n from unnest(sequence(1, 10000)) a(n) cross join unnest(sequence(1, 10000)) b(n)"
    with running(given, f"{many} -- a hundred million rows") as result:
        assert next(result.rows)[0] >= 1
    states = rows(
        given, "select state from system.runtime.queries where query like '%a hundred million rows' and state <> 'RUNNING'"
    )
    assert states == [("FAILED",)]
