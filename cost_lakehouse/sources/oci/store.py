"""A bucket of Oracle Cloud's Object Storage, read through the official SDK."""

from __future__ import annotations

import base64
import binascii
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, cast

from cost_lakehouse.config.oci import OciSettings
from cost_lakehouse.errors import DeliveryChanged, DeliveryFailed
from cost_lakehouse.sources.oci.client import DEFAULT_ATTEMPTS, MAX_CONNECTIONS, object_storage_client
from cost_lakehouse.sources.oci.errors import NOT_FOUND, PRECONDITION_FAILED, SERVER_FAULT, OciErrors, is_failure, status_of
from cost_lakehouse.storage.object_store import Listing, StoredObject, read_small
from cost_lakehouse.storage.resuming_reader import ResumingReader

READ_BYTES = 1024 * 1024
PAGE_SIZE = 1000
MD5_BYTES = 16
_FIELDS = "name,size,etag,md5,timeModified"


@dataclass(frozen=True)
class ListedObject:
    """One object with the checksum that its listing tells: as written there, and its bytes where it is of the content.

    An object that was uploaded in parts has a checksum of its parts' checksums, which nobody else can compute.
    """

    stored: StoredObject
    checksum: str
    md5: bytes | None


class OciStore:
    """An ObjectStore on one bucket. ``page_size`` is how many names a listing asks for at once (1,000 at most)."""

    def __init__(
        self,
        client: Any,
        namespace: str,
        bucket: str,
        errors: OciErrors,
        *,
        page_size: int = PAGE_SIZE,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._bucket = bucket
        self._errors = errors
        self._page_size = page_size
        self._pause = pause

    @classmethod
    def of(
        cls,
        tenancy: str,
        oci: OciSettings,
        *,
        attempts: int = DEFAULT_ATTEMPTS,
        connections: int = MAX_CONNECTIONS,
        pause: Callable[[float], None] = time.sleep,
    ) -> OciStore:
        """The bucket that holds a tenancy's reports.

        Raises SourceError where there is no such identity; the bucket is asked for only when it is listed.
        """
        client = object_storage_client(oci, attempts=attempts, connections=connections, pause=pause)
        return cls(client, oci.namespace, oci.bucket_of(tenancy), OciErrors(oci, tenancy), pause=pause)

    def describe(self, key: str) -> str:
        """``oci://bucket@namespace/key``, as Oracle's own tools write it."""
        return f"oci://{self._bucket}@{self._namespace}/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object whose name starts with ``prefix``, page by page."""
        for list_with_checksum in self.list_with_checksums(prefix):
            yield list_with_checksum.stored

    def list_with_checksums(self, prefix: str) -> Iterator[ListedObject]:
        """The same with what Object Storage knows of their content."""
        for page in self._pages(prefix, None):
            yield from _objects(page)

    def list_folder(self, folder: str) -> Listing:
        """One level: what lies deeper is left out by Object Storage itself."""
        objects: list[StoredObject] = []
        folders: list[str] = []
        for page in self._pages(folder, "/"):
            objects.extend(stored_object.stored for stored_object in _objects(page))
            folders.extend(page.prefixes or ())
        return Listing(tuple(objects), tuple(folders))

    def head(self, key: str) -> StoredObject | None:
        """The object of that name; None where it is not there, or the whole bucket is not for us."""
        try:
            answer = self._client.head_object(self._namespace, self._bucket, key)
        except Exception as error:
            if not is_failure(error):
                raise
            if status_of(error) == NOT_FOUND:
                return None
            raise self._errors.explain(error, self.describe(key)) from None
        headers = answer.headers
        return StoredObject(
            key=key,
            etag=_bare(headers["etag"]),
            size=int(headers["content-length"]),
            last_modified=parsedate_to_datetime(headers["last-modified"]).astimezone(UTC),
        )

    def open(self, obj: StoredObject) -> BinaryIO:
        """The content, only while it is the listed one; a broken connection is resumed."""
        return self.open_range(obj, 0, obj.size)

    def open_range(self, obj: StoredObject, start: int, end: int) -> BinaryIO:
        """The bytes from ``start`` up to (not with) ``end``, as ``open`` gives all of them."""
        place = self.describe(obj.key)
        reader = ResumingReader(
            place, end - start, open_at=lambda offset: self._get(obj, start + offset, end), pause=self._pause
        )
        return cast(BinaryIO, io.BufferedReader(reader, READ_BYTES))

    def read(self, obj: StoredObject) -> bytes:
        """The whole content of a small object."""
        return read_small(self, obj)

    def _get(self, obj: StoredObject, start: int, end: int) -> _Body:
        place = self.describe(obj.key)
        options: dict[str, Any] = {"if_match": obj.etag}
        if (start, end) != (0, obj.size):  # A range on an empty object would be an error.
            options["range"] = f"bytes={start}-{end - 1}"
        try:
            answer = self._client.get_object(self._namespace, self._bucket, obj.key, **options)
        except Exception as error:
            if not is_failure(error):
                raise
            status = status_of(error)
            if status in (NOT_FOUND, PRECONDITION_FAILED):
                raise _changed(place) from None
            explained = self._errors.explain(error, place)
            if status == 0 or status >= SERVER_FAULT:
                raise DeliveryFailed(explained.problem, explained.fix) from None
            raise explained from None
        if _bare(answer.headers["etag"]) != obj.etag or int(answer.headers["content-length"]) != end - start:
            answer.data.close()
            raise _changed(place)
        return _Body(answer.data)

    def _pages(self, prefix: str, delimiter: str | None) -> Iterator[Any]:
        start: str | None = None
        while True:
            try:
                page = self._client.list_objects(
                    self._namespace,
                    self._bucket,
                    prefix=prefix or None,
                    start=start,
                    limit=self._page_size,
                    delimiter=delimiter,
                    fields=_FIELDS,
                ).data
            except Exception as error:
                if not is_failure(error):
                    raise
                raise self._errors.explain(error, self.describe(prefix)) from None
            yield page
            start = page.next_start_with
            if not start:
                return


class _Body:
    """The content of one answer, as it came over the wire: what is packed stays packed."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def read(self, amount: int, /) -> bytes:
        content: bytes = self._answer.raw.read(amount, decode_content=False)
        return content

    def close(self) -> None:
        self._answer.close()


def _objects(page: Any) -> Iterator[ListedObject]:
    for stored_object in page.objects:
        if not stored_object.name.endswith("/"):
            checksum = stored_object.md5 or ""
            stored = StoredObject(
                key=stored_object.name,
                etag=_bare(stored_object.etag),
                size=stored_object.size,
                last_modified=stored_object.time_modified.astimezone(UTC),
            )
            yield ListedObject(stored, checksum, _md5(checksum))


def _md5(checksum: str) -> bytes | None:
    try:
        digest = base64.b64decode(checksum, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == MD5_BYTES else None


def _bare(etag: str) -> str:
    return etag.strip('"')


def _changed(place: str) -> DeliveryChanged:
    return DeliveryChanged(f"{place} was changed or removed while it was read.", "The next run reads the new one.")
