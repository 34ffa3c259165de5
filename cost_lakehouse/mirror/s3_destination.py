"""A mirror in a bucket at AWS, or at any store that speaks S3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from cost_lakehouse.config.mirror import MirrorSettings
from cost_lakehouse.errors import CostLakehouseError, MirrorFailed
from cost_lakehouse.mirror.destination import Copied, Original
from cost_lakehouse.mirror.parts import check_md5, fetched, parts_of
from cost_lakehouse.mirror.s3_parts import PartsUpload, UnfinishedUploads
from cost_lakehouse.sources.oci.store import ListedObject
from cost_lakehouse.storage.object_store import StoredObject
from cost_lakehouse.storage.s3_causes import S3_FAILURES, S3Cause, S3Failure
from cost_lakehouse.storage.s3_client import DEFAULT_ATTEMPTS, make_s3_client
from cost_lakehouse.storage.s3_errors import S3Errors
from cost_lakehouse.storage.s3_store import S3Store, split_location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ETAG, CHECKSUM, MD5 = "oci-etag", "oci-md5", "md5"  # metadata of a copy: what was copied
PROBE = ".cost-lakehouse-doctor"
_MD5 = re.compile(r"[0-9a-f]{32}")
_WORDS: dict[S3Cause, tuple[str, str]] = {
    S3Cause.NO_BUCKET: (
        "There is no bucket {bucket} at {endpoint}.",
        "Create it, or correct the mirror's `destination`, or its `endpoint` if the bucket is not at AWS.",
    ),
    S3Cause.DENIED: (
        "Access to {place} is denied.",
        "The mirror's policy must allow s3:ListBucket and s3:ListBucketMultipartUploads on arn:aws:s3:::{bucket}, and "
        "s3:GetObject, s3:PutObject, s3:ListMultipartUploadParts, s3:AbortMultipartUpload (and s3:DeleteObject with "
        "`delete: true`) on arn:aws:s3:::{bucket}/{prefix}*.",
    ),
    S3Cause.KMS: (
        "{place} is encrypted with a KMS key that these credentials may not use.",
        "Allow kms:GenerateDataKey and kms:Decrypt on the bucket's key, in the key's policy too.",
    ),
    S3Cause.BAD_KEY: (
        "The store at {endpoint} does not know the access key that was sent for {place}.",
        "Correct the mirror's `access_key` and `secret_key`, its `vault` or `profile`, or the environment's AWS credentials.",
    ),
    S3Cause.BAD_SECRET: (
        "The secret key does not fit its access key (asked for {place}).",
        "Correct the mirror's `secret_key`, or the secret in the vault: copied whole, of the same pair as the access key.",
    ),
    S3Cause.NO_CREDENTIALS: (
        "No AWS credentials were found to write {place}.",
        "Set the mirror's `vault`, or `access_key` and `secret_key` (as ${{NAME}}), or give this machine a role.",
    ),
    S3Cause.DAMAGED: (
        "{place} was damaged on the way: its checksum is not the one that was sent.",
        "Run it again; if it stays so, something between this machine and {endpoint} changes what is sent.",
    ),
}


class S3Destination:
    """A Destination in one bucket, below a prefix ("" or with a slash at its end)."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str,
        errors: S3Errors,
        part_size: int,
        parts_at_once: int,
        encryption: dict[str, Any] | None = None,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._errors = errors
        self._part_size = part_size
        self._parts_at_once = parts_at_once
        self._encryption = encryption or {}  # what boto3 is told of it, wherever an object is begun
        self._store = S3Store(client, bucket, errors)
        self._unfinished = UnfinishedUploads(client, bucket, prefix)

    @classmethod
    def of(cls, mirror: MirrorSettings, attempts: int = DEFAULT_ATTEMPTS) -> S3Destination:
        """The destination of a mirror; the bucket is asked for only when it is listed.

        Raises MirrorFailed where its profile, region or endpoint cannot be used.
        """
        bucket, prefix = split_location(mirror.destination)
        errors = S3Errors.of(mirror, bucket, prefix, _WORDS)
        connections = max(mirror.objects_at_once * mirror.parts_at_once, 10)
        try:
            client = make_s3_client(mirror, attempts, connections)
        except BotoCoreError as error:
            raise _failed(errors.explain(error, mirror.destination)) from None
        except ValueError:
            # botocore refuses an endpoint that is no URL, quoting it; it may hold a password.
            raise MirrorFailed(
                f"Mirror {mirror.name}: `endpoint` is not a URL.", "Write it as https://host or http://host:port."
            ) from None
        below = f"{prefix}/" if prefix else ""
        return cls(client, bucket, below, errors, mirror.part_size, mirror.parts_at_once, _encryption(mirror))

    def describe(self, key: str) -> str:
        """``s3://bucket/prefix/key``."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """What lies there, page by page."""
        try:
            for entry in self._store.list(f"{self._prefix}{prefix}"):
                yield StoredObject(entry.key.removeprefix(self._prefix), entry.etag, entry.size, entry.last_modified)
        except CostLakehouseError as error:
            raise _failed(error) from None

    def holds(self, original: ListedObject, found: StoredObject) -> bool:
        """By MD5 where the listings tell it; else by size and what was noted with the copy."""
        if found.size != original.stored.size:
            return False
        if original.md5 is not None and found.etag == original.md5.hex():
            return True
        with self._told(found.key):
            head = self._client.head_object(Bucket=self._bucket, Key=f"{self._prefix}{found.key}")
        noted = head["Metadata"]
        if _is_md5(head["ETag"], head) and original.md5 is not None:
            return False  # It is the MD5 of another content.
        if _is_md5(head["ETag"], head) and noted.get(MD5, found.etag) != found.etag:
            return False
        same_checksum = original.md5 is not None and noted.get(CHECKSUM) == original.checksum
        return same_checksum or noted.get(ETAG) == original.stored.etag

    def write(self, original: Original, copied: Copied) -> None:
        """Copy in one request, or in parts where it is larger than one; goes on with parts that an earlier run has sent."""
        listed = original.listed
        parts = parts_of(listed.stored.size, self._part_size)
        key = f"{self._prefix}{listed.stored.key}"
        note = {ETAG: listed.stored.etag, CHECKSUM: listed.checksum}
        with self._told(listed.stored.key):
            if len(parts) == 1:
                self._write_whole(original, key, note, copied)
                return
            upload = PartsUpload(self._client, self._bucket, key, parts, self._parts_at_once, self._encryption)
            # Once more from the beginning, where what an earlier run had sent turns out to be of something else.
            earlier = self._unfinished.take(key, listed.stored.last_modified)
            if not upload.run(original, note, ETAG, earlier, copied) and not upload.run(original, note, ETAG, None, copied):
                raise MirrorFailed(
                    f"{self.describe(listed.stored.key)} is not what was sent.",
                    "Run it again; if it stays so, the store or something on the way to it is damaged.",
                )

    def delete(self, key: str) -> None:
        """Remove one object."""
        with self._told(key):
            self._client.delete_object(Bucket=self._bucket, Key=f"{self._prefix}{key}")

    def probe(self) -> None:
        """List, and write one small object; it is removed again where that is allowed."""
        next(islice(self.list(""), 1), None)
        key = f"{self._prefix}{PROBE}"
        with self._told(PROBE):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=b"writable", **self._encryption)
        with suppress(*S3_FAILURES):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def finish(self) -> None:
        """Give up what was begun for objects that are not to be copied any more."""
        with self._told(""):
            self._unfinished.abort_rest()

    def _write_whole(self, original: Original, key: str, note: dict[str, str], copied: Copied) -> None:
        size = original.listed.stored.size
        with fetched(original.read(0, size), size, copied) as content:
            check_md5(key, original.listed.md5, content.md5)
            answer: Any = self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content.body,
                ContentMD5=content.md5_header,
                Metadata={**note, MD5: content.md5.hex()},
                **self._encryption,
            )
            if _is_md5(answer["ETag"], answer):
                arrived = answer["ETag"].strip('"') == content.md5.hex()
            else:  # Encrypted: the store has compared Content-MD5, and says no more than the size.
                arrived = self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"] == size
        if not arrived:
            raise MirrorFailed(
                f"s3://{self._bucket}/{key} is not what was sent.",
                "Run it again; if it stays so, the store or something on the way to it is damaged.",
            )

    def _told(self, key: str) -> _Verification:
        return _Verification(self._errors, self.describe(key))


class _Verification:
    """Turns what the store raises into what a user can act on."""

    def __init__(self, errors: S3Errors, place: str) -> None:
        self._errors = errors
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, S3_FAILURES):
            told: S3Failure = error
            raise _failed(self._errors.explain(told, self._place)) from None


def _encryption(mirror: MirrorSettings) -> dict[str, Any]:
    if mirror.sse_type == "SSE-KMS":
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": mirror.kms_key_id}
    return {"ServerSideEncryption": "AES256"} if mirror.sse_type else {}


def _failed(told: CostLakehouseError) -> MirrorFailed:
    return MirrorFailed(told.problem, told.fix)


def _is_md5(etag: str, answer: Any) -> bool:
    """Whether an ETag is the MD5 of the content: not of parts, and not of something encrypted with a key of one's own."""
    plain = answer.get("ServerSideEncryption") in (None, "AES256") and answer.get("SSECustomerAlgorithm") is None
    return plain and _MD5.fullmatch(etag.strip('"')) is not None
