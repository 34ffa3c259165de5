"""``python -m tests.services DIR``: PostgreSQL, an S3 server and Trino on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import yaml
from filelock import FileLock, Timeout

from tests.services.postgres import PostgresServer
from tests.services.process import ServiceError, ServiceProcess
from tests.services.production import LakeNames, ProductionStack, write_config
from tests.services.s3 import S3Server
from tests.services.trino import TrinoServer

BUCKET = "lakehouse"
LAKE = LakeNames(database="lakehouse", warehouse=f"s3://{BUCKET}/warehouse", catalog="lake")
FIRST_MONTH = "2026-01"
DESCRIPTION = """\
Starts the production setting on this machine, without Docker: PostgreSQL, an S3 server and Trino, on free ports that
only this machine reaches. Writes DIR/lakehouse.yaml for them, prints `ready`, and stays until Ctrl-C, which stops all three.
Tables, passwords and ports are kept in DIR: start it again on the same DIR to go on. Trino (540 MB) is fetched on first use.

Then put sources into DIR/lakehouse.yaml, and in another terminal:

  uv run cost-lakehouse run --config DIR/lakehouse.yaml
  uv run cost-lakehouse query --config DIR/lakehouse.yaml "SELECT * FROM marts.bill_status"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until asked to stop; 0 where that was asked, 1 where a server cannot be had or ended by itself."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.services", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dir", metavar="DIR", type=Path, help="a folder for lakehouse.yaml and data; made where there is none")
    folder = parser.parse_args(arguments).dir.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "services.lock", timeout=0):
            _serve(folder)
    except KeyboardInterrupt:
        return 0
    except Timeout:
        return _failed(f"the services of {folder} are running already.")
    except (ServiceError, OSError) as error:
        return _failed(str(error))
    return 0


def _serve(folder: Path) -> None:
    """Start everything, stay until Ctrl-C or SIGTERM (both are a KeyboardInterrupt), and stop everything."""
    for item in (signal.SIGINT, signal.SIGTERM):
        signal.signal(item, signal.default_int_handler)
    data = folder / "services"
    postgres, s3, trino = PostgresServer(data / "postgres"), S3Server(data / "s3"), TrinoServer(data / "trino")
    try:
        _say(f"starting PostgreSQL, S3 and Trino in {folder}")
        # Trino takes longest, so the others start meanwhile.
        trino.launch()
        postgres.start()
        s3.start()
        trino.start()
        config = folder / "lakehouse.yaml"
        _make_lake(ProductionStack(postgres, s3, trino), config)
        _say(f"PostgreSQL  {postgres.host}:{postgres.port}, process {postgres.process.pid}")
        _say(f"S3          {s3.endpoint}, process {s3.process.pid}")
        _say(f"Trino       {trino.url}, process {trino.process.pid}")
        _say(f"{config}")
        _say("ready")
        _stay((postgres.process, s3.process, trino.process))
    finally:
        # A second Ctrl-C must not leave one of them behind.
        for item in (signal.SIGINT, signal.SIGTERM):
            signal.signal(item, signal.SIG_IGN)
        trino.stop()
        s3.stop()
        postgres.stop()
        _say("stopped")


def _make_lake(stack: ProductionStack, config: Path) -> None:
    if not stack.postgres.query(f"SELECT 1 FROM pg_database WHERE datname = '{LAKE.database}'"):
        stack.postgres.execute(f"CREATE DATABASE {LAKE.database}")
    if BUCKET not in [list_bucket["Name"] for list_bucket in stack.s3.client().list_buckets()["Buckets"]]:
        stack.s3.client().create_bucket(Bucket=BUCKET)
    stack.open_lake(LAKE)
    renew_config(config, stack.lake_keys(LAKE))


def renew_config(config: Path, lake: Mapping[str, Any]) -> None:
    """Write the configuration, or put the servers' addresses into the one that is there and keep the rest of it."""
    if not config.exists():
        write_config(config, {"first_month": FIRST_MONTH, **lake})
        return
    text = config.read_text(encoding="utf-8")
    before = yaml.safe_load(text) or {}
    keys = dict(before.get("lake") or {})
    for name, value in lake.items():
        own = keys.get(name)
        keys[name] = own | value if isinstance(own, dict) and isinstance(value, dict) else value
    if keys != before.get("lake"):  # otherwise it stays as it is, with its comments
        write_config(config, keys, before.get("sources") or [])


def _stay(processes: Sequence[ServiceProcess]) -> None:
    """Wait until one of them ends, which it should not.

    Raises ServiceError with its last words.
    """
    pause = Event()
    while True:
        for service_process in processes:
            if not service_process.is_running:
                raise ServiceError(service_process.how_it_ended())
        pause.wait(1)


def _say(line: str) -> None:
    print(line, flush=True)


def _failed(why: str) -> int:
    print(f"Error: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
