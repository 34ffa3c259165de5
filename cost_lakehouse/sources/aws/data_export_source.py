"""A Data Export (CUR 2.0) as a source."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cost_lakehouse.config.source import DataExportSettings, FocusSettings
from cost_lakehouse.sources.aws import data_export
from cost_lakehouse.sources.aws.data_export_layout import ExportLocation
from cost_lakehouse.sources.aws.data_export_root import find_export_root
from cost_lakehouse.sources.base import Check, Delivered
from cost_lakehouse.sources.bucket import BucketSource
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.storage.s3_store import split_location


class DataExportSource(BucketSource[DataExportSettings]):
    """An export in its bucket; its manifests say which files make up a month."""

    @staticmethod
    def root_of(location: Path) -> Path:
        """The folder that the manifests' keys start from."""
        return find_export_root(location)

    def list_deliveries(self, month: date | None = None) -> Delivered:
        """A finding a month, oldest first."""
        location = export_location(self.settings, self.prefix)
        return Delivered(tuple(data_export.discover_export(self.store, location, self.settings.name, month)))

    def is_unchanged(self, delivery: Delivery) -> bool:
        """Whether the manifest still announces these files, and they are those that were listed."""
        return data_export.is_unchanged(self.store, delivery)

    def check(self) -> Check:
        """Which months are there, and whether the newest one can be read."""
        return self.check_months(self.list_deliveries().months)


def export_location(source: DataExportSettings | FocusSettings, prefix: str) -> ExportLocation:
    """Where an export lies, and which bucket its manifests name."""
    return ExportLocation(prefix, source.replica_of or (split_location(source.location)[0] if source.is_s3 else None))
