"""An HTTP proxy on this machine, as companies have them: it passes requests on, HTTPS in tunnels, and writes down which."""

from __future__ import annotations

import base64
import select
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.services.relay import relay

_HOP_BY_HOP = ("connection", "transfer-encoding", "keep-alive", "proxy-authorization", "proxy-connection")
CHUNK = 64 * 1024


@dataclass(frozen=True)
class Passed:
    """One request that came: CONNECT where it is for a tunnel, whose content the proxy cannot see."""

    method: str
    host: str
    path: str
    allowed: bool


class ForwardProxy(ThreadingHTTPServer):
    """Give clients ``url``; look at ``passed``. ``login`` (user:password) is demanded where it is given.

    ``names`` are hosts (host:port) that only it knows, with their ports on this machine: what is asked of them cannot have gone
    another way. ``refuses`` are those that it does not connect to.
    """

    daemon_threads = True

    def __init__(self, names: dict[str, int] | None = None, login: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names = names or {}
        self.login = login
        self.refuses: set[str] = set()
        self.passed: list[Passed] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{f'{self.login}@' if self.login else ''}{self.address}"

    def hosts(self) -> set[str]:
        return {item.host for item in self.passed if item.allowed}

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    server: ForwardProxy
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        if not self._may(self.path, ""):
            return
        with socket.create_connection(self._server_of(self.path)) as far:
            self.send_response_only(200, "Connection established")
            self.end_headers()
            self.wfile.flush()
            _tunnel(self.connection, far)
        self.close_connection = True

    def _pass_on(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._may(parts.netloc, parts.path):
            return
        path = self.path.partition(parts.netloc)[2] or "/"
        relay(self, *self._server_of(parts.netloc), path, body, _HOP_BY_HOP)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - the names are the base class's

    def _server_of(self, address: str) -> tuple[str, int]:
        host, _, port = address.partition(":")
        known = self.server.names.get(address)
        return ("127.0.0.1", known) if known else (host, int(port or 80))

    def _may(self, host: str, path: str) -> bool:
        login = self.server.login
        wanted = f"Basic {base64.b64encode(login.encode()).decode()}" if login else None
        status = (
            407 if wanted not in (None, self.headers.get("Proxy-Authorization")) else 403 if host in self.server.refuses else 0
        )
        self.server.passed.append(Passed(self.command, host, path, not status))
        if status:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return not status

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on the terminal."""


def _tunnel(near: socket.socket, far: socket.socket) -> None:
    """Carry bytes both ways until one side has ended."""
    other = {near: far, far: near}
    while True:
        for item in select.select([near, far], [], [])[0]:
            try:
                data = item.recv(CHUNK)
                if not data:
                    return
                other[item].sendall(data)
            except OSError:
                return
