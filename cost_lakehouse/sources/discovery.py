"""The one door to a source's deliveries: opens the place its settings name, and asks the module of its kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from cost_lakehouse.errors import SourceError
from cost_lakehouse.settings import Settings, SourceSettings
from cost_lakehouse.settings.oci import OciSettings
from cost_lakehouse.sources.around import KINDS, LEVELS_UP, Around, Found, wrong_place
from cost_lakehouse.sources.aws import cur as aws_cur
from cost_lakehouse.sources.aws import data_export as aws_data_export
from cost_lakehouse.sources.aws.athena import discovery as aws_athena
from cost_lakehouse.sources.aws.athena.table import AthenaStore
from cost_lakehouse.sources.aws.cur_root import find_bucket_root
from cost_lakehouse.sources.aws.data_export_layout import ExportLocation
from cost_lakehouse.sources.aws.data_export_root import find_export_root
from cost_lakehouse.sources.delivery import Delivery, Finding, StoredObject
from cost_lakehouse.sources.focus import files as focus
from cost_lakehouse.sources.focus.files import FocusFiles
from cost_lakehouse.sources.local_folder import LocalFolder
from cost_lakehouse.sources.object_store import ObjectStore
from cost_lakehouse.sources.oci.reports import list_reports, reports_root
from cost_lakehouse.sources.s3_store import S3Store, split_location

# Which folder stands for the bucket, where a location is a folder.
_ROOTS: dict[str, Callable[[Path], Path]] = {
    "aws_cur": find_bucket_root,
    "aws_data_export": find_export_root,
    "oci_cost_reports": reports_root,
    focus.KIND: focus.focus_root,
}


def open_store(settings: Settings, source: SourceSettings) -> ObjectStore:
    """The bucket of a source, or the folder that stands for it.

    Raises SourceError where the folder, profile or region does not exist; a bucket is asked for only when it is listed.
    """
    return _open(settings, source)[0]


def discover(settings: Settings, source: SourceSettings, month: date | None = None) -> list[Finding]:
    """What is delivered: one finding a month, oldest first; ``month`` (its first day) restricts the look to one.

    A finding with ``billing_period`` None stands for the whole source: nothing is delivered yet. Raises SourceError where the
    source cannot be looked at at all.
    """
    store, prefix = _open(settings, source)
    if isinstance(store, AthenaStore):
        return aws_athena.discover_table(store, source.name, prefix, settings.lake.first_month, month)
    if source.kind == aws_data_export.KIND:
        return aws_data_export.discover_export(store, _export_location(source, prefix), source.name, month)
    return aws_cur.discover_report(store, prefix, source.name, month)


def discover_reports(settings: Settings, source: SourceSettings) -> dict[str, list[StoredObject]]:
    """What lies at a source of Oracle's reports: raw table -> the objects whose rows belong in it, sorted by key.

    Raises SourceError where the source cannot be looked at.
    """
    store, prefix = _open(settings, source)
    found = list_reports(store, prefix)
    if source.location and not any(found.values()):
        _refuse_wrong_place(settings, source)
    return found


def discover_focus(settings: Settings, source: SourceSettings, month: date | None = None) -> FocusFiles:
    """What lies at a source of FOCUS. Raises SourceError where the source cannot be looked at."""
    store, prefix = _open(settings, source)
    found = focus.look_at_focus(store, _export_location(source, prefix), source.name, month)
    if source.location and not (found.objects or found.months):
        _refuse_wrong_place(settings, source)
    return found


def manifest_is_unchanged(store: ObjectStore, delivery: Delivery) -> bool:
    """Whether the manifest, read again now, still announces the delivery, and its files are the ones that were listed.

    Raises SourceError or DeliveryFailed where the store does not answer.
    """
    if isinstance(store, AthenaStore):
        return store.is_unchanged(delivery)
    if delivery.kind == aws_data_export.KIND:
        return aws_data_export.is_unchanged(store, delivery)
    return aws_cur.is_unchanged(store, delivery)


def _refuse_wrong_place(settings: Settings, source: SourceSettings) -> None:
    """Raises SourceError where a location that holds nothing has bills at or around it."""
    if source.is_s3:
        store, prefix = _open(settings, source)
    else:
        location = settings.path(source.location)
        store = LocalFolder([location, *location.parents][: LEVELS_UP + 1][-1])
        prefix = location.relative_to(store.root).as_posix()
    folder = f"{prefix}/" if prefix not in ("", ".") else ""
    around = Around(store, folder)
    here = around.here()
    found = [Found(folder, here)] if here else around.find()
    if found and not (here and source.kind in KINDS.get(here, ())):
        raise wrong_place(source.name, source.kind, store, folder, found)


def _export_location(source: SourceSettings, prefix: str) -> ExportLocation:
    return ExportLocation(prefix, source.replica_of or (split_location(source.location)[0] if source.is_s3 else None))


def _open(settings: Settings, source: SourceSettings) -> tuple[ObjectStore, str]:
    """The store, and the key prefix in it below which the source's reports are; of a table, its name."""
    if source.athena is not None:
        return AthenaStore.of(settings, source), source.athena.label
    if source.tenancy is not None:
        from cost_lakehouse.sources.oci.store import OciStore  # Oracle's SDK takes a second, which others do not need

        return OciStore.of(source.tenancy, (source.oci or OciSettings()).relative_to(settings.base)), ""
    if source.is_s3:
        return S3Store.of(source), split_location(source.location)[1]
    location = settings.path(source.location)
    if location.is_file():
        raise SourceError(
            f"{location} is a file; a source's location is a folder.", f"Set `location` to {location.parent}, or one above it."
        )
    store = LocalFolder(_ROOTS[source.kind](location))
    prefix = location.relative_to(store.root).as_posix()
    return store, "" if prefix == "." else prefix
