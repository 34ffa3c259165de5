"""Multipart uploads that outlive the process which began them: the next run finds them and goes on."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cost_lakehouse.mirror.destination import Copied, Original
from cost_lakehouse.mirror.parts import CHUNK, Part, WholeMd5, check_md5, fetched, for_each
from cost_lakehouse.storage.s3_causes import error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GONE = "NoSuchUpload"
_CANNOT_LIST = ("NotImplemented", "MethodNotAllowed")


@dataclass(frozen=True)
class Unfinished:
    """One upload that was begun and not completed."""

    upload_id: str
    begun: datetime


class UnfinishedUploads:
    """What earlier runs have left below a prefix; looked up once, when the first large object is copied."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._found: dict[str, list[Unfinished]] | None = None
        self._lock = threading.Lock()

    def take(self, key: str, original_changed: datetime) -> Unfinished | None:
        """The newest upload of the key. One that was begun before the original was last changed is of no use, and given up."""
        with self._lock:
            if self._found is None:
                self._found = self._list()
            uploads = sorted(self._found.pop(key, ()), key=lambda one: one.begun)
        newest = uploads.pop() if uploads and uploads[-1].begun > original_changed else None
        for upload in uploads:
            self._abort(key, upload)
        return newest

    def abort_rest(self) -> None:
        """Give up what nobody took, where they were looked up at all."""
        with self._lock:
            rest, self._found = self._found or {}, None
        for key, uploads in rest.items():
            for upload in uploads:
                self._abort(key, upload)

    def _list(self) -> dict[str, list[Unfinished]]:
        found: dict[str, list[Unfinished]] = {}
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=self._prefix)
        try:
            for page in pages:
                for entry in page.get("Uploads", ()):
                    upload = Unfinished(entry["UploadId"], entry["Initiated"].astimezone(UTC))
                    found.setdefault(entry["Key"], []).append(upload)
        except ClientError as error:
            if error_code(error) not in _CANNOT_LIST:
                raise
        return found

    def _abort(self, key: str, upload: Unfinished) -> None:
        with suppress(ClientError):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload.upload_id)


class PartsUpload:
    """The upload of one large object."""

    def __init__(
        self, client: S3Client, bucket: str, key: str, parts: list[Part], at_once: int, encryption: dict[str, Any]
    ) -> None:
        self._client = client
        self._encryption = encryption
        self._place = {"Bucket": bucket, "Key": key}
        self._parts = parts
        self._at_once = at_once

    def run(self, original: Original, note: dict[str, str], etag_name: str, earlier: Unfinished | None, copied: Copied) -> bool:
        """Send what ``earlier`` lacks (everything, where it is None), complete it and prove it.

        False where what lies there now is not the original.
        """
        place: Any = self._place
        sent = self._sent(earlier) if earlier is not None else {}
        if earlier is not None and not sent:
            with suppress(ClientError):
                self._client.abort_multipart_upload(**place, UploadId=earlier.upload_id)
            earlier = None
        upload_id = (
            earlier.upload_id
            if earlier
            else self._client.create_multipart_upload(**place, Metadata=note, **self._encryption)["UploadId"]
        )
        for part in self._parts:
            if part.number in sent:
                copied(part.size)
        md5 = self._send(original, upload_id, sent, copied)
        if md5 is not None:
            try:
                check_md5(place["Key"], original.listed.md5, md5)
            except BaseException:
                self._client.abort_multipart_upload(**place, UploadId=upload_id)
                raise
        etags: list[Any] = [{"PartNumber": candidate.number, "ETag": sent[candidate.number]} for candidate in self._parts]
        try:
            self._client.complete_multipart_upload(**place, UploadId=upload_id, MultipartUpload={"Parts": etags})
        except ClientError as error:
            if error_code(error) != _GONE:  # The first try may have completed it, and only its answer was lost.
                raise
        found = self._client.head_object(**place)
        if found["ContentLength"] != original.listed.stored.size or found["Metadata"].get(etag_name) != note[etag_name]:
            return False
        # Parts of an earlier run were never seen by this one: read the whole, where its checksum is known.
        return md5 is not None or original.listed.md5 is None or self._read_back() == original.listed.md5

    def _sent(self, upload: Unfinished) -> dict[int, str]:
        """The parts that are there, with their ETags; none where they are not cut as ours."""
        wanted = {part.number: part.size for part in self._parts}
        sent: dict[int, str] = {}
        place: Any = self._place
        try:
            for page in self._client.get_paginator("list_parts").paginate(**place, UploadId=upload.upload_id):
                for part in page.get("Parts", ()):
                    if wanted.get(part["PartNumber"]) != part["Size"]:
                        return {}
                    sent[part["PartNumber"]] = part["ETag"]
        except ClientError as error:
            if error_code(error) != _GONE:
                raise
            return {}
        return sent

    def _send(self, original: Original, upload_id: str, sent: dict[int, str], copied: Copied) -> bytes | None:
        """Send the parts that are not there; the MD5 of the whole, or None where some were there."""
        whole = None if sent else WholeMd5()
        place: Any = self._place
        lock = threading.Lock()

        def send(part: Part) -> None:
            try:
                with fetched(original.read(part.start, part.end), part.size, copied) as content:
                    answer = self._client.upload_part(
                        **place,
                        UploadId=upload_id,
                        PartNumber=part.number,
                        Body=content.body,
                        ContentLength=part.size,
                        ContentMD5=content.md5_header,
                    )
                    with lock:
                        sent[part.number] = answer["ETag"]
                    if whole is not None:
                        whole.add(part.number, content)
            except BaseException:
                if whole is not None:
                    whole.fail()
                raise

        for_each([candidate for candidate in self._parts if candidate.number not in sent], send, self._at_once)
        return None if whole is None else whole.digest()

    def _read_back(self) -> bytes:
        place: Any = self._place
        md5 = hashlib.md5(usedforsecurity=False)
        for chunk in self._client.get_object(**place)["Body"].iter_chunks(CHUNK):
            md5.update(chunk)
        return md5.digest()
