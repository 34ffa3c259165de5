"""A legacy Cost and Usage Report as a source."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cost_lakehouse.config.source import AwsCurSettings
from cost_lakehouse.sources.aws import cur
from cost_lakehouse.sources.aws.cur_root import find_bucket_root
from cost_lakehouse.sources.base import Check, Delivered
from cost_lakehouse.sources.bucket import BucketSource
from cost_lakehouse.sources.delivery import Delivery


class CurSource(BucketSource[AwsCurSettings]):
    """A report in its bucket; its manifests say which files make up a month."""

    @staticmethod
    def root_of(location: Path) -> Path:
        """The folder that the manifests' keys start from."""
        return find_bucket_root(location)

    def list_deliveries(self, month: date | None = None) -> Delivered:
        """A finding a month, oldest first."""
        return Delivered(tuple(cur.discover_report(self.store, self.prefix, self.settings.name, month)))

    def is_unchanged(self, delivery: Delivery) -> bool:
        """Whether the manifest still announces these files, and they are those that were listed."""
        return cur.is_unchanged(self.store, delivery)

    def check(self) -> Check:
        """Which months are there, and whether the newest one can be read."""
        return self.check_months(self.list_deliveries().months)
