"""The warehouse on an S3-compatible store: files are written on this machine, then uploaded whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
from botocore.exceptions import BotoCoreError
from pyiceberg.io import FileIO

from cost_lakehouse.config.store import StoreSettings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.staging import staging_folder
from cost_lakehouse.lake.store_client import make_session, make_store_client
from cost_lakehouse.lake.store_duckdb import let_duckdb_read
from cost_lakehouse.lake.store_errors import StoreErrors
from cost_lakehouse.lake.store_io import StoreIO, split_object
from cost_lakehouse.lake.store_upload import upload_all
from cost_lakehouse.lake.warehouse import FoundFile
from cost_lakehouse.storage.s3_causes import S3_FAILURES

DELETED_AT_ONCE = 1000


class S3Warehouse:
    """A Warehouse below ``s3://bucket/prefix``."""

    def __init__(self, location: str, store: StoreSettings) -> None:
        """Asks nobody for anything yet.

        Raises LakeError where credentials are set up wrongly, ConfigurationError where an option cannot be used.
        """
        self.location = location.rstrip("/")
        self.bucket, _, prefix = self.location.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._store = store
        self._errors = StoreErrors(store, self.bucket)
        try:
            self._session = make_session(store)
            self._client = make_store_client(store, self._session)
        except BotoCoreError as error:
            raise self._errors.explain(error, self.location) from None
        self._files = StoreIO(store, self._client)
        self.file_io: FileIO = self._files

    @contextmanager
    def writing(self, folder: str, load_id: str) -> Iterator[Path]:
        """A folder of this machine, gone at the end; ``keep`` has to be called before.

        Raises LakeError where it has no room.
        """
        with staging_folder(load_id) as staged:
            path = staged / folder
            path.mkdir(parents=True)
            yield path

    def keep(self, files: Sequence[Path], folder: str) -> list[str]:
        """Upload the files, prove that each arrived, and tell their locations.

        Raises LakeError where the store does not take one; nobody knows of the others before a commit names them.
        """
        keys = [f"{self._prefix}{folder}/{path.name}" for path in files]
        upload_all(self._client, self._store, self._errors, self.bucket, list(zip(files, keys, strict=True)))
        return [f"s3://{self.bucket}/{key}" for key in keys]

    def read(self, name: str) -> bytes | None:
        """A small file of the warehouse; None where it is not there. Raises LakeError."""
        try:
            return self._files.fetch(f"{self.location}/{name}", None, None).content
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes, *, only_new: bool) -> None:
        """Write a small file whole. Raises LakeError; FileExistsError where only a new one is wanted, and there is one."""
        self._files.put(f"{self.location}/{name}", content, overwrite=not only_new)

    def list(self, folder: str) -> list[FoundFile]:
        """Every file below a folder, sorted by location. Raises LakeError."""
        prefix = f"{self._prefix}{folder.strip('/')}/" if folder.strip("/") else self._prefix
        operation: Any = "list_objects" if self._store.list_objects_version == "v1" else "list_objects_v2"
        found = []
        try:
            for page in self._client.get_paginator(operation).paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    if not entry["Key"].endswith("/"):  # Some tools make an empty object for a folder.
                        modified = entry["LastModified"].astimezone(UTC)
                        found.append(FoundFile(f"s3://{self.bucket}/{entry['Key']}", entry["Size"], modified))
        except S3_FAILURES as error:
            raise self._errors.explain(error, f"s3://{self.bucket}/{prefix}") from None
        return sorted(found, key=lambda one: one.location)

    def delete(self, locations: Sequence[str]) -> None:
        """Remove files, a thousand a request; one that is not there is fine. Raises LakeError."""
        keys = [self._key(location) for location in locations]
        for start in range(0, len(keys), DELETED_AT_ONCE):
            batch = keys[start : start + DELETED_AT_ONCE]
            try:
                answer = self._client.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
                )
            except S3_FAILURES as error:
                raise self._errors.explain(error, f"s3://{self.bucket}/{batch[0]}") from None
            failed = [candidate for candidate in answer.get("Errors", ()) if candidate.get("Code") not in ("NoSuchKey", "404")]
            if failed:
                raise self._errors.explain_code(
                    failed[0].get("Code", ""), failed[0].get("Message", ""), f"s3://{self.bucket}/{failed[0].get('Key', '')}"
                )

    def let_duckdb_read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Load DuckDB's httpfs from this machine and tell it the store and its credentials.

        Raises LakeError where there are no credentials, or httpfs is not installed.
        """
        let_duckdb_read(connection, self._files, self._session, self.bucket, self._errors)

    def _key(self, location: str) -> str:
        bucket, key = split_object(location)
        if bucket != self.bucket or not key.startswith(self._prefix):
            raise LakeError(f"{location} is not in the warehouse {self.location}.", "Nothing was deleted.")
        return key
