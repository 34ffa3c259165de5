"""The kinds of sources, and the only place that tells them apart: what each one is, and who opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cost_lakehouse.config import Settings, SourceSettings
from cost_lakehouse.config.source import (
    AthenaSourceSettings,
    AwsCurSettings,
    BucketSettings,
    DataExportSettings,
    FocusSettings,
    LakehouseSettings,
    OciReportsSettings,
)
from cost_lakehouse.sources.base import Source

if TYPE_CHECKING:
    from cost_lakehouse.sources.aws.policies import Reader, SourcePolicy

_AWS_DESCRIPTION = (
    "Every line of the bill that arrives at `{place}`, at full fidelity: the rows of `raw.aws_cur` with source `{source}`. "
    "One partition is one billing month, replaced whole by each delivery."
)
_AWS_HINT = "Look whether the report still exists and its bucket policy lets AWS write (Billing, Data Exports)."


@dataclass(frozen=True)
class SourceKind:
    """What is true of every source of one kind, without looking at any.

    ``tables`` are the raw tables that it feeds, the main one first. ``exported_by_aws`` says that AWS may write its files
    into a bucket, ``adds_files`` that their months may be known only once they are read. ``punctual_table`` is the table
    whose reports tell whether it is late, where others may end; ``late_after_hours`` is what its provider promises, with
    room for bad days: AWS at least once a day, Oracle every 6 hours. ``is_queried`` says
    that each look is a query that costs money, ``is_shared_out`` that several workers may read parts of a large delivery.
    """

    kind: str
    provider: str  # aws, oci, focus or lakehouse
    tables: tuple[str, ...]
    description: str  # of the asset; {place} and {source} are filled in
    where_to_look: str  # when nothing new arrives
    exported_by_aws: bool = False
    adds_files: bool = False
    punctual_table: str | None = None
    is_queried: bool = False
    is_shared_out: bool = False
    late_after_hours: float = 36.0


KINDS: Mapping[str, SourceKind] = {
    item.kind: item
    for item in (
        SourceKind("aws_cur", "aws", ("raw.aws_cur",), _AWS_DESCRIPTION, _AWS_HINT, exported_by_aws=True, is_shared_out=True),
        SourceKind(
            "aws_data_export", "aws", ("raw.aws_cur",), _AWS_DESCRIPTION, _AWS_HINT, exported_by_aws=True, is_shared_out=True
        ),
        SourceKind("aws_athena", "aws", ("raw.aws_cur",), _AWS_DESCRIPTION, _AWS_HINT, is_queried=True),
        SourceKind(
            "oci_cost_reports",
            "oci",
            ("raw.oci_cost", "raw.oci_usage", "raw.focus"),
            "Every line of Oracle's cost reports (`raw.oci_cost`), usage reports (`raw.oci_usage`) and FOCUS reports "
            "(`raw.focus`) that arrive at `{place}`, at full fidelity, with source `{source}`. One partition is one billing "
            "month, by the start of usage. A run loads every file that is new, whichever months it was started for: the months "
            "of a file's rows are known once it is read.",
            "Look whether the mirror still runs and copies, and whether OCI still writes reports.",
            adds_files=True,
            is_shared_out=True,
            punctual_table="raw.oci_cost",
            late_after_hours=18.0,
        ),
        SourceKind(
            "focus",
            "focus",
            ("raw.focus",),
            "Every line of the FOCUS bill that arrives at `{place}`, at full fidelity: the rows of `raw.focus` with source "
            "`{source}`. One partition is one billing month. Months that manifests announce are replaced whole by each "
            "delivery; where there are none, a run loads every file that is new, whichever months it was started for.",
            "Look whether the provider still writes FOCUS files there.",
            exported_by_aws=True,
            adds_files=True,
            is_shared_out=True,
        ),
        SourceKind(
            "lakehouse",
            "lakehouse",
            ("raw.lakehouse_costs",),
            "Daily costs that other lakehouses pushed to `{place}`: the rows of `raw.lakehouse_costs` with source `{source}`, "
            "each with its writer and the writer's receipt. One partition is one billing month, replaced whole by each push.",
            "Look whether the writer still runs, and whether its push fails (`cost-lakehouse push` there says why).",
        ),
    )
}


def kind_of(source: SourceSettings) -> SourceKind:
    """What is true of a source by its kind."""
    return KINDS[source.kind]


def main_table_of(provider: str) -> str:
    """The raw table that a provider's daily summary is of."""
    return next(item.tables[0] for item in KINDS.values() if item.provider == provider)


def open_source(settings: Settings, source: SourceSettings) -> Source:
    """The place that a source's settings name; what it needs is imported only here.

    Raises SourceError where the folder, profile or region does not exist; a bucket is asked for only when it is listed.
    """
    match source:
        case AthenaSourceSettings():
            from cost_lakehouse.sources.aws.athena.source import AthenaSource

            return AthenaSource(settings, source)
        case DataExportSettings():
            from cost_lakehouse.sources.aws.data_export_source import DataExportSource

            return DataExportSource.of(settings, source)
        case OciReportsSettings():
            from cost_lakehouse.sources.oci.source import OciReportsSource

            return OciReportsSource.of(settings, source)
        case FocusSettings():
            from cost_lakehouse.sources.focus.source import FocusSource

            return FocusSource.of(settings, source)
        case AwsCurSettings():
            from cost_lakehouse.sources.aws.cur_source import CurSource

            return CurSource.of(settings, source)
        case LakehouseSettings():
            from cost_lakehouse.sources.lakehouse.source import LakehouseSource

            return LakehouseSource.of(settings, source)
    raise AssertionError(f"unreachable: nobody opens kind {source.kind}")


def policy_of(source: SourceSettings, reader: Reader) -> SourcePolicy:
    """What AWS has to allow so that a source that is at AWS is read, and delivered."""
    from cost_lakehouse.sources.aws import policies

    match source:
        case AthenaSourceSettings():
            return policies.of_table(source, reader)
        case BucketSettings():
            return policies.of_bucket(source, reader, exported_by_aws=kind_of(source).exported_by_aws)
    raise AssertionError(f"unreachable: nobody knows what kind {source.kind} needs")
