"""The places a lake can be in, in each of which its tests run; and an S3 store behind a proxy that writes down what is sent."""

from __future__ import annotations

import ssl
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from tests.lake.stores import Make, store_of
from tests.services.certificates import make_tls
from tests.services.postgres import PostgresServer
from tests.services.recording_proxy import RecordingProxy
from tests.services.s3 import S3Server


@pytest.fixture(params=["sqlite and a folder", "postgresql and a folder", "postgresql and s3"])
def lake_options(request: pytest.FixtureRequest) -> dict[str, object]:
    """The keys of ``lake:`` for a new, empty lake in that place."""
    catalog, _, warehouse = request.param.partition(" and ")
    options: dict[str, object] = {}
    if catalog == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        options["catalog"] = server.url(server.make_database("lake"))
    if warehouse == "s3":
        s3: S3Server = request.getfixturevalue("s3_server")
        options["warehouse"] = f"s3://{s3.make_bucket('lake')}/warehouse"
        options["store"] = {
            "endpoint": s3.endpoint,
            "region": s3.region,
            "access_key": s3.access_key,
            "secret_key": s3.secret_key,
        }
    return options


@pytest.fixture
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


@pytest.fixture
def make(s3_server: S3Server, s3_shared_bucket: str, proxy: RecordingProxy) -> Make:
    """A warehouse behind the proxy, with these options."""

    def made(**options: Any) -> S3Warehouse:
        location = f"s3://{s3_shared_bucket}/{uuid.uuid4().hex}"
        return S3Warehouse(location, store_of(s3_server, **{"endpoint": proxy.endpoint, **options}))

    return made
