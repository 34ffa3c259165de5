"""Discovery of bills in Athena: each month of the table, with a version that differs whenever its data does."""

from __future__ import annotations

from datetime import UTC, date, datetime

from cost_lakehouse.sources.aws.athena.table import AthenaTable
from cost_lakehouse.sources.aws.athena.versions import Version
from cost_lakehouse.sources.aws.manifest_resolver import TABLE
from cost_lakehouse.sources.delivery import Delivery, FileFormat, Finding, Status
from cost_lakehouse.storage.object_store import StoredObject


def discover_table(table: AthenaTable, source: str, report: str, first: date, month: date | None = None) -> list[Finding]:
    """One finding a month of the table, oldest first; ``month`` restricts it to one. ``first`` is the lake's first month.

    Raises SourceError where Athena cannot be asked.
    """
    reason = ""
    if table.versions.is_updating():
        reason = "AWS is replacing the table's files (its status table says UPDATING)"
    versions = table.versions.versions(month, first)
    if not versions:
        return [Finding(source, month, Status.WAITING, reason=reason or "The table has no such month yet.")]
    if reason:
        return [Finding(source, version.month, Status.WAITING, reason=reason) for version in versions]
    return [Finding(source, version.month, Status.NEW, _delivery(table, source, report, version)) for version in versions]


def _delivery(table: AthenaTable, source: str, report: str, version: Version) -> Delivery:
    # Where Athena tells no files, nobody knows since when the month is as it is: since now, as far as is known here.
    seen = version.written_at or datetime.now(UTC).replace(microsecond=0)
    whole = StoredObject(table.key_of(version.month), version.name, version.bytes, seen)
    return Delivery(
        source=source,
        table=TABLE,
        billing_period=version.month,
        delivery_id=version.name,
        objects=(whole,),
        manifest=whole,
        file_format=FileFormat.PARQUET,
        report_name=report,
        delivered_at=seen,
    )
