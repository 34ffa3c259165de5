"""A run's servers: one of each, started for whoever asks first, gone with the run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.services.host import RemoteHost, ServiceHost
from tests.services.process import ServiceError, ServiceProcess

ASK = "import sys; from tests.services.host import RemoteHost; print(RemoteHost(sys.argv[1]).running('sleeper'))"


class Sleeper:
    """A server that does nothing."""

    made: list[Sleeper]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: ServiceProcess | None = None
        self.made.append(self)

    def start(self) -> None:
        command = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
        self.process = ServiceProcess("sleeper", command, self.folder / "log", self.folder)

    def stop(self) -> None:
        assert self.process is not None
        self.process.end()


class Broken(Sleeper):
    def start(self) -> None:
        raise ServiceError("there is none")

    def stop(self) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceHost]:
    monkeypatch.setattr(Sleeper, "made", [], raising=False)
    servers: dict[str, Callable[[Path], Sleeper]] = {"sleeper": Sleeper, "broken": Broken}
    running = ServiceHost(servers)
    yield running
    running.stop()


def test_all_processes_get_the_one_server_and_it_ends_with_its_owner(host: ServiceHost) -> None:
    address = host.listen()
    remote = RemoteHost(address)
    remote.prepare("sleeper")
    with ThreadPoolExecutor(4) as several:
        folders = {*several.map(lambda _: remote.running("sleeper"), range(8)), host.running("sleeper")}
    done = subprocess.run(
        [sys.executable, "-c", ASK, address], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )

    assert folders == {host.folder / "sleeper"} == {Path(done.stdout.strip())}
    assert remote.folder == host.folder
    (server,) = Sleeper.made
    assert server.process is not None
    assert server.process.is_running
    host.stop()
    assert not server.process.is_running
    assert not host.folder.exists()


def test_a_server_that_cannot_be_had_is_told_to_all_who_ask(host: ServiceHost) -> None:
    for asked in (host, RemoteHost(host.listen())):
        with pytest.raises(ServiceError, match="^there is none$"):
            asked.running("broken")
    assert len(Sleeper.made) == 1
