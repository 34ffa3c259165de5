"""The one door to a source's deliveries: opens the place its settings name, and asks the module of its kind."""

from __future__ import annotations

from datetime import date

from cost_lakehouse.settings import Settings, SourceSettings
from cost_lakehouse.settings.oci import OciSettings
from cost_lakehouse.sources import aws_cur
from cost_lakehouse.sources.aws_cur_root import find_bucket_root
from cost_lakehouse.sources.delivery import Delivery, Finding, StoredObject
from cost_lakehouse.sources.local_folder import LocalFolder
from cost_lakehouse.sources.object_store import ObjectStore
from cost_lakehouse.sources.oci_reports import list_reports, reports_root
from cost_lakehouse.sources.s3_store import S3Store, split_location


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
    return aws_cur.discover_report(store, prefix, source.name, month)


def discover_reports(settings: Settings, source: SourceSettings) -> dict[str, list[StoredObject]]:
    """What lies at a source of Oracle's reports: raw table -> the objects whose rows belong in it, sorted by key.

    Raises SourceError where the source cannot be looked at.
    """
    store, prefix = _open(settings, source)
    return list_reports(store, prefix)


def manifest_is_unchanged(store: ObjectStore, delivery: Delivery) -> bool:
    """Whether the manifest, read again now, still announces the delivery, and its files are the ones that were listed.

    Raises SourceError or DeliveryFailed where the store does not answer.
    """
    return aws_cur.is_unchanged(store, delivery)


def _open(settings: Settings, source: SourceSettings) -> tuple[ObjectStore, str]:
    """The store, and the key prefix in it below which the source's reports are."""
    if source.tenancy is not None:
        from cost_lakehouse.sources.oci_store import OciStore  # Oracle's SDK takes a second, which others do not need

        return OciStore.of(source.tenancy, source.oci or OciSettings()), ""
    if source.is_s3:
        return S3Store.of(source), split_location(source.location)[1]
    location = settings.path(source.location)
    root = reports_root(location) if source.kind == "oci_cost_reports" else find_bucket_root(location)
    store = LocalFolder(root)
    prefix = location.relative_to(store.root).as_posix()
    return store, "" if prefix == "." else prefix
