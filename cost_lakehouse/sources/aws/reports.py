"""Which reports an AWS account has, asked of AWS's billing APIs: legacy Cost and Usage Reports and Data Exports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.config import Config

from cost_lakehouse.config.aws_access import AwsAccess
from cost_lakehouse.errors import SourceError
from cost_lakehouse.storage.aws_session import session_of
from cost_lakehouse.storage.s3_causes import S3_FAILURES, S3Cause
from cost_lakehouse.storage.s3_errors import S3Errors

# Both APIs answer in one region only; of those in China another one.
REGION, CHINA_REGION = "us-east-1", "cn-northwest-1"
ATTEMPTS = 3
_DENIED = (
    "AWS does not let these credentials ask {place}.",
    "Allow it in the account that the bill is of: `cost-lakehouse policy aws --reports` prints the statement.",
)
_FROM = re.compile(r"\bFROM\s+\"?(\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class FoundReport:
    """A report that a source can read. ``location`` is ``s3://bucket/prefix/name``; ``how`` says who told of it."""

    kind: str  # as in lakehouse.yaml: aws_cur, aws_data_export or focus
    location: str
    name: str
    how: str
    region: str = ""  # the bucket's, where it was told
    trouble: str = ""  # what AWS says is wrong with its delivery
    is_guess: bool = False  # nobody could be asked whether it is there

    @property
    def bucket(self) -> str:
        """The bucket that AWS delivers to."""
        return self.location.removeprefix("s3://").partition("/")[0]

    def lies_in(self, bucket: str, prefix: str) -> bool:
        """Whether it is delivered to that place, or below it."""
        own = [part for part in self.location.removeprefix("s3://").split("/") if part]
        wanted = [bucket, *(part for part in prefix.split("/") if part)]
        return own[: len(wanted)] == wanted


def described_reports(access: AwsAccess) -> tuple[list[FoundReport], list[SourceError]]:
    """The reports of the account that the credentials are of, and why one of the APIs, or both, did not answer.

    An export of anything else than costs is left out. Nothing of S3 is asked: a report may be announced and not be there yet.
    """
    found: list[FoundReport] = []
    errors: list[SourceError] = []
    for action, ask in (
        ("cur:DescribeReportDefinitions", _legacy_reports),
        ("bcm-data-exports:ListExports and GetExport", _data_exports),
    ):
        try:
            found += ask(access)
        except S3_FAILURES as error:
            explaining = S3Errors.of(access.model_copy(update={"endpoint": None}), "", "", {S3Cause.DENIED: _DENIED})
            errors.append(explaining.explain(error, action))
    return found, errors


def _legacy_reports(access: AwsAccess) -> list[FoundReport]:
    pages = _client(access, "cur").get_paginator("describe_report_definitions").paginate()
    return [_legacy(reportdefinition) for page in pages for reportdefinition in page.get("ReportDefinitions", ())]


def _legacy(definition: dict[str, Any]) -> FoundReport:
    status = (definition.get("ReportStatus") or {}).get("lastStatus", "")
    return FoundReport(
        "aws_cur",
        _location(definition["S3Bucket"], definition.get("S3Prefix"), definition["ReportName"]),
        definition["ReportName"],
        "DescribeReportDefinitions",
        definition.get("S3Region", ""),
        f"AWS says of its last delivery: {status}" if status.startswith("ERROR") else "",
    )


def _data_exports(access: AwsAccess) -> list[FoundReport]:
    client = _client(access, "bcm-data-exports")
    arns = [candidate["ExportArn"] for page in _pages(client.list_exports) for candidate in page.get("Exports", ())]
    found: list[FoundReport] = []
    for arn in arns:
        answer = client.get_export(ExportArn=arn)
        kind = _kind_of(answer["Export"]["DataQuery"]["QueryStatement"])
        if kind is None:
            continue
        export, status = answer["Export"], answer.get("ExportStatus") or {}
        place = export["DestinationConfigurations"]["S3Destination"]
        reason = status.get("StatusReason", "") if status.get("StatusCode") == "UNHEALTHY" else ""
        found.append(
            FoundReport(
                kind,
                _location(place["S3Bucket"], place.get("S3Prefix"), export["Name"]),
                export["Name"],
                "ListExports",
                place.get("S3Region", ""),
                f"AWS says that it is unhealthy: {reason}" if reason else "",
            )
        )
    return found


def _pages(operation: Callable[..., Any]) -> Iterator[Any]:
    token: dict[str, str] = {}
    while True:
        page = operation(**token)
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _kind_of(query: str) -> str | None:
    """The kind of source that reads what an export's query selects; None where none does."""
    table = _FROM.search(query)
    name = table.group(1).upper() if table else ""
    if name == "COST_AND_USAGE_REPORT":
        return "aws_data_export"
    return "focus" if name.startswith("FOCUS_") else None


def _location(bucket: str, prefix: str | None, name: str) -> str:
    return "s3://" + "/".join(part for part in (bucket, (prefix or "").strip("/"), name) if part)


def _client(access: AwsAccess, service: str) -> Any:
    session, region = session_of(access)
    china = region.startswith("cn-") or any(":aws-cn:" in f"{role}:" for role in access.role_arns)
    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return session.client(service, region_name=CHINA_REGION if china else REGION, config=config)  # type: ignore[call-overload]
