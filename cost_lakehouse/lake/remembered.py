"""What was read from files that never change: metadata, manifest lists and manifests are written once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """Content by location, for all threads. Beyond ``limit``, in what ``weigh`` counts, the longest unused goes."""

    def __init__(self, limit: int, weigh: Callable[[T], int] = lambda content: 1) -> None:
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._contents: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, location: str, read: Callable[[], T]) -> T:
        """The content of a location, read on first use."""
        with self._lock:
            if location in self._contents:
                self._contents.move_to_end(location)
                return self._contents[location]
        content = read()
        self.put(location, content)
        return content

    def known(self, location: str) -> T | None:
        """The content of a location, where it is remembered."""
        with self._lock:
            return self._contents.get(location)

    def put(self, location: str, content: T) -> None:
        """Remember what is known to be there."""
        with self._lock:
            if location in self._contents:
                return
            self._contents[location] = content
            self._weight += self._weigh(content)
            while self._weight > self._limit and len(self._contents) > 1:
                _, gone = self._contents.popitem(last=False)
                self._weight -= self._weigh(gone)
