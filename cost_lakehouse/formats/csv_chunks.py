"""Cuts a packed CSV stream into chunks of whole records, quoted newlines included, and counts the records on the way."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from isal import igzip, isal_zlib

from cost_lakehouse.errors import DeliveryFailed, FileIsEmpty
from cost_lakehouse.formats.wrong_files import wrong_content, wrong_separator

CHUNK_BYTES = 16 * 1024 * 1024
_QUOTE, _NEWLINE, _RETURN, _COMMA = 0x22, 0x0A, 0x0D, 0x2C
_ISAL_DAMAGE: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub calls the class an instance
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, _ISAL_DAMAGE, zipfile.BadZipFile)
_GZIP_MAGIC, _ZIP_MAGIC, _BOM = b"\x1f\x8b", b"PK\x03\x04", b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Chunk:
    """Whole records of one file, without its header. ``first_record`` counts from 1 after the header."""

    data: memoryview
    first_record: int
    records: int


@contextmanager
def unpacked(stream: BinaryIO, file: str) -> Iterator[BinaryIO]:
    """The text of a CSV file that is packed with gzip or zip, or not at all: the first bytes tell.

    Raises DeliveryFailed where the pack is truncated or corrupt, also while it is read.
    """
    peekable = io.BufferedReader(stream, 1 << 20) if isinstance(stream, io.RawIOBase) else stream
    magic = peekable.read(4)
    rest = _Joined(magic, peekable)
    try:
        if magic.startswith(_GZIP_MAGIC):
            with igzip.IGzipFile(fileobj=rest, mode="rb") as plain:  # type: ignore[no-untyped-call]
                yield plain  # type: ignore[misc]  # its stub is no BinaryIO
        elif magic.startswith(_ZIP_MAGIC):
            with tempfile.TemporaryFile() as spooled:
                shutil.copyfileobj(rest, spooled, 1 << 20)
                with zipfile.ZipFile(spooled) as archive:
                    members = [item for item in archive.infolist() if not item.is_dir()]
                    if len(members) != 1:
                        raise DeliveryFailed(
                            f"{file} holds {len(members)} files instead of one.", "Ask the provider to deliver it again."
                        )
                    with archive.open(members[0]) as plain_member:
                        yield plain_member  # type: ignore[misc]
        else:
            yield rest  # type: ignore[misc]
    except _DAMAGE as error:
        raise DeliveryFailed(
            f"{file} is truncated or corrupt: {error}.",
            "The slice keeps its old rows. Wait for the next delivery, or copy the file to the bucket again.",
        ) from error


def read_chunks(plain: BinaryIO, file: str, chunk_bytes: int = CHUNK_BYTES) -> tuple[str, Iterator[Chunk]]:
    """The header line (unpacked text, without its line end) and the chunks that follow it.

    Raises FileIsEmpty where the file has no header, DeliveryFailed where quotes do not follow RFC 4180 (then records cannot be
    told apart).
    """
    data = _read(plain, chunk_bytes)
    if wrong := wrong_content(data):
        raise DeliveryFailed(f"{file} {wrong[0]}.", wrong[1])
    while b"\n" not in data:
        more = _read(plain, chunk_bytes)
        if not more:
            break
        data += more
    data = data.removeprefix(_BOM)
    if not data.strip():
        raise FileIsEmpty(f"{file} is empty: it has no header line.", "Wait for the next delivery.")
    end, next_start = _header_end(data, file)
    try:
        header = data[:end].decode("utf-8")
    except UnicodeDecodeError:
        raise DeliveryFailed(
            f"{file}: the header is not UTF-8 text.", "Write it as UTF-8; Latin-1 and Windows-1252 are not read."
        ) from None
    if wrong := wrong_separator(header):
        raise DeliveryFailed(f"{file} {wrong[0]}.", wrong[1])
    return header, _chunks(plain, data[next_start:], file, chunk_bytes)


def _header_end(data: bytes, file: str) -> tuple[int, int]:
    """Where the header ends and the first record starts; a quoted header name may hold a newline."""
    position = 0
    while True:
        newline = data.find(b"\n", position)
        if newline < 0:
            return len(data.rstrip(b"\r")), len(data)
        if data.count(b'"', 0, newline) % 2 == 0:
            return newline - (data[newline - 1 : newline] == b"\r"), newline + 1
        position = newline + 1


def _chunks(plain: BinaryIO, rest: bytes, file: str, chunk_bytes: int) -> Iterator[Chunk]:
    first_record = 1
    pending = rest
    while True:
        more = _read(plain, chunk_bytes)
        last = not more
        data = pending + more
        if last and data and not data.endswith(b"\n"):
            data += b"\n"
        cut, records = _whole_records(data, file, first_record, last)
        if records:
            yield Chunk(memoryview(data)[:cut], first_record, records)
        first_record += records
        if last:
            return
        pending = data[cut:]


def _whole_records(data: bytes, file: str, first_record: int, last: bool) -> tuple[int, int]:
    """How many bytes of ``data`` are whole records, and how many records they are (blank lines are none)."""
    letters = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(letters == _NEWLINE)
    quotes = np.flatnonzero(letters == _QUOTE)
    if len(quotes):
        _check_quotes(letters, quotes, newlines, file, first_record)
        ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    else:
        ends = newlines
    if last and len(quotes) % 2:
        opened = first_record + int(np.searchsorted(ends, quotes[-1]))
        raise DeliveryFailed(
            f"{file}, record {opened}: a quoted value is never closed; the file is cut off or damaged.",
            "Wait for the next delivery.",
        )
    if not len(ends):
        return 0, 0
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts
    blank = (lengths == 0) | ((lengths == 1) & (letters[starts] == _RETURN))
    return int(ends[-1]) + 1, int(len(ends) - np.count_nonzero(blank))


def _check_quotes(letters: np.ndarray, quotes: np.ndarray, newlines: np.ndarray, file: str, first_record: int) -> None:
    """RFC 4180: a quote opens right after a comma or a line start, and closes right before a comma or a line end.

    Inside, a quote is doubled: it then closes and opens again at once. The data starts at a record's start.
    """
    opening, closing = quotes[::2], quotes[1::2]
    before = letters[np.maximum(opening - 1, 0)]
    opens_well = (before == _COMMA) | (before == _NEWLINE) | (before == _QUOTE) | (opening == 0)
    after = letters[np.minimum(closing + 1, len(letters) - 1)]
    closes_well = (
        (after == _COMMA) | (after == _NEWLINE) | (after == _RETURN) | (after == _QUOTE) | (closing == len(letters) - 1)
    )
    wrong = np.concatenate((opening[~opens_well], closing[~closes_well]))
    if len(wrong):
        record = first_record + int(np.searchsorted(newlines, wrong.min()))
        raise DeliveryFailed(
            f"{file}, about record {record}: a quote stands inside a value and is not doubled: records cannot be told.",
            "The file is not the CSV that bills are written in (RFC 4180); restore the original.",
        )


def _read(plain: BinaryIO, size: int) -> bytes:
    """``size`` bytes, less only at the end."""
    parts = []
    missing = size
    while missing and (part := plain.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


class _Joined(io.RawIOBase):
    """The bytes that were peeked at, then the rest of the stream."""

    def __init__(self, head: bytes, tail: BinaryIO) -> None:
        self._head = head
        self._tail = tail

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._tail.read(size)
        if size < 0:
            head, self._head = self._head, b""
            return head + self._tail.read()
        head, self._head = self._head[:size], self._head[size:]
        return head

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
