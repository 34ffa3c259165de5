"""What the answers of Oracle Cloud's local server are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.services.oci_buckets import CloudObject

CHUNK = 1024 * 1024


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


NOT_FOUND = (404, "NotAuthorizedOrNotFound", "Authorization failed or requested resource not found.")


def chunks_of(found: CloudObject, start: int, count: int) -> Iterator[bytes | memoryview]:
    if found.content is not None:
        whole = memoryview(found.content)
        for at in range(start, start + count, CHUNK):
            yield whole[at : min(at + CHUNK, start + count)]
    elif found.file is not None:
        with found.file.open("rb") as file:
            file.seek(start)
            while count and (chunk := file.read(min(CHUNK, count))):
                count -= len(chunk)
                yield chunk


def damaged(chunk: bytes | memoryview) -> bytes:
    """The same with its first byte changed."""
    return bytes([chunk[0] ^ 0xFF]) + bytes(chunk[1:])


def public_key(text: str) -> rsa.RSAPublicKey:
    pem = f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"
    return cast(rsa.RSAPublicKey, serialization.load_pem_public_key(pem.encode()))
