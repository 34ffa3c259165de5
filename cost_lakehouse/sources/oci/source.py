"""Oracle's reports as a source: a mirror, or the bucket that Oracle writes to."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cost_lakehouse.config.source import OciReportsSettings
from cost_lakehouse.sources.base import Check, Delivered
from cost_lakehouse.sources.bucket import BucketSource
from cost_lakehouse.sources.delivery import Delivery
from cost_lakehouse.sources.oci.reports import NO_REPORTS, list_reports, reports_root


class OciReportsSource(BucketSource[OciReportsSettings]):
    """Files that add to a bill; Oracle deletes them after a year, and they stay in the lake."""

    @staticmethod
    def root_of(location: Path) -> Path:
        """The folder that holds ``reports`` and ``FOCUS Reports``."""
        return reports_root(location)

    def list_deliveries(self, month: date | None = None) -> Delivered:
        """Every report, whatever its month, which only its rows tell."""
        found = {table: tuple(objects) for table, objects in list_reports(self.store, self.prefix).items()}
        if not any(found.values()):
            self.refuse_wrong_place()
        return Delivered(files=found, nothing="no report is there yet")

    def is_unchanged(self, delivery: Delivery) -> bool:
        """Reports are never rewritten; every file was read as it was listed."""
        return True

    def check(self) -> Check:
        """Whether the reports can be listed, and how many there are."""
        place = self.settings.place
        found = {table: objects for table, objects in self.list_deliveries().files.items() if objects}
        if not found:
            mirror = "Let the mirror copy first (`cost-lakehouse mirror`), or correct `location`."
            return Check(
                "warning", f"{place} can be listed, but holds no reports", NO_REPORTS if self.settings.oracle else mirror
            )
        newest = max(stored_object.last_modified for objects in found.values() for stored_object in objects)
        counts = ", ".join(f"{len(objects)} for {table}" for table, objects in found.items())
        return Check("ok", f"{place}: reports: {counts}; the newest of {newest:%Y-%m-%d %H:%M} UTC")
