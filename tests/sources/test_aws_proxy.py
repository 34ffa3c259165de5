"""A source's proxy sees everything that the source asks, S3 and STS alike, and nothing of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.storage.aws_session import session_of
from cost_lakehouse.storage.s3_store import S3Store
from tests.services.certificates import make_tls
from tests.services.forward_proxy import ForwardProxy
from tests.services.ports import free_ports
from tests.services.recording_proxy import RecordingProxy
from tests.services.s3 import S3Server
from tests.services.sts import StsServer
from tests.sources.s3_sources import refused

ME = "arn:aws:iam::444455556666:role/machine"
READER = "arn:aws:iam::111122223333:role/read-the-bill"
LOGIN = "lakehouse:pass%20word-s3cret"
# Nobody but the proxy knows this host.
HOST = "aws.acme.test"

pytestmark = pytest.mark.usefixtures("no_own_credentials")


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def sts(s3_server: S3Server) -> Iterator[StsServer]:
    with StsServer(s3_server) as server:
        server.add_role(READER, trusts={ME})
        yield server


def source_of(server: S3Server, bucket: str, **other: Any) -> AwsCurSettings:
    given = {"name": "acme", "kind": "aws_cur", "location": f"s3://{bucket}/cur/hourly", "endpoint": server.endpoint}
    return AwsCurSettings.model_validate({**given, "region": "us-east-1", **other})


def read_all(source: AwsCurSettings, key: str) -> bytes:
    """Every request that a load makes: list, level by level too, HEAD and GET."""
    store = S3Store.of(source, attempts=1)
    (found,) = store.list(key)
    assert store.list_folder("proxied/").folders == ("proxied/hourly/",)
    assert store.head(key) == found
    return store.read(found)


@pytest.fixture
def key(s3_server: S3Server, s3_shared_bucket: str) -> str:
    name = "proxied/hourly/a.csv.gz"
    s3_server.client().put_object(Bucket=s3_shared_bucket, Key=name, Body=b"a bill")
    return name


def test_every_request_of_a_source_goes_by_its_proxy_and_none_of_the_others(
    s3_server: S3Server, s3_shared_bucket: str, sts: StsServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = {"role_arn": READER, **sts.add_user(ME)}
    names = {HOST: s3_server.port, f"sts.{HOST}": int(sts.server_address[1])}
    ours, theirs = ForwardProxy(names, login="lakehouse:pass word-s3cret"), ForwardProxy()
    with RecordingProxy(s3_server.port) as front, ours, theirs:
        # Neither what the machine says nor its exceptions count for a source that has its own.
        monkeypatch.setenv("HTTP_PROXY", theirs.url)
        monkeypatch.setenv("NO_PROXY", f"{HOST},127.0.0.1")
        proxied = source_of(
            s3_server,
            s3_shared_bucket,
            endpoint=f"http://{HOST}",
            sts_endpoint=f"http://sts.{HOST}",
            proxy=f"http://{LOGIN}@{ours.address}",
            **role,
        )
        assert read_all(proxied, key) == b"a bill"
        assert {(item.method, item.host) for item in ours.passed} == {
            ("GET", HOST),
            ("HEAD", HOST),
            ("POST", f"sts.{HOST}"),
        }
        count = len(ours.passed)

        direct = source_of(s3_server, s3_shared_bucket, endpoint=front.endpoint, sts_endpoint=sts.endpoint, **role)
        assert read_all(direct, key) == b"a bill"
        assert len(front.seen) == count - 1, "the same requests, and STS's is not among them"
        assert (len(ours.passed), theirs.passed) == (count, [])

        other = source_of(s3_server, s3_shared_bucket, sts_endpoint=sts.endpoint, proxy=theirs.url, **role)
        assert read_all(other, key) == b"a bill"
        assert (len(ours.passed), len(theirs.passed)) == (count, count)


def test_https_goes_through_tunnels_for_s3_for_sts_and_for_a_profiles_role(
    s3_server: S3Server, s3_shared_bucket: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, authority = make_tls(tmp_path, HOST)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    with RecordingProxy(s3_server.port, tls) as front, StsServer(s3_server, tls=tls) as sts:
        sts.add_role(READER, trusts={ME})
        keys = sts.add_user(ME)
        s3_port, sts_port = int(front.server_address[1]), int(sts.server_address[1])
        (tmp_path / "config").write_text(
            f"[profile me]\naws_access_key_id = {keys['access_key']}\naws_secret_access_key = {keys['secret_key']}\n"
            f"[profile billing]\nrole_arn = {READER}\nsource_profile = me\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"https://{HOST}:8443")
        for who in ({"role_arn": READER, **keys}, {"profile": "billing"}):
            with ForwardProxy({f"{HOST}:443": s3_port, f"{HOST}:8443": sts_port}) as proxy:
                source = source_of(s3_server, s3_shared_bucket, endpoint=f"https://{HOST}", proxy=proxy.url, **who)
                assert read_all(source, key) == b"a bill"
                assert {item.method for item in proxy.passed} == {"CONNECT"}
                assert proxy.hosts() == {f"{HOST}:443", f"{HOST}:8443"}


def test_every_service_of_a_source_has_its_proxy(s3_server: S3Server) -> None:
    session, region = session_of(source_of(s3_server, "bucket", proxy="http://proxy.acme.test:3128"))
    for client in (session.client("athena", region_name=region), session.client("organizations"), session.client("cur")):
        assert client.meta.config.proxies == {"http": "http://proxy.acme.test:3128", "https": "http://proxy.acme.test:3128"}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_another_login_is_told_without_any_password(
    s3_server: S3Server, s3_shared_bucket: str, scheme: str
) -> None:
    keys = {"access_key": s3_server.access_key, "secret_key": s3_server.secret_key}
    with ForwardProxy(login="lakehouse:another") as proxy:
        source = source_of(
            s3_server, s3_shared_bucket, endpoint=f"{scheme}://{HOST}", proxy=f"http://{LOGIN}@{proxy.address}", **keys
        )
        error = refused(source)
    assert error.problem == f"The proxy on the way to {scheme}://{HOST} wants another user and password."
    assert "${PASSWORD}" in error.fix
    assert "s3cret" not in str(error)


def test_a_proxy_that_does_not_let_pass_or_is_not_there_is_told(s3_server: S3Server, s3_shared_bucket: str) -> None:
    keys = {"access_key": s3_server.access_key, "secret_key": s3_server.secret_key}
    with ForwardProxy() as proxy:
        proxy.refuses.add(f"{HOST}:443")
        error = refused(source_of(s3_server, s3_shared_bucket, endpoint=f"https://{HOST}", proxy=proxy.url, **keys))
        assert error.problem == f"The proxy refuses to connect to https://{HOST}."
    nobody = f"http://{LOGIN}@127.0.0.1:{free_ports(1)[0]}"
    for endpoint in (s3_server.endpoint, f"https://{HOST}"):
        error = refused(source_of(s3_server, s3_shared_bucket, endpoint=endpoint, proxy=nobody, **keys))
        assert error.problem == f"The proxy on the way to {endpoint} does not answer."
        assert "`proxy`" in error.fix
        assert "s3cret" not in str(error)


@pytest.mark.parametrize("given", ["127.0.0.1:3128", "socks5://host:1", f"http://{LOGIN}@", 3128, "http://host:port"])
def test_a_proxy_that_is_no_url_is_told_without_showing_it(s3_server: S3Server, given: Any) -> None:
    with pytest.raises(ValueError, match="write http://host:port") as caught:
        source_of(s3_server, "bucket", proxy=given)
    assert "s3cret" not in "".join(str(error["msg"]) for error in caught.value.errors())  # type: ignore[attr-defined]


def test_a_proxys_password_is_in_no_text_of_the_settings(s3_server: S3Server) -> None:
    source = source_of(s3_server, "bucket", proxy=f"http://{LOGIN}@host:3128")
    assert "s3cret" not in f"{source!r} {source.model_dump()} {source.model_dump_json()}"


def test_requests_say_that_the_requester_pays_where_the_source_says_so(
    s3_server: S3Server, s3_shared_bucket: str, key: str
) -> None:
    keys = {"access_key": s3_server.access_key, "secret_key": s3_server.secret_key}
    for pays, said in ((True, {"requester"}), (False, {None})):
        with RecordingProxy(s3_server.port) as front:
            source = source_of(s3_server, s3_shared_bucket, endpoint=front.endpoint, requester_pays=pays, **keys)
            assert read_all(source, key) == b"a bill"
            assert {item.headers.get("x-amz-request-payer") for item in front.seen} == said
