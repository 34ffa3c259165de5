"""How many requests this process has sent to the places that bills are read from; the lake's own store is not one of them."""

from __future__ import annotations

import threading
from typing import Any

_LOCK = threading.Lock()
_SENT = 0


def count_request(*_: Any, **__: Any) -> None:
    """Count one attempt of a request; made to be hung into an SDK's events."""
    global _SENT
    with _LOCK:
        _SENT += 1


def requests_sent() -> int:
    """All that were sent so far. Loads of one process come one after the other: the difference is what one of them sent."""
    return _SENT
