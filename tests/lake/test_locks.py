"""A lock of a lake is held by one process at a time, ends with its holder, and is noticed when it is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from cost_lakehouse.errors import LakeError
from cost_lakehouse.lake.catalog import Lake
from tests.builders import settings_for
from tests.services.postgres import PostgresServer

HOLD = """
import pathlib, sys
from cost_lakehouse.lake.catalog import Lake
from cost_lakehouse.config import load_settings
with Lake(load_settings(pathlib.Path(sys.argv[1]))).lock("load-acme", "The load"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lake(tmp_path: Path, lake_options: dict[str, object]) -> Lake:
    return Lake(settings_for(tmp_path, {}, lake_options))


def test_a_second_process_is_told_who_waits_for_whom_and_a_killed_holder_holds_nothing(lake: Lake) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lake.settings.file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(LakeError, match="The load is being worked on by another process"),
            lake.lock("load-acme", "The load"),
        ):
            pass
        with lake.lock("load-other", "Another load"):
            pass
        holder.kill()
    with lake.lock("load-acme", "The load", 10) as lock:
        lock.ensure_held()


def test_a_lock_that_the_database_took_away_is_noticed(tmp_path: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.url(postgres_server.make_database("lake"))
    lake = Lake(settings_for(tmp_path, {}, {"catalog": url}))
    with lake.lock("load-acme", "The load of acme") as lock:
        lock.ensure_held()
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            holders = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
            assert connection.execute(text(holders)).all() == [(True,)]
        with pytest.raises(LakeError, match="The load of acme was called off"):
            lock.ensure_held()
    with lake.lock("load-acme", "The load of acme"):
        pass
