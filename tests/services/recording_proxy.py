"""An HTTP(S) proxy on this machine that writes down what a client really sends, and can be slow or damage what it passes on."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.services.relay import relay

_HOP_BY_HOP = ("connection", "transfer-encoding", "expect", "keep-alive")


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. ``connection`` numbers the connection it came through."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    size: int
    connection: int
    at_once: int


class RecordingProxy(ThreadingHTTPServer):
    """Stands in front of ``port`` of this machine. Give clients ``endpoint``; look at ``seen``.

    ``gate`` holds requests back until it is set; ``damage`` changes the content of what is passed on.
    """

    daemon_threads = True

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, damage: Callable[[bytes], bytes] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = port
        self.tls = tls
        self.damage = damage
        self.gate = threading.Event()
        self.gate.set()
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self.connections = 0
        self.under_way = 0

    @property
    def endpoint(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    def requests(self, method: str) -> list[Seen]:
        with self.lock:
            return [item for item in self.seen if item.method == method]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.gate.set()
        self.shutdown()
        self.server_close()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Speak TLS where the proxy has a certificate."""
        if self.tls is None:
            super().finish_request(request, client_address)
        else:
            with self.tls.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early, or trusts nobody here, is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: RecordingProxy
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1
            self._connection = self.server.connections

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        with self.server.lock:
            self.server.under_way += 1
            self.server.seen.append(
                Seen(
                    self.command,
                    unquote(parts.path),
                    parse_qs(parts.query, keep_blank_values=True),
                    self.headers,
                    len(body),
                    self._connection,
                    self.server.under_way,
                )
            )
        try:
            self.server.gate.wait()
            self._answer(body)
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def _answer(self, body: bytes) -> None:
        if self.server.damage is not None:
            body = self.server.damage(body)
        relay(self, "127.0.0.1", self.server.target, self.path, body, _HOP_BY_HOP)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - the names are the base class's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing on the terminal."""
