"""A download that goes on where it was when the connection breaks."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from cost_lakehouse.errors import DeliveryFailed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

RESUMES = 10
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
BROKEN_CONNECTION = (HTTPClientError, HTTPError, IncompleteReadError, ConnectionError, TimeoutError)


class Body(Protocol):
    """The content of one HTTP answer."""

    def read(self, amount: int, /) -> bytes:
        """At most so many bytes; none at the end."""

    def close(self) -> None:
        """Give the connection back."""


class ResumingReader(io.RawIOBase):
    """The bytes of one object of known size.

    ``open_at(offset)`` starts a download at that byte (the caller makes sure that it is still the same object). A break in the
    middle, or an end that comes too early, opens it again: at most ``RESUMES`` times an object, with growing pauses.
    Raises DeliveryFailed after that.
    """

    def __init__(
        self, name: str, size: int, open_at: Callable[[int], Body], pause: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__()
        self._name = name
        self._size = size
        self._open_at = open_at
        self._pause = pause
        self._offset = 0
        self._resumes = 0
        self._body: Body | None = open_at(0)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill ``buffer`` with what comes next, over a new connection where one broke; the bytes read, 0 at the end."""
        view = memoryview(buffer).cast("B")
        if not len(view):
            return 0
        while self._offset < self._size:
            try:
                if self._body is None:
                    self._body = self._open_at(self._offset)
                chunk = self._body.read(min(len(view), self._size - self._offset))
            except BROKEN_CONNECTION as error:
                self._prepare_to_resume(str(error) or type(error).__name__)
                continue
            if chunk:
                view[: len(chunk)] = chunk
                self._offset += len(chunk)
                return len(chunk)
            self._prepare_to_resume("the connection was closed early")
        return 0

    def close(self) -> None:
        """Drop the connection."""
        self._drop()
        super().close()

    def _prepare_to_resume(self, why: str) -> None:
        self._drop()
        if self._resumes >= RESUMES:
            raise DeliveryFailed(
                f"{self._name}: the connection broke {RESUMES + 1} times, last at byte {self._offset} of {self._size} ({why}).",
                "Nothing was changed; check the network to the store. The next run tries again.",
            )
        self._pause(min(FIRST_PAUSE_SECONDS * 2**self._resumes, LONGEST_PAUSE_SECONDS))
        self._resumes += 1

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
