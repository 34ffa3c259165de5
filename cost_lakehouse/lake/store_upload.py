"""Local files become objects of the store: in parallel, in parts where they are large, and each proven to have arrived."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from s3transfer.constants import MB
from s3transfer.exceptions import S3UploadFailedError
from s3transfer.manager import TransferConfig, TransferManager

from cost_lakehouse.config.store import StoreSettings
from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.store_errors import StoreErrors
from cost_lakehouse.storage.s3_causes import S3_FAILURES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PARALLEL_FILES = 4
PARALLEL_PARTS = 4
ONE_REQUEST_LIMIT = 5 * 1024 * MB
MOST_PARTS = 10_000
CHUNK = 1024 * 1024
MD5_DIGITS = 32


def upload_all(
    client: S3Client, store: StoreSettings, errors: StoreErrors, bucket: str, files: Sequence[tuple[Path, str]]
) -> None:
    """Upload each file to its key; an object appears whole or not at all, and a failed upload leaves no parts behind.

    Raises LakeError at the first that fails; the others may be there.
    """
    config = TransferConfig(
        multipart_threshold=ONE_REQUEST_LIMIT + 1 if store.disable_multipart else store.part_size + 1,
        multipart_chunksize=store.part_size,
        max_request_concurrency=PARALLEL_FILES * PARALLEL_PARTS,
        max_submission_concurrency=PARALLEL_FILES,
    )
    for path, _ in files:
        _check_size(path, store)
    with TransferManager(client, config) as manager:
        under_way = [(path, key, manager.upload(str(path), bucket, key)) for path, key in files]
        for _, key, upload in under_way:
            place = f"s3://{bucket}/{key}"
            try:
                upload.result()
            except S3_FAILURES as error:
                raise errors.explain(error, place) from None
            except (S3UploadFailedError, OSError) as error:
                raise LakeError(f"{place} cannot be written: {error}.", "Run it again.") from error
    with ThreadPoolExecutor(PARALLEL_FILES) as pool:
        for _ in pool.map(lambda one: _prove(client, store, errors, bucket, *one), files):
            pass


def _check_size(path: Path, store: StoreSettings) -> None:
    size = path.stat().st_size
    if store.disable_multipart and size > ONE_REQUEST_LIMIT:
        raise LakeError(f"{path.name} has {size:,} bytes, S3 takes 5 GiB in one request.", "Leave disable_multipart out.")
    if not store.disable_multipart and size > store.part_size * MOST_PARTS:
        raise LakeError(
            f"{path.name} has {size:,} bytes, more than {MOST_PARTS:,} parts of {store.part_size:,}.", "Raise part_size."
        )


def _prove(client: S3Client, store: StoreSettings, errors: StoreErrors, bucket: str, path: Path, key: str) -> None:
    """Compare the object with the file: size, and checksum where the store tells one.

    What the store was sent it checked already (Content-MD5, or CRC32); this finds a store that does not, or that lost it.
    """
    place = f"s3://{bucket}/{key}"
    try:
        found = client.head_object(Bucket=bucket, Key=key)
        arrived = found["ContentLength"] == path.stat().st_size
        if arrived and _tells_md5(found["ETag"], found.get("ServerSideEncryption"), store):
            # Some stores' ETags only look like a checksum, so a strange one is a reason to look, not a verdict.
            arrived = found["ETag"].strip('"') == _etag(path, store) or _reads_back(client, bucket, key, path)
    except S3_FAILURES as error:
        raise errors.explain(error, place) from None
    if not arrived:
        raise LakeError(
            f"{place} is not what was sent: {found['ContentLength']:,} bytes arrived of {path.stat().st_size:,}, or others.",
            "Run it again; if it stays so, the store or something on the way to it is damaged.",
        )


def _tells_md5(etag: str, encryption: str | None, store: StoreSettings) -> bool:
    is_plain = encryption in (None, "AES256") and store.sse_type in (None, "SSE-S3")
    return is_plain and len(etag.strip('"').partition("-")[0]) == MD5_DIGITS


def _etag(path: Path, store: StoreSettings) -> str:
    """The ETag that S3 gives this file: its MD5, or the MD5 of its parts' MD5s."""
    parts = []
    size = path.stat().st_size
    is_in_parts = not store.disable_multipart and size > store.part_size
    with path.open("rb") as file:
        while True:
            part = hashlib.md5(usedforsecurity=False)
            left = store.part_size if is_in_parts else size
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                part.update(chunk)
                left -= len(chunk)
            parts.append(part)
            if file.tell() >= size:
                break
    if not is_in_parts:
        return parts[0].hexdigest()
    whole = hashlib.md5(b"".join(candidate.digest() for candidate in parts), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(parts)}"


def _reads_back(client: S3Client, bucket: str, key: str, path: Path) -> bool:
    sent, kept = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sent.update(chunk)
    for chunk in client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(CHUNK):
        kept.update(chunk)
    return sent.digest() == kept.digest()
