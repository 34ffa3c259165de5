"""An AWS Data Export laid out in a place, as AWS does it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cost_lakehouse.config.source import DataExportSettings
from cost_lakehouse.sources.bucket import BucketSource
from cost_lakehouse.sources.delivery import Finding
from cost_lakehouse.sources.registry import open_source
from cost_lakehouse.storage.object_store import ObjectStore
from tests.sources.places import OCTOBER, Place


@dataclass
class Export:
    """One export in a place: ``prefix/name``. ``bucket`` is what its manifests say."""

    place: Place
    prefix: str = "exports"
    name: str = "costs"
    bucket: str = "acme-billing"
    partition: str = "BILLING_PERIOD"
    suffix: str = ".snappy.parquet"

    @property
    def location(self) -> str:
        return f"{self.place.base}{self.prefix}/{self.name}"

    def folder(self, part: str, month: date = OCTOBER, execution: str = "") -> str:
        below = f"{execution}/" if execution else ""
        return f"{self.location}/{part}/{self.partition}={month:%Y-%m}/{below}"

    @property
    def manifest_name(self) -> str:
        return f"{self.name}-Manifest.json"

    def put_files(self, folder: str, count: int, content: str, missing: Sequence[int] = ()) -> list[str]:
        keys = [f"{folder}{self.name}-{number:05d}{self.suffix}" for number in range(1, count + 1)]
        for number, key in enumerate(keys, 1):
            if number not in missing:
                self.place.put(key, f"{content} {number}".encode())
        return keys

    def manifest(self, execution: str | None, entries: Sequence[Any], **other: Any) -> bytes:
        document = {
            "executionId": execution,
            "account": "000000000123",
            "columns": [{"name": "line_item_unblended_cost", "type": "double"}, {"name": "resource_tags", "type": "map"}],
            "dataFiles": list(entries),
            **other,
        }
        return json.dumps({field: value for field, value in document.items() if value is not None}).encode()

    def address(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def create_new(
        self,
        execution: str,
        month: date = OCTOBER,
        files: int = 1,
        missing: Sequence[int] = (),
        modified: datetime | None = None,
        execution_only: bool = False,
    ) -> list[str]:
        """Files and a manifest in folders of their own, and (unless ``execution_only``) the month's manifest. The keys."""
        folder = f"2026-11-02T13:14:43.337Z-{execution}"
        keys = self.put_files(self.folder("data", month, folder), files, execution, missing)
        content = self.manifest(execution, [self.address(key) for key in keys])
        self.place.put(self.folder("metadata", month, folder) + self.manifest_name, content, modified)
        if not execution_only:
            self.place.put(self.folder("metadata", month) + self.manifest_name, content, modified)
        return keys

    def overwrite(self, execution: str | None, month: date = OCTOBER, files: int = 1, **other: Any) -> list[str]:
        """Files right in the month's data folder, then its manifest. The keys."""
        keys = self.put_files(self.folder("data", month), files, str(execution))
        content = self.manifest(execution, [self.address(key) for key in keys], **other)
        self.place.put(self.folder("metadata", month) + self.manifest_name, content)
        return keys

    def announce(self, entries: Sequence[Any], month: date = OCTOBER, **other: Any) -> None:
        """A month's manifest alone, with whatever entries."""
        self.place.put(self.folder("metadata", month) + self.manifest_name, self.manifest("E1", entries, **other))

    def source(self, **changes: Any) -> DataExportSettings:
        given = self.place.source(self.location).model_dump(exclude_unset=True)
        return DataExportSettings.model_validate({**given, "kind": "aws_data_export", **changes})

    def store(self) -> ObjectStore:
        return self.opened().store

    def opened(self) -> BucketSource[Any]:
        """The source, opened."""
        opened = open_source(self.place.settings(), self.source())
        assert isinstance(opened, BucketSource)
        return opened

    def discover(self, month: date | None = None, **changes: Any) -> list[Finding]:
        return list(open_source(self.place.settings(), self.source(**changes)).list_deliveries(month).months)

    def only_finding(self, **changes: Any) -> Finding:
        (finding,) = self.discover(**changes)
        return finding
