"""Parts of an object: where each begins, several at once, and the checksum of the whole from parts that end in any order."""

from __future__ import annotations

import base64
import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO

from cost_lakehouse.config.mirror import MEBIBYTE
from cost_lakehouse.errors import DeliveryFailed
from cost_lakehouse.mirror.destination import Copied

CHUNK = MEBIBYTE
IN_MEMORY = 8 * MEBIBYTE  # a larger part waits on this machine's disk: memory is bounded whatever the parts' size
MOST_PARTS = 10_000


@dataclass(frozen=True)
class Part:
    """One part; the first has number 1."""

    number: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.end - self.start


def parts_of(size: int, part_size: int) -> list[Part]:
    """The parts of an object; larger ones where S3's 10,000 would not do. An empty object has one."""
    smallest = -(-size // MOST_PARTS)
    if smallest > part_size:
        part_size = -(-smallest // MEBIBYTE) * MEBIBYTE
    starts = range(0, max(size, 1), part_size)
    return [Part(number, start, min(start + part_size, size)) for number, start in enumerate(starts, start=1)]


def for_each(parts: Sequence[Part], work: Callable[[Part], None], at_once: int) -> None:
    """Do the work for every part, in their order, several at once; the first failure ends it and is raised."""
    with ThreadPoolExecutor(at_once, thread_name_prefix="part") as pool:
        under_way = [pool.submit(work, part) for part in parts]
        wait(under_way, return_when=FIRST_EXCEPTION)
        for run in under_way:
            run.cancel()
    for run in under_way:
        if not run.cancelled():
            run.result()


@dataclass(frozen=True)
class Fetched:
    """The content of a part, ready to be sent, and its MD5."""

    body: bytes | IO[bytes]
    md5: bytes

    @property
    def md5_header(self) -> str:
        """As HTTP carries it."""
        return base64.b64encode(self.md5).decode()

    def chunks(self) -> Iterator[bytes]:
        """The content again, from its beginning."""
        if isinstance(self.body, bytes):
            yield self.body
            return
        self.body.seek(0)
        while chunk := self.body.read(CHUNK):
            yield chunk


@contextmanager
def fetched(stream: BinaryIO, size: int, copied: Copied) -> Iterator[Fetched]:
    """Read a part whole; its content is given up at the end."""
    md5 = hashlib.md5(usedforsecurity=False)
    if size <= IN_MEMORY:
        with stream:
            content = stream.read(size)  # without a size it would come in pieces of 8 KiB
        md5.update(content)
        copied(len(content))
        yield Fetched(content, md5.digest())
        return
    with tempfile.TemporaryFile(prefix="cost-lakehouse-part-") as file:
        with stream:
            while chunk := stream.read(CHUNK):
                md5.update(chunk)
                file.write(chunk)
                copied(len(chunk))
        file.seek(0)
        yield Fetched(file, md5.digest())


class WholeMd5:
    """The MD5 of an object whose parts are read in any order: each waits until those before it were counted."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._next = 1
        self._failed = False
        self._changed = threading.Condition()

    def add(self, number: int, part: Fetched) -> None:
        """Count a part. Returns at once where an earlier one failed: there will be no whole."""
        with self._changed:
            self._changed.wait_for(lambda: self._next == number or self._failed)
            if self._failed:
                return
        for chunk in part.chunks():
            self._md5.update(chunk)
        with self._changed:
            self._next += 1
            self._changed.notify_all()

    def fail(self) -> None:
        """A part failed; nobody need wait for it."""
        with self._changed:
            self._failed = True
            self._changed.notify_all()

    def digest(self) -> bytes:
        """Of all parts that were counted."""
        return self._md5.digest()


def check_md5(place: str, expected: bytes | None, arrived: bytes) -> None:
    """Raises DeliveryFailed where what arrived is not what the listing told; None is no checksum of the content."""
    if expected is not None and expected != arrived:
        raise DeliveryFailed(
            f"{place} was damaged on the way: its MD5 is {arrived.hex()}, not {expected.hex()}.",
            "Nothing was written; the next run tries again. If it stays so, look at proxies on the way.",
        )
