"""A bucket at AWS, or at any store that speaks S3, read through boto3."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import TYPE_CHECKING, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError

from cost_lakehouse.config.source import BucketSettings
from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed, SourceError
from cost_lakehouse.storage.object_store import Listing, StoredObject, read_small
from cost_lakehouse.storage.resuming_reader import Body, ResumingReader
from cost_lakehouse.storage.s3_causes import ABSENT, PRECONDITION_FAILED, S3_FAILURES, error_code
from cost_lakehouse.storage.s3_client import DEFAULT_ATTEMPTS, make_s3_client
from cost_lakehouse.storage.s3_errors import S3Errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

READ_BYTES = 1024 * 1024
PAGE_SIZE = 1000
SERVER_FAULT = 500


class S3Store:
    """An ObjectStore on one bucket. ``page_size`` is how many keys a listing asks for at once (S3 allows 1,000)."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        errors: S3Errors | None = None,
        *,
        page_size: int = PAGE_SIZE,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._errors = errors or S3Errors(bucket)
        self._page_size = page_size
        self._pause = pause

    @classmethod
    def of(cls, source: BucketSettings, attempts: int = DEFAULT_ATTEMPTS, client: S3Client | None = None) -> S3Store:
        """The bucket of a source whose location starts with ``s3://``; ``client`` is one that another source made alike.

        Raises SourceError where its profile, region or location cannot be used.
        """
        bucket, prefix = split_location(source.location)
        errors = S3Errors.of(source, bucket, prefix)
        try:
            client = client or make_s3_client(source, attempts, requester_pays=source.requester_pays)
        except BotoCoreError as error:
            raise errors.explain(error, source.location) from None
        except ValueError:
            # botocore refuses an endpoint that is no URL, quoting it; it may hold a password.
            raise SourceError(
                f"Source {source.name}: `endpoint` is not a URL.", "Write it as https://host or http://host:port."
            ) from None
        return cls(client, bucket, errors)

    @property
    def client(self) -> S3Client:
        """What asks the store."""
        return self._client

    def describe(self, key: str) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self._bucket}/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose key starts with ``prefix``, page by page."""
        for page in self._pages(prefix, ""):
            yield from _objects(page)

    def list_folder(self, folder: str) -> Listing:
        """One level: S3 itself leaves out what lies deeper, so that old deliveries cost nothing."""
        objects: list[StoredObject] = []
        folders: list[str] = []
        for page in self._pages(folder, "/"):
            objects.extend(_objects(page))
            folders.extend(commonprefix["Prefix"] for commonprefix in page.get("CommonPrefixes", ()))
        return Listing(tuple(objects), tuple(folders))

    def head(self, key: str) -> StoredObject | None:
        """The object of that key; None where it is not there."""
        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=key)
        except S3_FAILURES as error:
            if isinstance(error, ClientError) and error_code(error) in ABSENT:
                return None
            raise self._errors.explain(error, self.describe(key)) from None
        return StoredObject(
            key=key,
            etag=_bare(answer["ETag"]),
            size=answer["ContentLength"],
            last_modified=answer["LastModified"].astimezone(UTC),
        )

    def open(self, obj: StoredObject) -> BinaryIO:
        """The content, only while it is the listed one; a broken connection is resumed."""
        reader = ResumingReader(
            self.describe(obj.key), obj.size, open_at=lambda offset: self._get(obj, offset), pause=self._pause
        )
        return cast(BinaryIO, io.BufferedReader(reader, READ_BYTES))

    def read(self, obj: StoredObject) -> bytes:
        """The whole content of a small object."""
        return read_small(self, obj)

    def _get(self, obj: StoredObject, offset: int) -> Body:
        place = self.describe(obj.key)
        wanted = f'"{obj.etag}"'
        try:
            if offset:
                answer = self._client.get_object(Bucket=self._bucket, Key=obj.key, IfMatch=wanted, Range=f"bytes={offset}-")
            else:  # A range on an empty object would be an error.
                answer = self._client.get_object(Bucket=self._bucket, Key=obj.key, IfMatch=wanted)
        except ClientError as error:
            code = error_code(error)
            if code in ABSENT or code in PRECONDITION_FAILED:
                raise _changed(place) from None
            if int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= SERVER_FAULT:
                told = self._errors.explain(error, place)
                raise DeliveryFailed(told.problem, told.fix) from None
            raise self._errors.explain(error, place) from None
        except S3_FAILURES as error:
            told = self._errors.explain(error, place)
            raise DeliveryFailed(told.problem, told.fix) from None
        # Not every store honours IfMatch.
        if _bare(answer["ETag"]) != obj.etag or answer["ContentLength"] != obj.size - offset:
            answer["Body"].close()
            raise _changed(place)
        return cast(Body, answer["Body"])

    def _pages(self, prefix: str, delimiter: str) -> Iterator[ListObjectsV2OutputTypeDef]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": self._page_size}
        )
        try:
            yield from pages
        except S3_FAILURES as error:
            raise self._errors.explain(error, self.describe(prefix)) from None


def split_location(location: str) -> tuple[str, str]:
    """``s3://bucket/prefix/report`` as bucket and prefix, the latter without a slash at its end.

    A second slash after the bucket belongs to the prefix: AWS writes such keys where a report's prefix is empty.
    """
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return bucket, prefix.rstrip("/")


def _objects(page: ListObjectsV2OutputTypeDef) -> Iterator[StoredObject]:
    for entry in page.get("Contents", ()):
        if not entry["Key"].endswith("/"):
            yield StoredObject(
                key=entry["Key"],
                etag=_bare(entry["ETag"]),
                size=entry["Size"],
                last_modified=entry["LastModified"].astimezone(UTC),
            )


def _bare(etag: str) -> str:
    return etag.strip('"')


def _changed(place: str) -> DeliveryChanged:
    return DeliveryChanged(f"{place} was changed or removed while it was read.", "The next run reads the new delivery.")
