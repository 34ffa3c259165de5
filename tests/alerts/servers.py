"""A real SMTP server and a real HTTP server on this machine, which keep what they are given."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.services.ports import free_ports


@dataclass
class Mailbox:
    """What an SMTP server took, and what it refuses: ``answers`` to the data of messages, ``strangers`` as receivers."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    receivers: list[list[str]] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if address in self.strangers:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.receivers.append(list(envelope.rcpt_tos))
        assert server.transport is not None
        self.encrypted.append(session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None)
        return "250 OK"

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)


@contextmanager
def smtp_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, auth: bool = False
) -> Iterator[Mailbox]:
    """An SMTP server in a thread: ``tls`` from the first byte, or after ``STARTTLS``; with ``auth`` the password is right."""
    (port,) = free_ports(1)
    mailbox = Mailbox(port)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    def session() -> SMTP:
        return SMTP(
            mailbox,
            hostname="localhost",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=auth,
            auth_require_tls=starttls is not None,
            authenticator=mailbox.login if auth else None,
            loop=loop,
        )

    async def serve() -> None:
        server = await loop.create_server(session, "127.0.0.1", port, ssl=tls)
        ready.set()
        await stop.wait()
        server.close()
        await server.wait_closed()
        waiting = [all_task for all_task in asyncio.all_tasks() if all_task is not asyncio.current_task()]
        for batch in waiting:
            batch.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield mailbox
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@dataclass(frozen=True)
class Posted:
    """One request of a webhook."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Hook:
    """An HTTP server that takes webhooks. ``answers`` are given first: status, headers, text."""

    url: str
    posted: list[Posted] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    on_post: Callable[[], None] = lambda: None  # between having a message and answering


@contextmanager
def http_server(tls: ssl.SSLContext | None = None, path: str = "/services/T0SECRET/B0SECRET/xyzzyxyzzy") -> Iterator[Hook]:
    """An HTTP server in threads, with TLS where a context is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posted.append(Posted(self.path, dict(self.headers), json.loads(content)))
            hook.on_post()
            status, headers, text = hook.answers.pop(0) if hook.answers else (200, {}, "ok")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that does not trust the certificate ends the handshake."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    hook = Hook(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}{path}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
