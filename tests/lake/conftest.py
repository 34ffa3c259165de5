"""The places a lake can be in: its tests run in each of them."""

from __future__ import annotations

import pytest

from tests.services.postgres import PostgresServer
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
