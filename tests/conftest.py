"""Fixtures that the whole test suite shares; a service is started once a run, and only where a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo import demo as demo
from tests.services.s3 import S3Server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One real S3 server for the run."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def s3_shared_bucket(s3_server: S3Server) -> str:
    """One bucket for the run: a bucket takes the server half a second, so tests share it under prefixes of their own."""
    return s3_server.make_bucket("shared")


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> str:
    """A new, empty bucket."""
    return s3_server.make_bucket()
