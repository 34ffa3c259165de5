"""A FOCUS bill as a source: an AWS Data Export, Oracle's reports, or a folder of files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cost_lakehouse.config.source import FocusSettings
from cost_lakehouse.sources.aws import data_export
from cost_lakehouse.sources.aws.data_export_source import export_location
from cost_lakehouse.sources.aws.manifest_resolver import files_are_unchanged
from cost_lakehouse.sources.base import Check, Delivered
from cost_lakehouse.sources.bucket import BucketSource
from cost_lakehouse.sources.delivery import Delivery, Status
from cost_lakehouse.sources.focus.files import focus_root, list_focus


class FocusSource(BucketSource[FocusSettings]):
    """Months that manifests announce, or files."""

    @staticmethod
    def root_of(location: Path) -> Path:
        """The folder that the keys of an export, or of Oracle's reports, start from."""
        return focus_root(location)

    def list_deliveries(self, month: date | None = None) -> Delivered:
        """The findings of an export, else the files that are there."""
        found = list_focus(self.store, export_location(self.settings, self.prefix), self.settings.name, month)
        if not (found.objects or found.months):
            self.refuse_wrong_place()
        return found

    def is_unchanged(self, delivery: Delivery) -> bool:
        """Whether the manifest still announces these files; without one, whether those that take others' places are there.

        Every file was read as it was listed.
        """
        if delivery.manifest is not None:
            return data_export.is_unchanged(self.store, delivery)
        takes_places = bool(delivery.gone)
        return not takes_places or files_are_unchanged(self.store, delivery.objects)

    def check(self) -> Check:
        """Whether it can be listed and read, and what lies there."""
        place = self.settings.place
        found = self.list_deliveries()
        broken = [month for month in found.months if month.status is Status.FAILED]
        if broken:
            return Check("failed", f"{place}: {broken[-1].reason}", "See what the provider delivered there.")
        deliveries = [month.delivery for month in found.months if month.delivery is not None]
        objects = found.objects
        if deliveries:
            objects = max(deliveries, key=lambda one: one.delivered_at).objects
        if not objects:
            reasons = [month.reason for month in found.months if month.reason] + [found.note]
            why = f": {reasons[0]}" if reasons[0] else ""
            fix = "Compare the location with where the provider writes; a new export of AWS takes up to 24 hours."
            return Check("warning", f"{place} can be listed, but holds no FOCUS file{why}", fix)
        newest = max(objects, key=lambda one: one.last_modified)
        self.read_beginning((newest,))
        number, what = (len(deliveries), "month") if deliveries else (len(objects), "file")
        count = f"{number} {what}{'' if number == 1 else 's'}"
        says = f"{place}: FOCUS, {count}, the newest of {newest.last_modified:%Y-%m-%d %H:%M} UTC"
        return Check("warning", f"{says}; {found.note}", "Move away what is no bill.") if found.note else Check("ok", says)
