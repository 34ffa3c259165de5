"""Real servers on this machine for the benchmarks of the production setting: those that the tests use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.services.postgres import PostgresServer
from tests.services.production import ProductionStack
from tests.services.s3 import S3Server
from tests.services.trino import TrinoServer


@contextmanager
def postgres_and_s3(folder: Path) -> Iterator[tuple[PostgresServer, S3Server]]:
    """PostgreSQL and an S3 server, their data below ``folder``. Raises ServiceError where one cannot be had."""
    with ExitStack() as stack:
        postgres, s3 = PostgresServer(folder / "postgres"), S3Server(folder / "s3")
        for server in (postgres, s3):
            stack.callback(server.stop)
            server.start()
        yield postgres, s3


@contextmanager
def production(folder: Path) -> Iterator[ProductionStack]:
    """The two, and Trino. Raises ServiceError where one cannot be had."""
    with postgres_and_s3(folder) as (postgres, s3), ExitStack() as stack:
        trino = TrinoServer(folder / "trino", config={}, heap="3G", java=())  # the tests spare what small tables do not need
        stack.callback(trino.stop)
        trino.start()
        yield ProductionStack(postgres, s3, trino)
