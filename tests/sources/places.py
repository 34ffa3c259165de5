"""A report laid out in a place, be it a folder or a bucket, so that the same cases run on both."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from cost_lakehouse.config import Settings
from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.sources.bucket import BucketSource
from cost_lakehouse.sources.delivery import Finding
from cost_lakehouse.sources.registry import open_source
from cost_lakehouse.storage.object_store import ObjectStore
from tests.services.s3 import S3Server

OCTOBER = date(2026, 10, 1)
NOVEMBER = date(2026, 11, 1)


class Place(Protocol):
    """Somewhere to put objects. ``base`` is a key prefix that no other test uses ("" or ends in ``/``)."""

    base: str

    def put(self, key: str, content: bytes, modified: datetime | None = None) -> None: ...

    def delete(self, key: str) -> None: ...

    def source(self, prefix: str) -> AwsCurSettings: ...

    def settings(self) -> Settings: ...


@dataclass
class FolderPlace:
    """A folder that stands for the bucket."""

    root: Path
    base: str = ""

    def put(self, key: str, content: bytes, modified: datetime | None = None) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if modified is not None:
            os.utime(path, (modified.timestamp(), modified.timestamp()))

    def delete(self, key: str) -> None:
        (self.root / key).unlink()

    def source(self, prefix: str) -> AwsCurSettings:
        return AwsCurSettings(name="acme-payer", kind="aws_cur", location=str(self.root / prefix))

    def settings(self) -> Settings:
        return Settings(base=self.root, file=self.root / "lakehouse.yaml")


@dataclass
class S3Place:
    """A part of a real bucket. Its clock cannot be set: ``modified`` is ignored."""

    server: S3Server
    bucket: str
    base: str
    folder: Path

    def put(self, key: str, content: bytes, modified: datetime | None = None) -> None:
        self.server.client().put_object(Bucket=self.bucket, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self.server.client().delete_object(Bucket=self.bucket, Key=key)

    def source(self, prefix: str) -> AwsCurSettings:
        return AwsCurSettings.model_validate(
            {
                "name": "acme-payer",
                "kind": "aws_cur",
                "location": f"s3://{self.bucket}/{prefix}",
                "endpoint": self.server.endpoint,
                "region": self.server.region,
                "access_key": self.server.access_key,
                "secret_key": self.server.secret_key,
            }
        )

    def settings(self) -> Settings:
        return Settings(base=self.folder, file=self.folder / "lakehouse.yaml")


def manifest(report: str, assembly_id: str, keys: Sequence[str], month: date = OCTOBER, **other: Any) -> bytes:
    """A manifest with the fields AWS writes; a field given as None is left out."""
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    document: dict[str, Any] = {
        "assemblyId": assembly_id,
        "account": "000000000123",
        "columns": [{"category": "identity", "name": "LineItemId", "type": "String"}],
        "charset": "UTF-8",
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportId": "1fbc20f088082669ee179c61999326b3b329325738afe67a98931c03b07cc613",
        "reportName": report,
        "billingPeriod": {"start": f"{month:%Y%m%d}T000000.000Z", "end": f"{after:%Y%m%d}T000000.000Z"},
        "bucket": "acme-billing",
        "reportKeys": list(keys),
        "additionalArtifactKeys": [],
    }
    document.update(other)
    return json.dumps({field: value for field, value in document.items() if value is not None}).encode()


@dataclass
class Report:
    """One report in a place: ``prefix/name``, delivered in AWS's layout."""

    place: Place
    prefix: str = "cur"
    name: str = "hourly"

    @property
    def location(self) -> str:
        return f"{self.place.base}{self.prefix}/{self.name}"

    def folder(self, month: date = OCTOBER) -> str:
        after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        return f"{self.location}/{month:%Y%m%d}-{after:%Y%m%d}/"

    @property
    def manifest_name(self) -> str:
        return f"{self.name}-Manifest.json"

    def deliver(
        self,
        assembly_id: str,
        month: date = OCTOBER,
        files: int = 1,
        missing: Sequence[int] = (),
        modified: datetime | None = None,
        copy_only: bool = False,
        **other: Any,
    ) -> list[str]:
        """A create-new delivery: files in a folder of their own, its manifest there and (unless ``copy_only``) above.

        ``missing`` numbers files that the manifest lists and nobody has written. Returns the keys.
        """
        folder = f"{self.folder(month)}{assembly_id}/"
        keys = [f"{folder}{self.name}-{number:05d}.csv.gz" for number in range(1, files + 1)]
        for number, key in enumerate(keys, 1):
            if number not in missing:
                self.place.put(key, f"{assembly_id} {number}".encode(), modified)
        content = manifest(self.name, assembly_id, keys, month, **other)
        self.place.put(folder + self.manifest_name, content, modified)
        if not copy_only:
            self.place.put(self.folder(month) + self.manifest_name, content, modified)
        return keys

    def overwrite(self, assembly_id: str, month: date = OCTOBER, files: int = 1, **other: Any) -> list[str]:
        """An overwriting delivery: files and manifest right in the month's folder. Returns the keys."""
        keys = [f"{self.folder(month)}{self.name}-{number:05d}.csv.gz" for number in range(1, files + 1)]
        for key in keys:
            self.place.put(key, f"{assembly_id} {key}".encode())
        self.place.put(self.folder(month) + self.manifest_name, manifest(self.name, assembly_id, keys, month, **other))
        return keys

    def source(self) -> AwsCurSettings:
        return self.place.source(self.location)

    def store(self) -> ObjectStore:
        return self.opened().store

    def opened(self) -> BucketSource[Any]:
        """The source, opened."""
        opened = open_source(self.place.settings(), self.source())
        assert isinstance(opened, BucketSource)
        return opened

    def discover(self, month: date | None = None) -> list[Finding]:
        return list(open_source(self.place.settings(), self.source()).list_deliveries(month).months)

    def only_finding(self) -> Finding:
        (finding,) = self.discover()
        return finding
