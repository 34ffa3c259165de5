"""Iceberg's FileIO on the warehouse's store: every metadata and manifest file is read and written through the one client."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.typedef import EMPTY_DICT, Properties

from cost_lakehouse.config.store import StoreSettings
from cost_lakehouse.lake.store_client import make_store_client
from cost_lakehouse.lake.store_errors import StoreErrors
from cost_lakehouse.storage.s3_causes import ABSENT, PRECONDITION_FAILED, S3_FAILURES, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Where only a part is asked for, this much is fetched: a Parquet footer, and a small file, come whole.
BLOCK = 256 * 1024
READ_ATTEMPTS = 3
_LOCATION = re.compile(r"s3[an]?://([^/]+)/(.+)", re.DOTALL)
_TOTAL = re.compile(r"bytes (?:\d+-\d+|\*)/(\d+)")
_INVALID_RANGE = frozenset({"416", "InvalidRange"})
_FORBIDDEN = frozenset({"403", "AccessDenied"})
_NOT_IMPLEMENTED = frozenset({"501", "NotImplemented"})


def split_object(location: str) -> tuple[str, str]:
    """``s3://bucket/key`` as bucket and key, both literally.

    Raises ValueError where it is something else.
    """
    match = _LOCATION.fullmatch(location)
    if match is None:
        raise ValueError(f"{location} is no object of an S3 store")
    return match.group(1), match.group(2)


class StoreIO(FileIO):
    """Files of one store. May be pickled and copied; each copy makes a client of its own when it needs one."""

    def __init__(self, store: StoreSettings, client: S3Client | None = None, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self.store = store
        self._client = client

    def __getstate__(self) -> dict[str, Any]:
        return {"store": self.store, "_client": None, "properties": dict(self.properties)}

    @property
    def client(self) -> S3Client:
        """The client, made on first use. Raises what ``make_store_client`` raises."""
        if self._client is None:
            self._client = make_store_client(self.store)
        return self._client

    def new_input(self, location: str) -> StoreInput:
        """A file to read."""
        return StoreInput(self, location)

    def new_output(self, location: str) -> StoreOutput:
        """A file to write."""
        return StoreOutput(self, location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file; one that is not there is fine, as S3 does not tell. Raises LakeError."""
        place = location if isinstance(location, str) else location.location
        bucket, key = split_object(place)
        try:
            self.client.delete_object(Bucket=bucket, Key=key)
        except S3_FAILURES as error:
            if not _is(error, ABSENT):
                raise self.errors(place).explain(error, place) from None

    def errors(self, place: str) -> StoreErrors:
        """Tells the errors of that place."""
        return StoreErrors(self.store, split_object(place)[0])

    def size_of(self, place: str) -> int | None:
        """An object's size, or None where it is not there. Raises LakeError."""
        bucket, key = split_object(place)
        try:
            return self.client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        except S3_FAILURES as error:
            if _is(error, ABSENT) or (_is(error, _FORBIDDEN) and not self._is_listed(bucket, key)):
                return None
            raise self.errors(place).explain(error, place) from None

    def _is_listed(self, bucket: str, key: str) -> bool:
        """S3 says "forbidden" of what is not there to all who may not list the whole bucket; a list tells which it was."""
        try:
            answer = self.client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        except S3_FAILURES:
            return True
        return any(entry["Key"] == key for entry in answer.get("Contents", ()))

    def fetch(self, place: str, range_: str | None, etag: str | None) -> Fetched:
        """An object's content, or a range of it, in one request; begun again where the connection broke.

        Raises FileNotFoundError where there is no such object, LakeError where it cannot be read.
        """
        bucket, key = split_object(place)
        options: dict[str, Any] = {"Range": range_} if range_ else {}
        if etag is not None:
            options["IfMatch"] = etag
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                answer = self.client.get_object(Bucket=bucket, Key=key, **options)
            except S3_FAILURES as error:
                if _is(error, _INVALID_RANGE):  # An empty object has no range.
                    return Fetched(b"", 0, 0, "")
                if _is(error, ABSENT) or (_is(error, _FORBIDDEN) and not self._is_listed(bucket, key)):
                    raise FileNotFoundError(f"There is no {place}") from None
                raise self.errors(place).explain(error, place) from None
            try:
                return _fetched(answer["Body"].read(), answer.get("ContentRange"), answer["ETag"])
            except BotoCoreError as error:  # botocore tries again only until an answer begins.
                if attempt == READ_ATTEMPTS:
                    raise self.errors(place).explain(error, place) from None
        raise AssertionError  # The loop returns or raises.

    def put(self, place: str, content: bytes, *, overwrite: bool) -> None:
        """Write an object in one request: it is there whole, or not at all.

        Raises FileExistsError where it is there already and ``overwrite`` is false, LakeError where it cannot be written.
        """
        bucket, key = split_object(place)
        condition: dict[str, Any] = {} if overwrite else {"IfNoneMatch": "*"}
        try:
            try:
                self.client.put_object(Bucket=bucket, Key=key, Body=content, **condition)
            except ClientError as error:
                if not condition or not _is(error, _NOT_IMPLEMENTED):
                    raise
                # A store without conditional writes: look first.
                if self.size_of(place) is not None:
                    raise FileExistsError(f"{place} is there already") from None
                self.client.put_object(Bucket=bucket, Key=key, Body=content)
        except S3_FAILURES as error:
            if not _is(error, PRECONDITION_FAILED):
                raise self.errors(place).explain(error, place) from None
            # An answer that got lost makes botocore write again: then what is there is ours.
            if self.fetch(place, None, None).content != content:
                raise FileExistsError(f"{place} is there already") from None


class Fetched:
    """A part of an object: its content, where it starts, the object's size and version."""

    def __init__(self, content: bytes, start: int, size: int, etag: str) -> None:
        self.content = content
        self.start = start
        self.size = size
        self.etag = etag


def _fetched(content: bytes, range_: str | None, etag: str) -> Fetched:
    total = _TOTAL.fullmatch(range_ or "")
    if range_ is None or total is None:  # The whole object; some stores answer so where a range covers it.
        return Fetched(content, 0, len(content), etag)
    start = int(range_.removeprefix("bytes ").partition("-")[0])
    return Fetched(content, start, int(total.group(1)), etag)


class StoreInput(InputFile):
    """A file of the store to read; its size is known for free once it was read."""

    def __init__(self, files: StoreIO, location: str) -> None:
        super().__init__(location)
        split_object(location)
        self._files = files
        self._size: int | None = None

    def __len__(self) -> int:
        if self._size is None:
            self._size = self._files.size_of(self.location)
            if self._size is None:
                raise FileNotFoundError(f"There is no {self.location}")
        return self._size

    def exists(self) -> bool:
        """Whether it is there. Raises LakeError where the store does not say."""
        return self._files.size_of(self.location) is not None

    def open(self, seekable: bool = True) -> InputStream:
        """The content; nothing is asked before the first read, so that a small file costs one request."""
        return StoreReader(self._files, self.location, self._learn)

    def _learn(self, size: int) -> None:
        self._size = size


class StoreReader(io.RawIOBase):
    """Reads ranges of an object, a block at a time; all ranges are of one version of it."""

    def __init__(self, files: StoreIO, place: str, learn: Callable[[int], None]) -> None:
        super().__init__()
        self._files = files
        self._place = place
        self._learn = learn
        self._position = 0
        self._block: Fetched | None = None

    def __enter__(self) -> Self:
        return self

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; only the way from the end has to ask for the size."""
        if whence == io.SEEK_CUR:
            offset += self._position
        elif whence == io.SEEK_END:
            offset += (self._block or self._fetch(f"bytes=-{BLOCK}")).size
        if offset < 0:
            raise ValueError("before the start of the file")
        self._position = offset
        return offset

    def readall(self) -> bytes:
        """What is left; of a file not read before, everything in one request."""
        if self._block is None and self._position == 0:
            self._fetch(None)
        return self._read(None)

    def read(self, size: int | None = -1) -> bytes:
        """That many bytes, fewer only at the end; all that is left by default."""
        return self.readall() if size is None or size < 0 else self._read(size)

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; how much was there."""
        content = self._read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def _read(self, size: int | None) -> bytes:
        if size == 0:
            return b""
        block = self._block
        if block is not None and self._position >= block.size:
            return b""
        if block is not None and size is None:
            size = block.size - self._position
        wanted = BLOCK if size is None else min(size, block.size - self._position) if block else size
        if block is None or not block.start <= self._position <= self._position + wanted <= block.start + len(block.content):
            block = self._fetch(f"bytes={self._position}-{self._position + max(wanted, BLOCK) - 1}")
        begin = self._position - block.start
        content = block.content[begin : begin + (len(block.content) if size is None else size)]
        self._position += len(content)
        return content

    def _fetch(self, range_: str | None) -> Fetched:
        self._block = self._files.fetch(self._place, range_, self._block.etag if self._block else None)
        self._learn(self._block.size)
        return self._block


class StoreOutput(OutputFile):
    """A file of the store to write."""

    def __init__(self, files: StoreIO, location: str) -> None:
        super().__init__(location)
        split_object(location)
        self._files = files
        self._written: int | None = None

    def __len__(self) -> int:
        return len(self.to_input_file()) if self._written is None else self._written

    def exists(self) -> bool:
        """Whether it is there. Raises LakeError where the store does not say."""
        return self._files.size_of(self.location) is not None

    def to_input_file(self) -> StoreInput:
        """The same file, to read."""
        return StoreInput(self._files, self.location)

    def create(self, overwrite: bool = False) -> OutputStream:
        """A stream whose content is written when it is closed; a block left by an exception writes nothing."""
        return _StoreWriter(self._write, overwrite)

    def _write(self, content: bytes, overwrite: bool) -> None:
        self._files.put(self.location, content, overwrite=overwrite)
        self._written = len(content)


class _StoreWriter(io.BytesIO):
    """Metadata is small: it is kept in memory until it is whole."""

    def __init__(self, write: Callable[[bytes, bool], None], overwrite: bool) -> None:
        super().__init__()
        self._write = write
        self._overwrite = overwrite
        self._is_given_up = False

    def __del__(self) -> None:
        """Nobody closed it, so it is not whole: nothing is written."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_given_up = kind is not None
        self.close()

    def close(self) -> None:
        """Write the object. Raises FileExistsError, LakeError."""
        if self.closed:
            return
        content = self.getvalue()
        super().close()
        if not self._is_given_up:
            self._write(content, self._overwrite)


def _is(error: Exception, codes: frozenset[str]) -> bool:
    return isinstance(error, ClientError) and error_code(error) in codes
