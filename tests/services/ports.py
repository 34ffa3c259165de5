"""Ports of this machine for the tests' servers: free ones, and the same ones again where a server starts anew."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on now; all are held at once so that no two are equal."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for candidate in sockets:
            candidate.bind(("127.0.0.1", 0))
        return [int(candidate.getsockname()[1]) for candidate in sockets]


def same_port(file: Path) -> int:
    """The port that ``file`` holds, so that a server's address stays; where it is taken by now, a free one, noted there."""
    if file.exists():
        port = int(file.read_text(encoding="ascii"))
        if _is_free(port):
            return port
    (port,) = free_ports(1)
    file.write_text(str(port), encoding="ascii")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as attempt:
        # A server that ended a moment ago leaves connections behind that do not keep the next one away.
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
