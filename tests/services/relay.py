"""Hands a request on to a server and its answer back: what the proxies of the tests share."""

from __future__ import annotations

import http.client
from collections.abc import Collection
from http.server import BaseHTTPRequestHandler


def relay(handler: BaseHTTPRequestHandler, host: str, port: int, path: str, body: bytes, own_headers: Collection[str]) -> None:
    """Ask ``host`` for what ``handler`` was asked for, and answer as it does.

    ``own_headers`` (lower case) belong to one connection, and are passed on neither way.
    """
    target = http.client.HTTPConnection(host, port)
    target.putrequest(handler.command, path, skip_host=True, skip_accept_encoding=True)
    for name, value in handler.headers.items():
        if name.lower() not in own_headers:
            target.putheader(name, value)
    target.endheaders(body)
    answer = target.getresponse()
    content = answer.read()
    target.close()
    handler.send_response_only(answer.status, answer.reason)
    for name, value in answer.getheaders():
        if name.lower() not in (*own_headers, "content-length"):
            handler.send_header(name, value)
    size = answer.getheader("Content-Length") if handler.command == "HEAD" else len(content)
    handler.send_header("Content-Length", str(size or 0))
    handler.end_headers()
    handler.wfile.write(content)
