"""Fixtures that the whole test suite shares; a service is started once a run, and only where a test asks for it."""

from __future__ import annotations

import gc
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from sqlalchemy import Engine, event

from cost_lakehouse.orchestration.dagster_internals import DagsterSqliteStorage
from tests.demo import demo as demo
from tests.engines import pipelines as pipelines
from tests.grouping import MARKS, mark_of, place_of
from tests.new_lakes import copied
from tests.services.host import RemoteHost, ServiceHost
from tests.services.oci import OciServer
from tests.services.or_skip import or_skip
from tests.services.postgres import PostgresServer
from tests.services.production import ProductionStack
from tests.services.s3 import S3Server
from tests.services.trino import TrinoServer

LONGEST_ID = 40


HOST = pytest.StashKey[ServiceHost | RemoteHost]()


def pytest_configure(config: pytest.Config) -> None:
    """The marks are known; the run's servers are the controller's; cycles are looked for as rarely as in the command."""
    gc.set_threshold(20_000)
    for name, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    worker = getattr(config, "workerinput", None)
    config.stash[HOST] = ServiceHost() if worker is None else RemoteHost(worker["host"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of pytest-xdist is told where the controller answers."""
    host = node.config.stash[HOST]
    node.workerinput["host"] = host.listen()


def pytest_unconfigure(config: pytest.Config) -> None:
    """The run's servers end with it."""
    config.stash[HOST].stop()


def host_of(request: pytest.FixtureRequest) -> ServiceHost | RemoteHost:
    """Who has the run's servers."""
    return request.config.stash[HOST]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test has its mark; the longest files come first, and the others in the order of the run (pytest-randomly's)."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        item.add_marker(
            mark_of(_file(item), getattr(item, "fixturenames", ()), parameters.params.values() if parameters else ())
        )
    items.sort(key=lambda item: place_of(_file(item)))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Trino takes long to start: it does while other tests run."""
    if session.config.option.collectonly:
        return
    if any("trino_server" in getattr(item, "fixturenames", ()) for item in session.items):
        session.config.stash[HOST].prepare("trino")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes and long texts are named by their argument and position, so that a test's name holds nothing that may change."""
    if isinstance(val, bytes) or (isinstance(val, str) and (len(val) > LONGEST_ID or not val.isprintable())):
        return argname
    return None


@event.listens_for(Engine, "connect")
def nothing_is_forced_to_the_disk(connection: object, _: object) -> None:
    """No test's catalog outlives a crash of the machine; a commit outlives that of its process, as in production."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("pragma synchronous=off")


@pytest.fixture(scope="session", autouse=True)
def a_new_dagster_home_is_a_copy(run_folder: Path) -> Iterator[None]:
    """Dagster makes a home's tables by its migrations, half a second of them: once a run, and then they are copied."""
    make, template = DagsterSqliteStorage.from_local, run_folder / "dagster-home"

    def from_local(base_dir: str, inst_data: Any = None) -> DagsterSqliteStorage:
        home = Path(base_dir)
        if not any((home / part).exists() for part in ("history", "schedules")):
            with FileLock(run_folder / "dagster-home.lock"):
                if not template.exists():
                    make(str(template.with_suffix(".new"))).dispose()
                    template.with_suffix(".new").rename(template)
            with suppress(OSError):  # what is wrong with the place, Dagster says
                shutil.copytree(template, home, dirs_exist_ok=True)
        return make(base_dir, inst_data=inst_data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DagsterSqliteStorage, "from_local", from_local)
        yield


@pytest.fixture(scope="session", autouse=True)
def a_new_lake_s_tables_are_copies() -> Iterator[None]:
    """Most tests make a lake in a folder of their own."""
    with copied():
        yield


@pytest.fixture(scope="session")
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """One real S3 server for the run."""
    return S3Server(host_of(request).running("s3")).attached()


@pytest.fixture(scope="session")
def s3_shared_bucket(s3_server: S3Server) -> str:
    """One bucket for the run: a bucket takes the server half a second, so tests share it under prefixes of their own."""
    return s3_server.make_bucket("shared")


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> str:
    """A new, empty bucket."""
    return s3_server.make_bucket()


@pytest.fixture
def oci_server() -> Iterator[OciServer]:
    """Oracle Cloud on this machine: a region with one tenancy and nothing in it."""
    server = OciServer().start()
    yield server
    server.stop()


@pytest.fixture
def no_own_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any AWS configuration."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> PostgresServer:
    """One real PostgreSQL for the run; a test takes a database of its own with ``make_database``."""
    return or_skip(lambda: PostgresServer(host_of(request).running("postgres")).attached())


@pytest.fixture(scope="session")
def trino_server(request: pytest.FixtureRequest) -> TrinoServer:
    """One real Trino for the run, without a catalog: a test's lake brings its own."""
    return or_skip(lambda: TrinoServer(host_of(request).running("trino")).attached())


@pytest.fixture(scope="session")
def run_folder(request: pytest.FixtureRequest) -> Path:
    """A folder that all processes of the run see, for what is made once whoever needs it first."""
    return host_of(request).folder


@pytest.fixture(scope="session")
def production(postgres_server: PostgresServer, s3_server: S3Server, trino_server: TrinoServer) -> ProductionStack:
    """PostgreSQL, S3 and Trino, on which ``new_lake`` makes lakes."""
    return ProductionStack(postgres_server, s3_server, trino_server)


@pytest.fixture
def production_lake(production: ProductionStack, tmp_path: Path) -> Iterator[Path]:
    """The lakehouse.yaml of a new, empty lake in the production setting, without sources."""
    config = production.new_lake(tmp_path)
    yield config
    production.drop_lake(config)
