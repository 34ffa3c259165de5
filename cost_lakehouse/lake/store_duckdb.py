"""Tells DuckDB how the warehouse's store is reached: its httpfs extension comes from a package, never from the network."""

from __future__ import annotations

import math
import os
from importlib import resources
from typing import TYPE_CHECKING, Any

import boto3
import duckdb
from botocore.exceptions import BotoCoreError, ClientError

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.store_client import make_store_client
from cost_lakehouse.lake.store_errors import StoreErrors
from cost_lakehouse.lake.store_io import StoreIO
from cost_lakehouse.storage.s3_causes import S3_FAILURES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def let_duckdb_read(
    connection: duckdb.DuckDBPyConnection,
    files: StoreIO,
    session: boto3.session.Session,
    bucket: str,
    errors: StoreErrors,
) -> None:
    """Load httpfs and make the secret for ``bucket``; where an option is beyond httpfs, DuckDB reads through ``files``.

    Raises LakeError where there are no credentials, or httpfs is not installed.
    """
    store, place = files.store, f"s3://{bucket}"
    if store.needs_own_reader:
        from cost_lakehouse.lake.store_filesystem import StoreFileSystem

        if StoreFileSystem.protocol not in connection.list_filesystems():
            connection.register_filesystem(StoreFileSystem(files))
        return
    _load_httpfs(connection)
    try:
        found = session.get_credentials()
        if found is None:
            raise errors.no_credentials(place)
        keys = found.get_frozen_credentials()
    except BotoCoreError as error:
        raise errors.explain(error, place) from None
    client = _client_of_region(files, bucket)
    secret: dict[str, Any] = {
        "type": "s3",
        "provider": "config",
        "scope": f"{place}/",
        "key_id": keys.access_key,
        "secret": keys.secret_key,
        "session_token": keys.token,
        "region": client.meta.region_name,
        "endpoint": client.meta.endpoint_url.partition("://")[2],
        "url_style": "path" if store.is_path_style else "vhost",
        "use_ssl": store.is_tls,
        "verify_ssl": not store.insecure_skip_verify,
    }
    _create_secret(connection, "lake_store", secret)
    _set(connection, "http_retries", max(store.max_retries - 1, 0))
    # DuckDB has one limit for all of it, in whole seconds; 0 is no limit here, and a day there.
    _set(connection, "http_timeout", math.ceil(store.response_header_timeout) or 86400)
    authority = store.ca_file or os.environ.get("AWS_CA_BUNDLE")
    if authority:
        _set(connection, "ca_cert_file", authority)


def _load_httpfs(connection: duckdb.DuckDBPyConnection) -> None:
    version = f"v{duckdb.__version__}"
    try:
        extension = resources.files("duckdb_extension_httpfs") / "extensions" / version / "httpfs.duckdb_extension"
    except ModuleNotFoundError:
        extension = None
    if extension is None or not extension.is_file():
        raise LakeError(
            f"DuckDB {version} cannot read S3: its extension httpfs is not installed.",
            f"Install duckdb-extension-httpfs=={duckdb.__version__}.",
        )
    connection.execute(f"load {_quoted(str(extension))}")


def _client_of_region(files: StoreIO, bucket: str) -> S3Client:
    """A client of the bucket's own region: boto3 follows AWS to another one by itself, DuckDB does not."""
    client, store = files.client, files.store
    if store.endpoint is not None or store.region is not None:
        return client
    try:
        headers = client.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    except ClientError as error:  # AWS tells it to those too who may not look.
        headers = error.response["ResponseMetadata"]["HTTPHeaders"]
    except S3_FAILURES:  # Whoever reads will be told.
        return client
    region = headers.get("x-amz-bucket-region", client.meta.region_name)
    return client if region == client.meta.region_name else make_store_client(store.model_copy(update={"region": region}))


def _create_secret(connection: duckdb.DuckDBPyConnection, name: str, options: dict[str, Any]) -> None:
    said = ", ".join(f"{key} {_quoted(value)}" for key, value in options.items() if value is not None)
    connection.execute(f"create or replace temporary secret {name} ({said})")


def _set(connection: duckdb.DuckDBPyConnection, name: str, value: Any) -> None:
    connection.execute(f"set {name} = {_quoted(value)}")


def _quoted(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + str(value).replace("'", "''") + "'"
