"""The servers of a run of tests: each is started once, by the first who asks, however many processes run the tests.

The process that a person starts (pytest-xdist's controller, or the only one there is) has them; its workers ask it over a
socket. They end with it, even where it is killed.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Protocol

from tests.services.postgres import PostgresServer
from tests.services.process import LastingThread, ServiceError
from tests.services.s3 import S3Server
from tests.services.trino_logins import trino_with_logins


class Server(Protocol):
    """What is kept running here, on a folder of its own."""

    def start(self) -> object:
        """Start it and wait until it answers; raises ServiceError."""

    def stop(self) -> None:
        """End it."""


SERVERS: Mapping[str, Callable[[Path], Server]] = {"postgres": PostgresServer, "s3": S3Server, "trino": trino_with_logins}


class _Keeper(LastingThread):
    """Starts one server, and ends it when told to."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._answered, self._told_to_end = threading.Event(), threading.Event()
        self._problem = ""
        self.start()

    def run(self) -> None:
        try:
            self._server.start()
        except Exception as error:  # noqa: BLE001  # told to everybody who asks
            self._problem = str(error) or repr(error)
        finally:
            self._answered.set()
        self._told_to_end.wait()
        self._server.stop()

    def problem(self) -> str:
        """Wait until the server runs; why it does not, or nothing."""
        self._answered.wait()
        return self._problem

    def end(self) -> None:
        self._told_to_end.set()
        self.join()


class ServiceHost:
    """The owner's side. ``folder`` is the run's own: all its processes see it, and it is removed with the servers."""

    def __init__(self, servers: Mapping[str, Callable[[Path], Server]] = SERVERS) -> None:
        self._servers = servers
        self._keepers: dict[str, _Keeper] = {}
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._listener: Listener | None = None

    @property
    def folder(self) -> Path:
        """Made where it is asked for first."""
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="cost-lakehouse-tests-"))
            return self._folder

    def listen(self) -> str:
        """Answer workers from now on; the address that they need."""
        if self._listener is None:
            self._listener = Listener(str(self.folder / "host"), "AF_UNIX")
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        address = self._listener.address
        assert isinstance(address, str)
        return address

    def prepare(self, name: str) -> None:
        """Begin to start a server, and do not wait for it."""
        self._keeper(name)

    def running(self, name: str) -> Path:
        """The folder of a server that runs; it is waited for.

        Raises ServiceError where it cannot be had.
        """
        problem = self._keeper(name).problem()
        if problem:
            raise ServiceError(problem)
        return self.folder / name

    def stop(self) -> None:
        """End all servers."""
        if self._listener is not None:
            self._listener.close()
        for keeper in self._keepers.values():
            keeper.end()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _keeper(self, name: str) -> _Keeper:
        folder = self.folder / name
        with self._lock:
            if name not in self._keepers:
                folder.mkdir()
                self._keepers[name] = _Keeper(self._servers[name](folder))
            return self._keepers[name]

    def _accept(self, listener: Listener) -> None:
        with suppress(OSError):  # it was closed
            while True:
                threading.Thread(target=self._answer, args=(listener.accept(),), daemon=True).start()

    def _answer(self, worker: Connection) -> None:
        with worker, suppress(EOFError, OSError):  # the worker is gone
            name, wait = worker.recv()
            self.prepare(name)
            worker.send(self._keeper(name).problem() if wait else "")


class RemoteHost:
    """A worker's side: the same questions, asked at the owner's address."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.folder = Path(address).parent

    def prepare(self, name: str) -> None:
        """Begin to start a server, and do not wait for it."""
        self._ask(name, wait=False)

    def running(self, name: str) -> Path:
        """The folder of a server that runs; it is waited for.

        Raises ServiceError where it cannot be had.
        """
        problem = self._ask(name, wait=True)
        if problem:
            raise ServiceError(problem)
        return self.folder / name

    def stop(self) -> None:
        """Nothing: the servers are the owner's."""

    def _ask(self, name: str, *, wait: bool) -> str:
        with Client(self._address, "AF_UNIX") as owner:
            owner.send((name, wait))
            return str(owner.recv())
