"""Settings of the test server's store, and small files to keep in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from cost_lakehouse.config.store import SMALLEST_PART, StoreSettings
from cost_lakehouse.lake.s3_warehouse import S3Warehouse
from tests.services.s3 import S3Server

FOLDER = "raw/t/data"
Make = Callable[..., S3Warehouse]
"""Makes a warehouse with these options of its store."""


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


def keep(warehouse: S3Warehouse, content: bytes = b"content", name: str = "a.parquet") -> str:
    """Put a file into the warehouse; its location."""
    with warehouse.writing(FOLDER, "load-1") as folder:
        (folder / name).write_bytes(content)
        (location,) = warehouse.keep([folder / name], FOLDER)
    return location


def write_metadata(warehouse: S3Warehouse) -> str:
    """Write a file as pyiceberg does; its location."""
    place = f"{warehouse.location}/metadata.json"
    with warehouse.file_io.new_output(place).create() as stream:
        stream.write(b"{}")
    return place


def content_of_three_parts() -> bytes:
    """More than two of the smallest parts."""
    return bytes(range(256)) * (SMALLEST_PART // 100)
