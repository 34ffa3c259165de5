"""Settings of the test server's store."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from cost_lakehouse.store_settings import StoreSettings
from tests.services.s3 import S3Server


def store_of(server: S3Server, **options: Any) -> StoreSettings:
    """The server with full rights, and whatever else is given."""
    given: dict[str, Any] = {
        "endpoint": server.endpoint,
        "region": server.region,
        "access_key": SecretStr(server.access_key),
        "secret_key": SecretStr(server.secret_key),
        **options,
    }
    return StoreSettings(**{name: value for name, value in given.items() if value is not None})
