"""A tenancy with reports, and the two kinds of places that they are mirrored to: a folder and a real S3 server."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cost_lakehouse.config import Settings, load_settings
from cost_lakehouse.mirror.report import MirrorReport
from cost_lakehouse.mirror.run import run_mirror
from tests.services.oci import OciServer
from tests.services.oci_buckets import Bucket, CloudObject
from tests.services.s3 import S3Server

YESTERDAY = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)


@dataclass
class Target:
    """Where the copies go."""

    destination: str
    options: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    server: S3Server | None = None

    @property
    def place(self) -> tuple[str, str]:
        """Bucket and prefix."""
        bucket, _, prefix = self.destination.removeprefix("s3://").partition("/")
        return bucket, f"{prefix}/"

    def contents(self) -> dict[str, bytes]:
        """Every copy, by key."""
        if self.folder is not None:
            files = [path for path in self.folder.rglob("*") if path.is_file()]
            keys = {candidate.relative_to(self.folder).as_posix(): candidate for candidate in files}
            return {key: file.read_bytes() for key, file in keys.items() if not key.startswith(".cost-lakehouse-mirror/")}
        assert self.server is not None
        bucket, prefix = self.place
        pages = self.server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys_there = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        get = self.server.client().get_object
        return {key.removeprefix(prefix): get(Bucket=bucket, Key=key)["Body"].read() for key in keys_there}

    def put(self, key: str, content: bytes) -> None:
        """Let something else lie there."""
        if self.folder is not None:
            file = self.folder / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            return
        assert self.server is not None
        bucket, prefix = self.place
        self.server.client().put_object(Bucket=bucket, Key=prefix + key, Body=content)

    def unfinished(self) -> list[str]:
        """What an interrupted copy has left."""
        if self.folder is not None:
            return [path.name for path in (self.folder / ".cost-lakehouse-mirror/partial").glob("*")]
        assert self.server is not None
        bucket, prefix = self.place
        found = self.server.client().list_multipart_uploads(Bucket=bucket, Prefix=prefix)
        return [upload["Key"] for upload in found.get("Uploads", ())]


@dataclass
class Mirroring:
    """A lakehouse.yaml with one mirror."""

    root: Path
    cloud: OciServer
    bucket: Bucket
    target: Target
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """Its file, as it is now."""
        oci = {"config_file": str(self.root / "oci/config"), "endpoint": self.cloud.endpoint}
        oci |= {"secrets_endpoint": self.cloud.endpoint}
        mirror = {
            "name": "acme",
            "tenancy": self.cloud.tenancy,
            "oci": oci,
            "destination": self.target.destination,
            "part_size_mib": 5,
            **self.target.options,
            **self.options,
        }
        file = self.root / "lakehouse.yaml"
        file.write_text(json.dumps({"mirrors": [mirror]}), encoding="utf-8")  # JSON is YAML
        return file

    @property
    def settings(self) -> Settings:
        """What it says."""
        return load_settings(self.config)

    def add(self, name: str, content: bytes | Path, part_size: int | None = None) -> CloudObject:
        """One more report of the tenancy, of yesterday."""
        return self.cloud.add_object(self.bucket, name, content, part_size=part_size, modified=YESTERDAY)

    def run(self, **options: Any) -> MirrorReport:
        """Mirror now."""
        settings = self.settings
        return run_mirror(settings, settings.mirror("acme"), **options)

    def downloads(self) -> list[str]:
        """The objects that were asked for, with ranges, since the last call."""
        with self.cloud.lock:
            asked = [item for item in self.cloud.seen if item.method == "GET" and "/o/" in item.path]
            self.cloud.seen.clear()
        return [f"{item.path.partition('/o/')[2]} {item.headers.get('range', '')}".strip() for item in asked]


@pytest.fixture(params=["folder", "s3"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return folder_target(tmp_path) if request.param == "folder" else s3_target(request)


@pytest.fixture
def bucket_target(request: pytest.FixtureRequest) -> Target:
    return s3_target(request)


def folder_target(folder: Path) -> Target:
    return Target("mirror", folder=folder / "mirror")


def s3_target(request: pytest.FixtureRequest) -> Target:
    server: S3Server = request.getfixturevalue("s3_server")
    bucket = request.getfixturevalue("s3_shared_bucket")
    options = {"endpoint": server.endpoint, "access_key": server.access_key, "secret_key": server.secret_key}
    return Target(f"s3://{bucket}/{uuid.uuid4().hex[:12]}", options, server=server)


@pytest.fixture
def mirroring(oci_server: OciServer, target: Target, tmp_path: Path) -> Mirroring:
    return new_mirroring(oci_server, target, tmp_path)


@pytest.fixture
def bucket_mirroring(oci_server: OciServer, bucket_target: Target, tmp_path: Path) -> Mirroring:
    return new_mirroring(oci_server, bucket_target, tmp_path)


@pytest.fixture
def folder_mirroring(oci_server: OciServer, tmp_path: Path) -> Mirroring:
    return new_mirroring(oci_server, folder_target(tmp_path), tmp_path)


def new_mirroring(cloud: OciServer, target: Target, folder: Path) -> Mirroring:
    cloud.add_user(folder / "oci")
    return Mirroring(folder, cloud, cloud.make_bucket(), target)
