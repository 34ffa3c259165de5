"""Who may ask, and how: the Host header, tokens and the proxy's word, GET alone, and the headers that every reply has."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cost_lakehouse.config.serve import ServeSettings
from cost_lakehouse.serve.replies import problem
from cost_lakehouse.serve.viewer import viewer_of

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
LONGEST_QUERY = 8_192  # bytes
HEALTH = ("/healthz", "/health")
VIEWER = "cost_lakehouse.viewer"
"""Where the request's scope says who asks."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # A browser asks each time, and an ETag spares it the answer.
    "Cache-Control": "private, no-cache",
}


class Guard:
    """Stands before the whole application.

    ``hosts`` are the names that it may be asked by; None: by any, which a token makes safe. A page of somebody else's that
    lets its name point to this machine (DNS rebinding) sends its own name, and is turned away.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings, hosts: Collection[str] | None) -> None:
        self._app = app
        self._settings = settings
        self._hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # a WebSocket: nobody answers

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._hosts is not None and host_name(headers.get("host", "")) not in self._hosts:
            return problem(421, "It is not asked by this name.", "Use http://localhost:PORT, or add the name to serve.hosts.")
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405, "Nothing can be changed here.", "Use GET.", {"Allow": "GET, HEAD"})
        if len(scope.get("query_string", b"")) > LONGEST_QUERY:
            return problem(414, "The question is too long.", f"Ask with {LONGEST_QUERY:,} bytes at most.")
        if scope["path"] in HEALTH:
            return None
        scope[VIEWER] = viewer_of(self._settings, scope["client"][0] if scope.get("client") else None, headers)
        if scope[VIEWER] is not None:
            return None
        return problem(
            401,
            "The token is missing or wrong.",
            "Send it as `Authorization: Bearer TOKEN`; a browser asks for it as the password, and any name does.",
            {"WWW-Authenticate": 'Basic realm="cost-lakehouse", charset="UTF-8"'},
        )


def host_name(host: str) -> str:
    """A ``Host`` header without its port. Pure."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches a server that binds to it. Pure."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
