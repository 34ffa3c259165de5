"""A TCP proxy on this machine that cuts connections in the middle of an answer, as bad networks do."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

CHUNK = 16 * 1024


class CuttingProxy:
    """Forwards to ``port`` of this machine; each of the next ``cuts`` answers longer than ``after`` bytes is cut there."""

    def __init__(self, port: int, after: int, cuts: int) -> None:
        self._target = port
        self._after = after
        self._lock = threading.Lock()
        self.cuts_left = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # The listener was closed: the test is over.
            server = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    @staticmethod
    def _forward(client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(CHUNK):
                server.sendall(data)
        except OSError:
            return

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        sent = 0
        with server, client:
            try:
                while data := server.recv(CHUNK):
                    sent += len(data)
                    if sent > self._after and self._may_cut():
                        client.shutdown(socket.SHUT_RDWR)
                        return
                    client.sendall(data)
            except OSError:
                return

    def _may_cut(self) -> bool:
        with self._lock:
            if self.cuts_left == 0:
                return False
            self.cuts_left -= 1
            return True
