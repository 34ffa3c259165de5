"""An HTTP server of this machine that takes pushes as docs/backbone.md says: it checks signatures, and counts each id once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

SECRET = "0123456789abcdef0123456789abcdef"


class Receiver:
    """``months`` are the manifests that came whole, by id; ``answers`` are given first, and then nothing is taken."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.files: dict[str, bytes] = {}
        self.months: dict[str, dict[str, Any]] = {}
        self.ids: list[str] = []
        self.came_from: set[str] = set()
        self.headers: list[dict[str, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came_from.add(self.client_address[0])
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(receiver.take(self.headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/costs"

    def take(self, headers: Any, body: bytes) -> int:
        if self.answers:
            return self.answers.pop(0)
        said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(SECRET.encode(), said, hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(expected, headers["webhook-signature"]):
            return 401
        self.ids.append(headers["webhook-id"])
        if headers["Content-Type"] != "application/json":
            self.files[headers["Lakehouse-Path"]] = body
            return 204
        month = json.loads(body)
        for files in month["files"].values():
            for file in files:
                content = self.files[f"{month['writer']}/{file['path']}"]
                if hashlib.sha256(content).hexdigest() != file["sha256"]:
                    return 400
        self.months[month["id"]] = month
        return 200

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
