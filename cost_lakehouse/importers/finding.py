"""Finds the reports of an entry that names a bucket: AWS is asked which it delivers there, else the bucket is listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.config.source import AwsCurSettings, BucketSettings
from cost_lakehouse.config.yaml_file import explain
from cost_lakehouse.errors import DeliveryFailed, SourceError
from cost_lakehouse.importers.entries import Bucket, Entry
from cost_lakehouse.sources.aws.reports import FoundReport, described_reports
from cost_lakehouse.sources.aws.reports_listed import listed_reports
from cost_lakehouse.storage.s3_causes import S3Cause
from cost_lakehouse.storage.s3_errors import StoreError
from cost_lakehouse.storage.s3_store import S3Store, split_location

_NO_CREDENTIALS = {S3Cause.NO_CREDENTIALS, S3Cause.PARTIAL_CREDENTIALS, S3Cause.NO_PROFILE, S3Cause.NOT_FETCHED}


@dataclass(frozen=True)
class Found:
    """What was found for an entry. ``same_payer``: AWS told the reports of one account. ``why`` says why there are none."""

    reports: tuple[FoundReport, ...] = ()
    same_payer: bool = False
    why: str = ""
    notes: tuple[str, ...] = ()


def find_reports(entry: Entry) -> Found:
    """The reports in the entry's bucket; nothing is asked where it names a table."""
    bucket = entry.bucket
    if bucket is None:
        return Found()
    place = f"s3://{bucket.name}/{bucket.prefix}".rstrip("/")
    try:
        access = AwsAccess.model_validate(_access_of(entry))
        source = AwsCurSettings.model_validate({"name": "import", "kind": "aws_cur", "location": place, **_access_of(entry)})
    except ValidationError as error:
        return Found(why="; ".join(explain(candidate) for candidate in error.errors()))
    announced, errors = described_reports(access)
    reports = _meant(bucket, announced)
    if reports:
        return Found(tuple(as_it_lies(source, found_report) for found_report in reports), same_payer=True)
    asked = " ".join(f"{candidate.problem}" for candidate in errors) or f"AWS announces no report for {_described(bucket)}."
    return _listed(bucket, source, asked)


def _listed(bucket: Bucket, source: BucketSettings, asked: str) -> Found:
    try:
        listed = listed_reports(S3Store.of(source), bucket.prefix)
    except (SourceError, DeliveryFailed) as error:
        if isinstance(error, StoreError) and error.cause in _NO_CREDENTIALS:
            return Found((_guessed(bucket),))
        return Found(why=f"{asked} {error}")
    reports = _meant(bucket, listed.reports)
    cut = "" if listed.is_whole else " The bucket has many folders, of which not all were looked at: give its prefix."
    if not reports:
        return Found(why=f"{asked} In {_described(bucket)} lies no manifest of a report.{cut}")
    return Found(tuple(reports), notes=(f"{asked}{cut}",) if cut else ())


def _guessed(bucket: Bucket) -> FoundReport:
    """Where the report is to be looked for once there are credentials: nobody could be asked."""
    prefix = f"{bucket.prefix}/" if bucket.prefix else ""
    location = f"s3://{bucket.name}/{prefix}{bucket.report or ''}".rstrip("/")
    return FoundReport("aws_cur", location, bucket.report or bucket.name, "", is_guess=True)


def _meant(bucket: Bucket, reports: Sequence[FoundReport]) -> list[FoundReport]:
    """Those that the entry means, out of all of an account or a bucket."""
    return [
        found_report
        for found_report in reports
        if found_report.lies_in(bucket.name, bucket.prefix) and bucket.report in (None, found_report.name)
    ]


def as_it_lies(source: BucketSettings, report: FoundReport) -> FoundReport:
    """Without a prefix, AWS may start keys with a slash: only the bucket tells, where it may be listed."""
    bucket, prefix = split_location(report.location)
    if prefix != report.name:
        return report
    try:
        store = S3Store.of(source.model_copy(update={"location": f"s3://{bucket}"}))
        if not store.list_folder(f"{prefix}/").folders and store.list_folder(f"/{prefix}/").folders:
            return replace(report, location=f"s3://{bucket}//{prefix}")
    except (SourceError, DeliveryFailed):
        pass
    return report


def _access_of(entry: Entry) -> dict[str, Any]:
    """How bucket and account are reached, the external id included: never to be printed."""
    values = {name: value for name, value in entry.values.items() if name != "paused"}
    if entry.external_id is not None:
        values["external_id"] = entry.external_id.get_secret_value()
    return values


def _described(bucket: Bucket) -> str:
    below = f"s3://{bucket.name}/{bucket.prefix}".rstrip("/")
    return f"{below}, report {bucket.report}" if bucket.report else below
